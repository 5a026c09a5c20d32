/**
 * @file Trains a model with a loss of one's own. The loss only sees descriptors; a trainer says which images an update takes and adds
 * its gradient, and the loop does the rest: optimizer, schedule, order of things.
 *
 *   npx tsx own-loss.ts MODEL MANIFEST OUT [UPDATES]
 */
import * as tf from '@tensorflow/tfjs-core';
import {
  decodeImage,
  type DescriptorModel,
  type Gradient,
  type GradientAccumulator,
  type ImageRecord,
  loadModel,
  namedGradients,
  type NextUpdate,
  RandomStream,
  readManifest,
  runLoop,
  saveModel,
  startEngine,
  toTensor,
  type Trainer,
  tripletConfigSchema,
} from 'rmac';

/** Of N things two photographs each, [N, D] and [N, D]: how hard it is to tell by dot products which second one belongs to a first. */
function pairLoss(first: tf.Tensor2D, second: tf.Tensor2D, temperature = 0.1): tf.Scalar {
  const similarities = first.matMul(second, false, true).div(temperature); // [N, N], right ones on the diagonal
  const right = first.mul(second).sum(1).div(temperature); // [N]
  return tf.logSumExp(similarities, 1).sub(right).mean();
}

class PairTrainer implements Trainer {
  readonly criterion = { key: 'map', name: 'mAP' }; // nothing is measured: there is no `measure`
  readonly random = new RandomStream(0);
  readonly unreadable = new Set<string>();
  readonly variables: Trainer['variables'];
  private readonly things: readonly ImageRecord[][];

  constructor(
    readonly model: DescriptorModel,
    records: readonly ImageRecord[],
  ) {
    this.variables = model.trainable('none'); // nothing is frozen
    const landmarks = [...new Set(records.map(({ landmark }) => landmark))];
    const things = landmarks.map((name) => records.filter(({ landmark }) => landmark === name));
    this.things = things.filter(({ length }) => length >= 2);
  }

  async gradient(_: NextUpdate, sums: GradientAccumulator): Promise<Gradient> {
    const things = this.random.shuffle(this.things).slice(0, 6);
    const pairs = things.map((records) => this.random.shuffle(records));
    const records = [...pairs.map(([first]) => first), ...pairs.map(([, second]) => second)];
    const sizing = { longest: 160, multipleOf: this.model.stride };
    const images = await Promise.all(records.map(async ({ path }) => toTensor(await decodeImage(path, { sizing }))));
    const { value, gradients } = namedGradients(() => {
      const descriptors = images.map((image) => this.model.describe(image));
      const [first, second] = tf.split<tf.Tensor2D>(tf.concat(descriptors), 2);
      return pairLoss(first, second);
    }, this.variables);
    sums.add(gradients);
    const [loss] = await value.data();
    tf.dispose([images, value, gradients]);
    return { figures: { loss }, ids: records.map(({ id }) => id), images: 2 * records.length };
  }

  /** The order of images depends on `random` alone, which the loop keeps. */
  state() {
    return {};
  }

  restore() {}
}

const [file, manifest, out, steps = '40'] = process.argv.slice(2);
await startEngine();
const model = await loadModel(file);
const trainer = new PairTrainer(model, await readManifest(manifest));
const config = tripletConfigSchema.parse({ steps: Number(steps), learningRate: 1e-3 });
for await (const record of runLoop(trainer, { config })) {
  if (record.event === 'update') console.log(`update ${record.step}: loss ${record.loss}`);
}
await saveModel(out, model);
model.dispose();
