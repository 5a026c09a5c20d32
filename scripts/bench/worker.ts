/**
 * @file One side of a benchmark: runs a network's trunk when told to. Arguments: network, pass (`forward`, `forward+backward`, or
 * `forward+backward of N` images in one run, in ms an image), height, width, threads, and
 * the engine's device (default `cpu`) or `wasm` for tfjs's WebAssembly backend in place of it. Protocol on stdin/stdout, one JSON value a line: `run N` ->
 * milliseconds of N runs; `product N` -> milliseconds of N products of two 2048x2048 matrices; `flops` -> floating-point
 * operations of one forward pass's convolutions; `end` -> peak memory.
 */
import * as tf from '@tensorflow/tfjs';
import { type Device, ExampleFunctions, startEngine } from '../../src/backend/index.js';
import { defaultMeta, initialWeights } from '../../src/models/architectures.js';
import { DescriptorModel } from '../../src/models/descriptor.js';
import { clock, noise, serve } from './process.js';

const [network = '', pass = '', heightText, widthText, threadsText, device = 'cpu'] = process.argv.slice(2);
const [height, width, threads] = [Number(heightText), Number(widthText), Number(threadsText)];
const architectures: Record<string, string> = {
  resnet50: 'resnet50-tv',
  densenet121: 'densenet121',
  'mobilenet-v2': 'mobilenet-v2-tv',
};

if (device === 'wasm') {
  const { setThreadsCount } = await import('@tensorflow/tfjs-backend-wasm');
  setThreadsCount(threads);
  await tf.setBackend('wasm');
} else {
  await startEngine({ device: device as Device, threads });
}
const architecture = architectures[network] ?? network;
const model = DescriptorModel.create(defaultMeta(architecture), initialWeights(architecture, 1));
const variables = [...model.trainable('none').values()].filter(({ name }) => !name.includes('whitening'));

const images = Number(/ of (\d+)$/.exec(pass)?.[1] ?? 1);

/**
 * Pictures made beforehand: a new tensor each time, as in use, so that nothing but the weights may be remembered between
 * runs; and no garbage of the generator is collected while the clock runs.
 */
const pictures = Array.from({ length: 8 }, (_, i) => {
  const next = noise(i + 1);
  return Float32Array.from({ length: images * height * width * 3 }, () => 256 * next());
});

let runs = 0;
async function once(): Promise<number> {
  const values = pictures[runs++ % pictures.length];
  if (pass !== 'forward') {
    const elapsed = clock();
    const { sums } = await replays.run('', images, [{ values, shape: [1, height, width, 3] }], (x) => {
      const { value, grads } = tf.variableGrads(() => tf.mean(model.featureMap(x as tf.Tensor4D)), variables);
      return { sums: grads, rows: [value] };
    });
    const { ms } = elapsed();
    tf.dispose(sums);
    return ms / images;
  }
  const x = tf.tensor4d(values, [1, height, width, 3]);
  const elapsed = clock();
  // An array returned from tf.tidy is searched for tensors, number by number: the braces matter.
  tf.tidy(() => {
    model.featureMap(x).dataSync();
  });
  const { ms } = elapsed();
  x.dispose();
  return ms;
}

/** As images are replayed in training: recorded once for all images of a size. */
const replays = new ExampleFunctions(() => variables);

function product(): number {
  const [a, b] = [1, 2].map((seed) => tf.randomUniform<tf.Rank.R2>([2048, 2048], -1, 1, 'float32', seed));
  const elapsed = clock();
  // One element is read, all are computed: reading 16 MB would be timed too.
  tf.tidy(() => {
    tf.slice(tf.matMul(a, b), [0, 0], [1, 1]).dataSync();
  });
  const { ms } = elapsed();
  tf.dispose([a, b]);
  return ms;
}

/** Multiplications and additions of the trunk's convolutions. */
async function convolutionFlops(): Promise<number> {
  const x = tf.zeros<tf.Rank.R4>([1, height, width, 3]);
  let flops = 0;
  const { kernels } = await tf.profile(() => tf.tidy(() => model.featureMap(x)));
  for (const { name, inputShapes, outputShapes } of kernels) {
    if (!name.includes('Conv2D') && !name.includes('Conv2d')) continue;
    const [kh = 0, kw = 0, channels = 0] = inputShapes[1] ?? [];
    const perOutput = kh * kw * (name.startsWith('Depthwise') ? 1 : channels);
    flops += 2 * tf.util.sizeFromShape(outputShapes[0]) * perOutput;
  }
  return flops;
}

await serve({
  async run(count) {
    const times = [];
    for (let i = 0; i < count; i++) times.push(await once());
    return times;
  },
  product: (count) => Array.from({ length: count }, product),
  flops: convolutionFlops,
});
