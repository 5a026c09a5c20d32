/** @file What single regions add to a descriptor and to a similarity. */
import * as tf from '@tensorflow/tfjs';
import type { DescriptorModel } from '../models/descriptor.js';
import { regionsOf } from '../models/pooling.js';
import type { Region } from '../models/regions.js';
import { poolRegions } from './pool-regions.js';
import type { ProposalDescriber } from './proposal-describer.js';

export interface RegionRows {
  /** Cells that are pooled, and the size of their map. */
  regions: Region[];
  map: { height: number; width: number };
  /** [R, D]: the descriptor is the unit vector of their sum. */
  rows: Float32Array;
  dimension: number;
}

/** Regions of one image [1, H, W, 3] and their rows: of `proposals`, or of the model's grid without it. The model must pool R-MAC. */
export function regionRows(model: DescriptorModel, images: tf.Tensor4D, proposals?: ProposalDescriber): RegionRows {
  const { stride, meta, dimension } = model;
  const image = { height: images.shape[1], width: images.shape[2] };
  let found: RegionRows | undefined;
  tf.tidy(() => {
    const features = model.featureMap(images);
    const { shape } = features;
    const values = features.dataSync<'float32'>();
    const [, height, width, channels] = shape;
    const map = { height, width };
    // From the numbers: of what a tidy made and still names the engine would run the trunk again.
    const regions =
      proposals?.regions(tf.tensor4d(values, shape), image) ?? regionsOf(map, meta.pooling, { image, stride });
    const vectors = tf.tensor3d(poolRegions(values, { width, channels }, regions), [1, regions.length, channels]);
    // a copy: the engine may own what it returns
    found = { regions, map, rows: Float32Array.from(model.regionRows(vectors).dataSync<'float32'>()), dimension };
  });
  return found!;
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
  const norm = Math.hypot(...sum);
  return norm === 0 ? shares : shares.map((share) => share / norm);
}
