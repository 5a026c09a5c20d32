/**
 * @file Trains the project's own starting trunk, checkpoints/rmac-small.safetensors, from scratch on generated pictures of
 * things that are not the generated landmarks (src/synthetic/categories.ts).
 *
 *   npx tsx scripts/train-trunk.ts --out checkpoints/rmac-small.safetensors --overwrite
 *
 * Two classifications share every batch, both of the model's own R-MAC descriptors d (unit rows):
 *   category: softmax(W n(d) + b), n standardises over the batch (the neck of Luo et al. 2019), and
 *   exemplar: which of the other pictures shows the same thing, softmax_j(s <d_i, d_j>) (Sohn 2016, Chen et al. 2020).
 * The norms take their statistics from the batch while training; the file holds constants measured at the end. It is
 * also written every `--save-every` updates, which draws pictures and so belongs to what must be equal for equal bytes, as do
 * the machine and the number of threads.
 */
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { startEngine } from '../src/backend/index.js';
import { assertWritable } from '../src/data/files.js';
import { saveModel } from '../src/data/model-file.js';
import { categoryNames } from '../src/synthetic/categories.js';
import { crossEntropy } from '../src/losses/cross-entropy.js';
import { defaultMeta, initialWeights } from '../src/models/architectures.js';
import { DescriptorModel } from '../src/models/descriptor.js';
import { preprocess } from '../src/models/preprocess.js';
import { rmacSmall } from '../src/models/small.js';
import { GradientAccumulator } from '../src/train/gradients.js';
import { learningRateAt } from '../src/train/schedule.js';
import { Optimizer } from '../src/train/optimizer.js';
import { batchMoments, runWithBatchNorm } from './trunk-batch-norm.js';
import { heldOutBatches, type PictureBatch, PicturePool } from './trunk-pictures.js';

const { values: flags } = parseArgs({
  options: {
    out: { type: 'string', default: 'checkpoints/rmac-small.safetensors' },
    overwrite: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    steps: { type: 'string', default: '1600' },
    'save-every': { type: 'string', default: '100' },
    threads: { type: 'string', default: '1' },
  },
});

/** Exemplars per update; each gives two pictures. */
const batchExemplars = 16;
/** Side of the training crops, px: a map of 7 x 7. */
const cropSize = 112;
const learningRate = 0.04;
/** s of the exemplar softmax. */
const similarityScale = 20;
const poolPerCategory = 20;
const freshPerStep = 2;
const reportEvery = 20;

const [seed, steps, saveEvery, threads] = [flags.seed, flags.steps, flags['save-every'], flags.threads].map(Number);
if (![seed, steps, saveEvery, threads].every((value) => Number.isSafeInteger(value) && value >= 1)) {
  throw new Error('--seed, --steps, --save-every and --threads: whole numbers of at least 1 expected');
}
assertWritable(flags.out, flags);
await startEngine({ device: 'cpu', threads });

const meta = defaultMeta(rmacSmall.name, {
  imageSize: 320,
  provenance: `trained from scratch by scripts/train-trunk.ts on generated categories, seed ${seed}, ${steps} steps`,
});
const model = DescriptorModel.create(meta, initialWeights(rmacSmall.name, seed));
const classes = categoryNames.length;
const kernel = tf.variable(tf.randomNormal([model.channels, classes], 0, 0.05, 'float32', seed));
const bias = tf.variable(tf.zeros([classes]));
const variables = new Map<string, tf.Variable>([
  ...model.variables,
  ['classifier/kernel', kernel],
  ['classifier/bias', bias],
]);
const pool = new PicturePool({ seed, perCategory: poolPerCategory, fresh: freshPerStep, cropSize });
say(`${poolPerCategory * classes} exemplars of ${classes} categories`);
await train();

