/** @file What single regions add to a descriptor and to a similarity. */
import * as tf from '@tensorflow/tfjs-core';
import type { DescriptorModel } from '../models/descriptor.js';
import { regionsOf } from '../models/pooling.js';
import type { Region } from '../models/regions.js';
import { poolRegions } from './pool-regions.js';
import type { ProposalDescriber } from './proposal-describer.js';
import { lengthOf } from '../extremes.js';

export interface RegionRows {
  /** Cells that are pooled, and the size of their map. */
  regions: readonly Region[];
  map: { height: number; width: number };
  /** [R, D]: the descriptor is the unit vector of their sum. */
  rows: Float32Array;
  dimension: number;
}

/** Regions of one image [1, H, W, 3] and their rows: of `proposals`, or of the model's grid without it. The model must pool R-MAC. */
export function regionRows(model: DescriptorModel, images: tf.Tensor4D, proposals?: ProposalDescriber): RegionRows {
  const { stride, meta, dimension } = model;
  const image = { height: images.shape[1], width: images.shape[2] };
  const features = model.featureMap(images);
  const [, height, width, channels] = features.shape;
  const map = { height, width };
  try {
    const values = features.dataSync<'float32'>();
    const regions = proposals?.regions(features, image) ?? regionsOf(map, meta.pooling, { image, stride });
    const pooled = poolRegions(values, { width, channels }, regions);
    const rows = tf.tidy(() => {
      const vectors = tf.tensor3d(pooled, [1, regions.length, channels]);
      return Float32Array.from(model.regionRows(vectors).dataSync<'float32'>());
    });
    return { regions, map, rows, dimension };
  } finally {
    features.dispose();
  }
}

/** What each region adds to the similarity with the unit row `query` [D]; they sum up to the similarity. */
export function similarityShares(
  { rows, dimension }: Pick<RegionRows, 'rows' | 'dimension'>,
  query: Float32Array,
): Float64Array {
  const shares = new Float64Array(rows.length / dimension);
  const sum = new Float64Array(dimension);
  rows.forEach((value, i) => {
    shares[Math.floor(i / dimension)] += value * query[i % dimension];
    sum[i % dimension] += value;
  });
  const norm = lengthOf(sum);
  return norm === 0 ? shares : shares.map((share) => share / norm);
}
