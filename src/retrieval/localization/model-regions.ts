/** @file The regions of a descriptor model, for localised R-MAC and cross-matching. */
import * as tf from '@tensorflow/tfjs-core';
import { UsageError } from '../../errors.js';
import type { DescriptorModel } from '../../models/descriptor.js';
import { regionsOf } from '../../models/pooling.js';
import { type RegionModel, rowsPerBlock, unitRows } from './region-batch.js';

/** Throws `UsageError` for a model that does not pool R-MAC. The caller keeps owning the model. */
export function modelRegions(model: DescriptorModel): RegionModel {
  const { pooling, whitening, projection } = model.meta;
  if (pooling.kind !== 'rmac') {
    throw new UsageError(
      `Localised R-MAC and cross-matching need R-MAC; the model pools by ${pooling.kind}, use --pooling rmac.`,
    );
  }
  return {
    regionsOf(map) {
      const image = { height: map.height * model.stride, width: map.width * model.stride };
      const regions = regionsOf(map, pooling, { image, stride: model.stride });
      const filled = regions.filter((region) => region.yMax > region.yMin && region.xMax > region.xMin);
      // a strip of a cell has no region in a grid of scales above 1, and none at all rounds to 0 cells
      return filled.length > 0 ? filled : [{ yMin: 0, xMin: 0, yMax: map.height, xMax: map.width }];
    },
    rowsOf(maxima, channels) {
      if (whitening === undefined && projection === undefined) return unitRows(maxima, channels, pooling.epsilon);
      const count = maxima.length / channels;
      const rows = new Float32Array(count * model.dimension);
      for (let from = 0; from < count; from += rowsPerBlock) {
        // always whole blocks: one graph for all of them
        const block = new Float32Array(rowsPerBlock * channels);
        block.set(maxima.subarray(from * channels, (from + rowsPerBlock) * channels));
        const unit = tf.tidy(() =>
          model.aggregate(tf.tensor3d(block, [rowsPerBlock, 1, channels])).dataSync<'float32'>(),
        );
        const used = Math.min(rowsPerBlock, count - from) * model.dimension;
        rows.set(unit.subarray(0, used), from * model.dimension);
      }
      return rows;
    },
  };
}
