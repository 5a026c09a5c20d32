/** @file Describes photographs with ONNX Runtime, on the GPU where the browser has one, beside the page. */
import { resized, shownSides } from './resize.js';

/** @typedef {import('./resize.js').Sides} Sides */
/** @typedef {{ x: number, y: number, width: number, height: number }} Box px */
/** @typedef {{ sizing: import('./resize.js').Sizing, gpu: boolean }} Describing */
/** @typedef {(data: Float32Array, sides: Sides) => Promise<Float32Array>} Run */

const here = (/** @type {string} */ path) => new URL(path, import.meta.url).href;

/** @param {string} path of a file packed by gzip */
async function unpacked(path) {
  const { ok, body } = await fetch(here(path));
  if (!ok || body === null) throw new Error(`The file ${path} of this site cannot be reached: open the page again.`);
  return new Response(body.pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
}

/**
 * @param {string} bundle
 * @param {string} runtime
 * @param {string[]} executionProviders
 * @returns {Promise<Run>}
 */
async function openSession(bundle, runtime, executionProviders) {
  const ort = await import(here(`ort/${bundle}.js`));
  ort.env.wasm.wasmPaths = { mjs: here(`ort/${runtime}.js`) };
  ort.env.wasm.wasmBinary = await unpacked(`ort/${runtime}.bin`);
  // Without cross-origin isolation, which a static host rarely gives, a page has one thread.
  ort.env.wasm.numThreads = crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1;
  const session = await ort.InferenceSession.create(here('model/descriptor.onnx'), { executionProviders });
  /** @type {Run} */
  const run = async (data, { width, height }) => {
    const image = new ort.Tensor('float32', data, [1, height, width, 3]);
    const { descriptor } = await session.run({ image });
    return descriptor.data;
  };
  await run(new Float32Array(3 * 96 * 96), { width: 96, height: 96 }); // a provider that cannot run it is found out here
  return run;
}

const collection = /** @type {Promise<Describing>} */ (fetch(here('collection.json')).then((response) => response.json()));

/** @returns {Promise<Run>} */
async function openModel() {
  const { gpu } = /** @type {{ gpu?: { requestAdapter(): Promise<unknown> } }} */ (/** @type {unknown} */ (navigator));
  const adapter = (await collection).gpu ? await gpu?.requestAdapter().catch(() => null) : undefined;
  const opened = adapter
    ? await openSession('ort.webgpu.min', 'ort-wasm-simd-threaded.asyncify', ['webgpu', 'wasm']).catch(() => undefined)
    : undefined;
  return opened ?? openSession('ort.wasm.min', 'ort-wasm-simd-threaded', ['wasm']);
}

const model = openModel();
for (const each of [collection, model]) each.catch(() => undefined); // told to whoever asks

/**
 * @param {Blob} photograph
 * @param {Box} [box]
 */
async function describe(photograph, box) {
  const { sizing } = await collection;
  const times = [performance.now()];
  const bitmap = await createImageBitmap(photograph).catch(() => undefined);
  if (bitmap === undefined) throw new Error('The browser cannot read this file as a picture: try a JPEG.');
  const { width, height } = bitmap;
  try {
    const clip = (/** @type {number} */ value, /** @type {number} */ side) => Math.min(side, Math.max(0, Math.round(value)));
    const { x, y, ...size } = box ?? { x: 0, y: 0, width, height };
    const [left, top] = [clip(x, width), clip(y, height)];
    const part = { left, top, width: clip(x + size.width, width) - left, height: clip(y + size.height, height) - top };
    if (Math.min(width, height) < 8) throw new Error('The picture is too small: at least 8 px a side.');
    if (part.width < 1 || part.height < 1) throw new Error('The box has no pixel of the picture.');
    times.push(performance.now());
    const sides = shownSides({ width, height }, part, sizing);
    const pixels = resized((/** @type {import('./resize.js').Part} */ of) => read(bitmap, of), part, sides, sizing.kernel);
    times.push(performance.now());
    const descriptor = await (await model)(pixels, sides);
    times.push(performance.now());
    const [decode, resize, network] = times.slice(1).map((time, i) => time - times[i]);
    return { descriptor, size: { width, height }, ms: { decode, resize, network } };
  } finally {
    bitmap.close();
  }
}

/**
 * RGBA of a part, what is transparent on white.
 * @param {ImageBitmap} bitmap
 * @param {import('./resize.js').Part} part
 */
function read(bitmap, { left, top, width, height }) {
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('The browser gives no canvas to read the picture with.');
  context.fillStyle = '#fff';
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, -left, -top);
  return context.getImageData(0, 0, width, height).data;
}

self.addEventListener('message', (/** @type {MessageEvent<{ number: number, photograph: Blob, box?: Box }>} */ { data }) => {
  const answer = (/** @type {object} */ reply) => self.postMessage({ number: data.number, ...reply });
  describe(data.photograph, data.box).then(answer, (error) => answer({ error: String(error?.message ?? error) }));
});
