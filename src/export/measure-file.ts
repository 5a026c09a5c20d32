/** @file mAP of a model and of a file it was exported to, on the same queries: what storing weights in fewer bytes costs. */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';
import { createSession, OrtTensor } from '../backend/ort.js';
import { InputError } from '../errors.js';
import type { DescriptorModel } from '../models/descriptor.js';
import { type Describer, sizingFor } from '../retrieval/describe.js';
import { describeGroundTruth } from '../retrieval/describe-ground-truth.js';
import { evaluateDescriptors } from '../retrieval/evaluate.js';
import type { GroundTruth } from '../retrieval/ground-truth.js';

/** mAP by the descriptors of the model, and by those of the file. */
export interface FileMap {
  model: number;
  file: number;
}

/** Describes the ground truth by both, images sized as for `rmac extract`. @throws InputError for images that cannot be described. */
export async function measureFile(model: DescriptorModel, path: string, groundTruth: GroundTruth): Promise<FileMap> {
  const bytes = await readFile(path);
  const settings = { providers: ['cpu'], threads: availableParallelism() };
  const session = createSession(bytes, settings, { optimized: true });
  const file: Describer = {
    describe(images) {
      const image = new OrtTensor('float32', images.dataSync<'float32'>(), images.shape);
      const { descriptor } = session.run({ image }, ['descriptor']);
      return tf.tensor2d(descriptor.data as Float32Array, [1, model.dimension]);
    },
  };
  try {
    return { model: await mapOf(model), file: await mapOf(file) };
  } finally {
    session.dispose();
  }

  async function mapOf(describer: Describer): Promise<number> {
    const { database, queries, failures } = await describeGroundTruth(describer, groundTruth, {
      sizing: sizingFor(model.meta),
    });
    if (failures.length > 0) throw new InputError(`${failures[0].id}: ${failures[0].error}`);
    return (await evaluateDescriptors(groundTruth, database, queries)).map;
  }
}
