/**
 * @file A collection as a folder for any static host: page, model, descriptors and thumbnails. The visitor's photograph is
 * described in the browser, by the files of onnxruntime-web, and leaves it for nowhere.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, extname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { EmbeddedStore } from '../collection/embedded-store.js';
import { readHead } from '../collection/index-folder.js';
import type { Learned } from '../collection/judgement.js';
import { writeFileAtomic } from '../data/files.js';
import type { ImageSizing } from '../data/images.js';
import { assertReplaceable, writeWholeFolder } from '../data/replace-folder.js';
import { runAhead } from '../data/run-ahead.js';
import { InputError, UsageError } from '../errors.js';
import type { Precision } from '../export/manifest.js';
import { exportOnnx } from '../export/onnx.js';
import { type Verification, verifyOnnx } from '../export/verify-onnx.js';
import type { DescriptorModel } from '../models/descriptor.js';
import type { ModelMeta } from '../models/meta.js';
import { smallJpeg } from '../report/thumbnail.js';
import { sizingFor } from '../retrieval/describe.js';
import { toCollectionReply, toItemReply } from '../service/collection-service.js';
import { pageFile, pageNames } from '../service/page-files.js';
import type { ItemReply } from '../service/replies.js';
import { type StageContext, silentView } from './context.js';
import { type EngineChoice, openEngine, openModel } from './open-model.js';
import { columnValues, infoOf, itemOf } from './collection-info.js';
import { type siteVectors, type StoredVectors, writeVectors } from './site-vectors.js';

/** Which collection, how small, and where to. */
export interface ExportSiteOptions extends EngineChoice {
  /** Folder of the collection, as `rmac index build` writes it. */
  index: string;
  /** Folder of the site, which appears when it is complete. */
  out: string;
  /** How the model's file stores its weights. Default `float16`. */
  precision?: Exclude<Precision, 'float32'>;
  /** How the descriptors are stored. Default `auto`: `int8` where it finds 98 % of what the index finds, else `float16`. */
  vectors?: (typeof siteVectors)[number];
  /** Longest side of the thumbnails, px. Default 320. */
  thumbnails?: number;
  /** Replace a site that is there. */
  overwrite?: boolean;
}

/** What was written. */
export interface ExportSiteResult {
  out: string;
  photographs: number;
  /** Photographs that cannot be read any more, of which the site has no picture. */
  withoutPicture: number;
  /** Bytes of the files, by what they are. */
  bytes: { model: number; index: number; page: number; runtime: number; thumbnails: number };
  vectors: StoredVectors;
  /** How the model's file agrees with the model; look at `ok`. */
  verified: Verification;
}

/**
 * Of onnxruntime-web: without the GPU, and with it. Its `.mjs` are named `.js`, which every host knows to be JavaScript; its `.wasm` are packed
 * by gzip, for many hosts send files as they are, and named `.bin`, which none takes for a packed file to unpack.
 */
const runtimeFiles = ['ort.wasm.min.mjs', 'ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm'];
const gpuRuntimeFiles = [
  'ort.webgpu.min.mjs',
  'ort-wasm-simd-threaded.asyncify.mjs',
  'ort-wasm-simd-threaded.asyncify.wasm',
];
const runtimeVersion = '1.30.0';

const packed = promisify(gzip);

const policy = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self' blob:",
  "connect-src 'self'",
  "img-src 'self' blob: data:",
  "style-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
].join('; ');

/** What of the service's page a site does not have: no second look, no programs that ask, no pictures that browsers cannot read; it can be opened as a file. */
const pageChanges = [
  ['<meta charset="utf-8">', `<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="${policy}">`],
  [
    '<p id="size"></p>',
    '<p id="size"><span class="late">Not open yet. A page that was opened as a file stays so: it needs a server of files.</span></p>',
  ],
  ['<label>Look closer', '<label hidden>Look closer'],
  ['image/webp,image/tiff,', 'image/webp,'],
  [' Programs find the description of the service at <a href="openapi.json">openapi.json</a>.', ''],
] as const;

/** What the page has to find in collection.json (service.js). */
const format = 'rmac site, version 3';
/** Photographs that the model's file is compared on. */
const verifiedPictures = 5;

/**
 * Writes the site of a collection.
 * @throws InputError where `out` is taken, onnxruntime-web is not installed, the model cannot be exported for images of any size, or
 *   the collection cannot be read; UsageError for a size of thumbnails out of range.
 */
