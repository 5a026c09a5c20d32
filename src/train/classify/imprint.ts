/** @file Classes that begin where their images are: weight imprinting (Qi et al. 2018, section 3.2). */
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../errors.js';
import { l2Normalize } from '../../models/normalize.js';
import type { TrainingRecord } from '../views/training-record.js';
import { classKernel, type ClassifierHead } from './classifier-head.js';
import type { ClassifyConfig } from './classify-config.js';
import type { ClassifiableModel } from './classify-step.js';
import { centreCrop, decodeCrop, stackImages } from './crops.js';

/**
 * Sets the classes of a `cosine` head to the mean directions of their images' pooled features, one image at a time; generated
 * images are passed over. A class of which no image can be read keeps its weights.
 */
export async function imprint(
  { model, head }: { model: ClassifiableModel; head: ClassifierHead },
  { records, labels }: { records: readonly TrainingRecord[]; labels: Int32Array },
  config: Pick<ClassifyConfig, 'validationSide' | 'cropSize'>,
): Promise<void> {
  const kernel = head.variables.get(classKernel) as tf.Variable<tf.Rank.R2>;
  const [channels, classes] = kernel.shape;
  const sums = Array.from({ length: classes }, (): Float32Array | undefined => undefined);
  for (const [i, record] of records.entries()) {
    if (record.generated) continue;
    const image = await decodeCrop(centreCrop(record, config), config.cropSize).catch((error: unknown) => {
      if (!(error instanceof InputError)) throw error;
    });
    if (image === undefined) continue; // said when it is drawn
    const feature = tf.tidy(() => {
      const map = model.mapFromPrefix(model.prefix(stackImages([image]), 'none'), 'none');
      return l2Normalize(map.mean<tf.Tensor2D>([1, 2]));
    });
    const values = await feature.data<'float32'>();
    feature.dispose();
    const sum = (sums[labels[i]] ??= new Float32Array(channels));
    values.forEach((value, channel) => (sum[channel] += value));
  }
  const weights = Float32Array.from(await kernel.data<'float32'>());
  for (const [label, sum] of sums.entries()) {
    if (sum === undefined) continue;
    const length = Math.sqrt(sum.reduce((total, value) => total + value * value, 0)) || 1;
    sum.forEach((value, channel) => (weights[channel * classes + label] = value / length));
  }
  tf.tidy(() => kernel.assign(tf.tensor2d(weights, [channels, classes])));
}