async function train(): Promise<void> {
  const names = new Map([...variables].map(([name, variable]) => [variable.name, name]));
  const optimizer = new Optimizer(variables, {
    momentum: 0.9,
    weightDecay: 1e-4,
    weightDecayOn: 'kernels',
    clipGradientNorm: 5,
  });
  const accumulator = new GradientAccumulator();
  const schedule = { learningRate, kind: 'cosine' as const, every: 1, factor: 1, warmup: 50, steps };
  let total = 0;
  for (let step = 0; step < steps; step++) {
    const batch = pool.next(batchExemplars);
    const loss = tf.tidy(() => {
      const images = input(batch);
      const { value, grads } = tf.variableGrads(() => {
        const descriptors = model.pool(runWithBatchNorm(rmacSmall, model.variables, images));
        const labels = tf.tensor1d(batch.labels, 'int32');
        const category = crossEntropy(categoryLogits(descriptors), labels, { labelSmoothing: 0.1 });
        const exemplar = crossEntropy(exemplarLogits(descriptors), partners(descriptors.shape[0]));
        return category.add<tf.Scalar>(exemplar);
      }, [...variables.values()]);
      accumulator.add(Object.fromEntries(Object.entries(grads).map(([name, g]) => [names.get(name) as string, g])));
      return value;
    });
    const norm = await optimizer.update(accumulator, learningRateAt(step, schedule), step);
    const [value] = await loss.data(); // computed with the update
    loss.dispose();
    if (!Number.isFinite(value + norm)) throw new Error(`step ${step}: loss ${value}, gradient norm ${norm}`);
    total += value / reportEvery;
    if ((step + 1) % reportEvery === 0) {
      say(`step ${step + 1}: loss ${total.toFixed(3)}, gradient norm ${norm.toFixed(2)}`);
      total = 0;
    }
    if ((step + 1) % saveEvery === 0 || step + 1 === steps) {
      const frozen = await frozenModel();
      const { category, exemplar } = await accuracy(frozen);
      say(`  held out: top-1 ${category.toFixed(3)} of category, ${exemplar.toFixed(3)} of exemplar`);
      await saveModel(flags.out, frozen, { overwrite: true });
      frozen.dispose();
    }
  }
}

/** [2 N, H, W, 3] preprocessed. */
function input({ pixels, labels }: PictureBatch): tf.Tensor4D {
  return tf.tidy(() => preprocess(tf.tensor4d(pixels, [labels.length, cropSize, cropSize, 3]), meta.preprocessing));
}

/** [N, D] -> [N, K]. */
function categoryLogits(descriptors: tf.Tensor2D): tf.Tensor2D {
  const centred = descriptors.sub(descriptors.mean(0));
  const standard = centred.mul(centred.square().mean(0).add(1e-5).rsqrt());
  return standard.matMul(kernel).add(bias);
}

/** Similarities to all pictures but itself. [2 N, D] -> [2 N, 2 N]. */
function exemplarLogits(descriptors: tf.Tensor2D): tf.Tensor2D {
  const itself = tf.eye(descriptors.shape[0]).mul(1e4);
  return descriptors.matMul<tf.Tensor2D>(descriptors, false, true).mul(similarityScale).sub(itself);
}

/** Row of the other picture of the same exemplar. */
function partners(count: number): tf.Tensor1D {
  return tf.tensor1d(
    Int32Array.from({ length: count }, (_, i) => (i + count / 2) % count),
    'int32',
  );
}

/** The model as it is now with the statistics of fresh batches as its norms' constants. */
async function frozenModel(): Promise<DescriptorModel> {
  const weights = await model.toArrays();
  const batches = Array.from({ length: 12 }, () => input(pool.next(2 * batchExemplars)));
  for (const [name, data] of await batchMoments(rmacSmall, model.variables, batches)) {
    weights.set(name, { shape: [data.length], data });
  }
  return DescriptorModel.create(meta, weights);
}

/** Shares of held-out pictures whose category, and whose other picture among all of a batch, is found. */
async function accuracy(frozen: DescriptorModel): Promise<{ category: number; exemplar: number }> {
  let [category, exemplar, count] = [0, 0, 0];
  for (const { pixels, labels } of heldOutBatches(2, cropSize)) {
    const best = tf.tidy(() => {
      const descriptors = frozen.describe(tf.tensor4d(pixels, [labels.length, cropSize, cropSize, 3]));
      return tf.stack([categoryLogits(descriptors).argMax(1), exemplarLogits(descriptors).argMax(1)]);
    });
    const found = await best.data();
    best.dispose();
    for (const [i, label] of labels.entries()) {
      if (found[i] === label) category++;
      if (found[labels.length + i] === (i + labels.length / 2) % labels.length) exemplar++;
    }
    count += labels.length;
  }
  return { category: category / count, exemplar: exemplar / count };
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