export async function exportSite(options: ExportSiteOptions, context: StageContext = {}): Promise<ExportSiteResult> {
  const { index, out, precision = 'float16', vectors: wanted = 'auto', thumbnails = 320, overwrite } = options;
  const { view = silentView } = context;
  if (!Number.isInteger(thumbnails) || thumbnails < 32 || thumbnails > 1600) {
    throw new UsageError(`--thumbnails: expected 32 to 1600 px, got ${thumbnails}.`);
  }
  await assertReplaceable(out, { overwrite, mark: 'describe-worker.js', kind: 'an exported site' });
  const runtime = runtimeFolder();
  if ((await readHead(index)).store !== undefined) {
    throw new InputError(
      `${index} keeps its vectors in a database; a site is made of an index that has them in its folder.`,
    );
  }
  await openEngine(options);
  const store = await EmbeddedStore.open(index);
  let model: DescriptorModel | undefined;
  try {
    const { head, dimension, size: photographs } = store;
    const opened = (model = await openModel(join(index, head.model.file), head.describing, view));
    const sizing = sizingFor(opened.meta, head.describing);
    assertPortable(index, opened.meta, sizing);
    return await writeWholeFolder(out, async (fresh) => {
      const pictured = await writeItems(store, { index, folder: fresh, thumbnails }, context);
      const vectors = await writeVectors(store, fresh, wanted);
      const about = toCollectionReply({ info: infoOf(index, store), values: (column) => columnValues(store, column) });
      const limits = { megabytes: 100, results: 1000 };
      // With WebGPU that runtime opens no model that casts to float64, as the grid of R-MAC does.
      const gpu = opened.meta.pooling.kind !== 'rmac';
      const { similarity, photographs: several, presence } = head.threshold ?? {};
      const learned: Learned = { similarity, photographs: several, presence };
      const collection = { format, ...about, limits, dimension, vectors, learned, sizing, gpu };
      await writeFileAtomic(join(fresh, 'collection.json'), `${JSON.stringify(collection)}\n`);
      await writePage(fresh, runtime, gpu ? [...runtimeFiles, ...gpuRuntimeFiles] : runtimeFiles);
      const { files, resize } = await exportOnnx(opened, join(fresh, 'model'), 'any', { precision });
      const images = pictured.slice(0, verifiedPictures);
      const verified = await verifyOnnx(opened, join(fresh, 'model'), files[0], { images, resize, precision });
      const bytes = {
        model: await bytesIn(join(fresh, 'model')),
        index: await bytesIn(fresh, /\.(json|i8|f16|f32)$/),
        page: await bytesIn(fresh, /\.(html|css|js)$/),
        runtime: await bytesIn(join(fresh, 'ort')),
        thumbnails: await bytesIn(join(fresh, 'thumbnails')),
      };
      return { out, photographs, withoutPicture: photographs - pictured.length, bytes, vectors, verified };
    });
  } finally {
    model?.dispose();
    await store.close();
  }
}

/** @throws InputError for what a browser cannot do as the index was made. */
function assertPortable(index: string, meta: ModelMeta, { longest }: ImageSizing): void {
  if (meta.regions !== undefined) {
    throw new InputError(
      `${index}: its model pools proposals, which a site cannot find; build the index with a model that pools the grid.`,
    );
  }
  if (longest === 'none') {
    throw new InputError(
      `${index}: its photographs were described at their own size; build it with --size N for a site.`,
    );
  }
}

/** Folder of the files of the browser's ONNX Runtime. @throws InputError where there is none, or one of another version. */
function runtimeFolder(): string {
  let folder: string;
  try {
    folder = dirname(createRequire(import.meta.url).resolve('onnxruntime-web'));
  } catch {
    throw new InputError(`A site needs the package onnxruntime-web: npm install onnxruntime-web@${runtimeVersion}.`);
  }
  const missing = [...runtimeFiles, ...gpuRuntimeFiles].find((name) => !existsSync(join(folder, name)));
  if (missing === undefined) return folder;
  throw new InputError(
    `onnxruntime-web lacks ${missing}, it is of another version: npm install onnxruntime-web@${runtimeVersion}.`,
  );
}

/** items.json and thumbnails; gives the files of which there is a picture. */
async function writeItems(
  store: EmbeddedStore,
  { index, folder, thumbnails }: { index: string; folder: string; thumbnails: number },
  { view = silentView, signal }: StageContext,
): Promise<string[]> {
  const progress = view.progress('thumbnails', store.size);
  const pictured: string[] = [];
  const lines: string[] = [];
  try {
    const items = Array.from(store.records(), (record) => itemOf(index, record));
    const made = runAhead(items, ({ path }) => smallJpeg(path, { longestPx: thumbnails, upscale: false }), 4);
    for await (const outcome of made) {
      signal?.throwIfAborted();
      let image = 'data:,'; // shows the name in its place
      if ('value' in outcome) {
        image = `thumbnails/${lines.length}.jpg`;
        await writeFileAtomic(join(folder, image), outcome.value);
        pictured.push(outcome.item.path);
      } else if (!(outcome.error instanceof InputError)) throw outcome.error;
      else view.note(`no picture: ${outcome.error.message}`);
      lines.push(JSON.stringify({ ...toItemReply(outcome.item), image, thumbnail: image } satisfies ItemReply));
      progress.update(lines.length);
    }
  } finally {
    progress.stop();
  }
  await writeFileAtomic(join(folder, 'items.json'), `[${lines.join(',\n')}]\n`);
  return pictured;
}

/** The page of the service, with answers of its own, and the runtime. */
async function writePage(folder: string, runtime: string, names: readonly string[]): Promise<void> {
  for (const name of pageNames) {
    const text = (await pageFile(name)).toString();
    if (name !== 'service.js') await writeFileAtomic(join(folder, name), name === 'index.html' ? sitePage(text) : text);
  }
  for (const name of ['service.js', 'library.js', 'rows.js', 'resize.js', 'describe-worker.js']) {
    await writeFileAtomic(join(folder, name), await pageFile(`site/${name}`));
  }
  await mkdir(join(folder, 'ort'));
  for (const name of names) {
    const bytes = await readFile(join(runtime, name));
    const file = join(folder, 'ort', basename(name, extname(name)));
    if (name.endsWith('.wasm')) await writeFileAtomic(`${file}.bin`, await packed(bytes));
    else await writeFileAtomic(`${file}.js`, bytes);
  }
}

function sitePage(html: string): string {
  return pageChanges.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`The page has no ${from}.`);
    return text.replace(from, to);
  }, html);
}

async function bytesIn(folder: string, names = /./): Promise<number> {
  let sum = 0;
  for (const name of await readdir(folder).catch(() => [])) {
    if (names.test(name)) sum += (await stat(join(folder, name))).size;
  }
  return sum;
}
