/**
 * @file Pooling the proposals of each image. Which cells a region's maxima come from is found in plain numbers and handed to the
 * engine as positions, in as many rows for every image of a shape (missing ones weigh 0): boxes are inputs of one graph, and
 * not a graph each. The gradient goes to the first maximum of every region and channel, as in Caffe's ROI pooling; boxes get none.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { DescriptorModel } from '../models/descriptor.js';
import { regionsOf } from '../models/pooling.js';
import type { RegionSource } from '../models/region-source.js';
import { cellsOf, type Region } from '../models/regions.js';
import type { ImageSides } from './box-rows.js';
import type { RpnHead } from './head.js';
import { poolRegions } from './pool-regions.js';
import { headValues, proposeFrom } from './propose.js';

/** The regions of an image: R rows, of which `weights` says whether they are one. */
export interface ChosenRegions {
  regions: readonly Region[];
  /** [R, C] maxima, and their places in the map's values. */
  pooled: Float32Array;
  positions: Int32Array;
  /** [R] 1, and 0 where the image has fewer. */
  weights: Float32Array;
}

export class ProposalPooling {
  /** The caller keeps owning model and head. */
  constructor(
    private readonly model: Pick<DescriptorModel, 'meta' | 'stride' | 'aggregate'>,
    readonly head: RpnHead,
    private readonly source: RegionSource,
  ) {}

  /** What `choose` needs of a map [1, h, w, C] besides its values, for one read of the engine. */
  headValues(map: tf.Tensor4D): tf.Tensor1D {
    return headValues(this.head, map);
  }

  /** Values and shape of a map, and `headValues` -> the regions of the image and their maxima. */
  choose(
    map: { values: Float32Array; shape: readonly number[] },
    head: Float32Array,
    image: ImageSides,
  ): ChosenRegions {
    const [, height, width, channels] = map.shape;
    const cells = { height, width };
    const { grid, found } = this.regions(head, { image, map: cells });
    const all = [...grid, ...found];
    const regions = all.length > 0 ? all : [{ yMin: 0, xMin: 0, yMax: height, xMax: width }];
    const slots = grid.length + this.source.proposals;
    const weights = new Float32Array(slots).fill(1, 0, regions.length);
    const positions = new Int32Array(slots * channels);
    const pooled = poolRegions(map.values, { width, channels, slots, positions }, regions);
    return { regions, pooled, positions, weights };
  }

  /** The descriptor [1, D] of an image from its regions' maxima alone. */
  describe({ pooled, weights }: Pick<ChosenRegions, 'pooled' | 'weights'>): tf.Tensor2D {
    return tf.tidy(() => {
      const rows = tf.tensor3d(pooled, [1, weights.length, pooled.length / weights.length]);
      return this.model.aggregate(rows, tf.tensor1d(weights));
    });
  }

  /** The same from the map [1, h, w, C]: differentiable by it and by what follows. */
  pool(map: tf.Tensor4D, { positions, weights }: Pick<ChosenRegions, 'positions' | 'weights'>): tf.Tensor2D {
    return tf.tidy(() => {
      const maxima = tf.gather(map.reshape<tf.Tensor1D>([map.size]), tf.tensor1d(positions, 'int32'));
      return this.model.aggregate(maxima.reshape([1, weights.length, -1]), tf.tensor1d(weights));
    });
  }

  /** The grid where it is asked for, and the cells of the proposals. */
  private regions(
    head: Float32Array,
    { image, map }: { image: ImageSides; map: ImageSides },
  ): { grid: Region[]; found: Region[] } {
    const { stride, meta } = this.model;
    const { boxes } = proposeFrom(this.head, head, { image, map, stride }, { count: this.source.proposals });
    const found: Region[] = [];
    for (let i = 0; i < boxes.length; i += 4) {
      const [yMin, xMin, yMax, xMax] = boxes.subarray(i, i + 4);
      const region = cellsOf({ yMin, xMin, yMax, xMax }, map, stride);
      // Behind the last cell where the map leaves a strip of the image out.
      if (region.yMax > region.yMin && region.xMax > region.xMin) found.push(region);
    }
    return { grid: this.source.grid ? regionsOf(map, meta.pooling, { image, stride }) : [], found };
  }
}
