/** @file What the trainers need of a model. `DescriptorModel` is one; tests use smaller ones. */
import type { DescriptorModel } from '../models/descriptor.js';

export type TrainableModel = Pick<
  DescriptorModel,
  'meta' | 'dimension' | 'stride' | 'describe' | 'prefix' | 'describeFromPrefix' | 'blocksFromPrefix' | 'trainable'
>;
