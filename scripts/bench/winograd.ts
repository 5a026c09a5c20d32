/**
 * @file `npm run bench:winograd`: Winograd's algorithm against ONNX Runtime's convolution, layer by layer of the networks at
 * 384x512 and pass by pass, in turns in one run, weights unchanged as between two updates. Prints the ratio of the fastest runs
 * (Winograd / direct: below 1 is faster), that of processor time in brackets, which neighbours disturb less, and a mark where the
 * engine's choice takes a tenth more of it.
 *
 *   npm run bench:winograd -- [--rounds=7] [CxO@HxW ...]
 */
import * as tf from '@tensorflow/tfjs';
import { OnnxBackend, type WinogradUse } from '../../src/backend/backend.js';
import { startEngine } from '../../src/backend/index.js';
import { convInfo } from '../../src/backend/kernels/conv-info.js';
import { choosesWinograd, type ConvPass } from '../../src/backend/kernels/winograd-choice.js';
import { smallest } from '../../src/extremes.js';
import { clock, noise, rounded } from './process.js';

/** Channels in and out, and the map's sides: VGG-16, ResNet-18 and -50, DenseNet-121. */
const layers = [
  '64x64@384x512',
  '64x128@192x256',
  '128x128@192x256',
  '128x256@96x128',
  '256x256@96x128',
  '256x512@48x64',
  '512x512@48x64',
  '512x512@24x32',
  '64x64@96x128',
  '128x128@48x64',
  '256x256@24x32',
  '512x512@12x16',
  '128x32@96x128',
  '128x32@48x64',
  '128x32@24x32',
  '128x32@12x16',
];
const asked = process.argv.slice(2).filter((argument) => argument.includes('@'));
const rounds = Number(process.argv.find((argument) => argument.startsWith('--rounds='))?.split('=')[1] ?? 7);
const passes: ConvPass[] = ['forward', 'input gradient', 'filter gradient'];

await startEngine();
const backend = tf.backend() as OnnxBackend;

/** One element is read, all are computed: reading them all would be timed too. */
const readOne = (x: tf.Tensor) => tf.slice(tf.reshape(x, [x.size]), [0], [1]).dataSync();

const attributes = { strides: 1, pad: 'same' } as const;

for (const layer of asked.length > 0 ? asked : layers) {
  const [c, o, h, w] = layer.split(/[x@]/).map(Number) as [number, number, number, number];
  const filterShape: [number, number, number, number] = [3, 3, c, o];
  const [filter, bias] = [tf.randomNormal<tf.Rank.R4>(filterShape), tf.zeros<tf.Rank.R1>([o])];
  const [activations, gradients] = [c, o].map((channels, seed) => {
    const next = noise(seed);
    return Float32Array.from({ length: h * w * channels }, () => 2 * next() - 1);
  });
  const computed = (pass: ConvPass): tf.Tensor => {
    // New tensors each time, as in use: nothing but the filter may be remembered between runs.
    const x = tf.tensor4d(activations, [1, h, w, c]);
    if (pass === 'forward') return tf.relu(tf.add(tf.conv2d(x, filter, 1, 'same'), bias));
    const dy = tf.tensor4d(gradients, [1, h, w, o]);
    if (pass === 'input gradient') return tf.conv2dTranspose(dy, filter, [1, h, w, c], 1, 'same');
    return tf.grad((f) => tf.conv2d<tf.Tensor4D>(x, f as tf.Tensor4D, 1, 'same'))(filter, dy);
  };
  const run = (pass: ConvPass, use: WinogradUse) => {
    backend.winograd = use;
    return tf.tidy(() => {
      const result = computed(pass);
      const elapsed = clock();
      readOne(result);
      return elapsed();
    });
  };
  const results = passes.map((pass) => {
    const times = { never: [] as number[], possible: [] as number[] };
    const cpuTimes = { never: [] as number[], possible: [] as number[] };
    for (let round = -3; round < rounds; round++) {
      for (const use of ['never', 'possible'] as const) {
        const { ms, cpuMs } = run(pass, use);
        if (round < 0) continue;
        times[use].push(ms);
        cpuTimes[use].push(cpuMs);
      }
    }
    const [ratio, cpuRatio] = [times, cpuTimes].map(({ never, possible }) => smallest(possible) / smallest(never));
    const chosen = choosesWinograd('faster', pass, convInfo([1, h, w, c], filterShape, attributes), filterShape);
    const wrong = chosen ? cpuRatio > 1.1 : cpuRatio < 0.9;
    const choice = `${chosen ? ' chosen' : ''}${wrong ? ' (!)' : ''}`;
    return `${pass} ${rounded(smallest(times.never), 1)} ms ${ratio.toFixed(2)} (${cpuRatio.toFixed(2)})${choice}`;
  });
  process.stdout.write(`${layer.padEnd(16)} ${results.join('   ')}\n`);
  tf.dispose([filter, bias]);
}
