/** @file What the trainers need of a model. `DescriptorModel` is one. */
import type { DescriptorModel } from '../models/descriptor.js';

export type TrainableModel = Pick<
  DescriptorModel,
  | 'meta'
  | 'dimension'
  | 'stride'
  | 'describe'
  | 'featureMap'
  | 'prefix'
  | 'mapFromPrefix'
  | 'describeFromPrefix'
  | 'blocksFromPrefix'
  | 'pool'
  | 'aggregate'
  | 'trainable'
>;
