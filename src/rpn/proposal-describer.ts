/** @file Descriptors of a model from its own proposals instead of the rigid grid (Gordo et al. 2016, section 3.3), or from both. */
import * as tf from '@tensorflow/tfjs';
import { InputError, UsageError } from '../errors.js';
import type { DescriptorModel } from '../models/descriptor.js';
import { regionsOf } from '../models/pooling.js';
import { cellsOf, type Region } from '../models/regions.js';
import type { ImageSides } from './box-rows.js';
import { RpnHead } from './head.js';
import { poolRegions } from './pool-regions.js';
import { propose } from './propose.js';

export interface ProposalDescriberOptions {
  /** Proposals per image at most; an image that has fewer is described by those. */
  proposals: number;
  /** The model's grid as well, first. Default false. */
  grid?: boolean;
}

export class ProposalDescriber {
  private readonly head: RpnHead;

  /** The caller keeps owning `model`, and disposes of this. Throws where the model has no proposals or pools no regions. */
  constructor(
    private readonly model: DescriptorModel,
    private readonly options: ProposalDescriberOptions,
  ) {
    const { rpn, pooling } = model.meta;
    if (pooling.kind !== 'rmac') {
      throw new UsageError(`Proposals are regions of R-MAC; the model pools by ${pooling.kind}, use --pooling rmac.`);
    }
    if (rpn === undefined) throw new InputError('The model has no region proposals; train them with rmac train rpn.');
    this.head = new RpnHead(rpn, model.channels, model.rpnWeights);
  }

  /** Length of the descriptor. */
  get dimension(): number {
    return this.model.dimension;
  }

  /** [1, H, W, 3] RGB 0-255 -> [1, D] unit rows. Waits for the engine: the regions depend on what it computes. */
  describe(images: tf.Tensor4D): tf.Tensor2D {
    return tf.tidy(() => this.pool(this.model.featureMap(images), { height: images.shape[1], width: images.shape[2] }));
  }

  /** What is behind the trunk: map [1, h, w, C] of an image -> [1, D] unit rows. */
  pool(map: tf.Tensor4D, image: ImageSides): tf.Tensor2D {
    return tf.tidy(() => {
      const values = map.dataSync<'float32'>();
      const { shape } = map;
      // From the numbers: of a map that a caller's tidy made the engine would run the trunk again.
      const regions = this.regions(tf.tensor4d(values, shape), image);
      const [, , width, channels] = shape;
      const pooled = poolRegions(values, { width, channels }, regions);
      return this.model.aggregate(tf.tensor3d(pooled, [1, regions.length, channels]));
    });
  }

  /** The cells that are pooled; the whole map where nothing is proposed and no grid is asked for. */
  regions(map: tf.Tensor4D, image: ImageSides): Region[] {
    const { stride, meta } = this.model;
    const cells = { height: map.shape[1], width: map.shape[2] };
    const { boxes } = propose(this.head, map, { image, stride, count: this.options.proposals });
    const regions: Region[] = this.options.grid === true ? regionsOf(cells, meta.pooling, { image, stride }) : [];
    for (let i = 0; i < boxes.length; i += 4) {
      const [yMin, xMin, yMax, xMax] = boxes.subarray(i, i + 4);
      const region = cellsOf({ yMin, xMin, yMax, xMax }, cells, stride);
      // Behind the last cell where the map leaves a strip of the image out.
      if (region.yMax > region.yMin && region.xMax > region.xMin) regions.push(region);
    }
    return regions.length > 0 ? regions : [{ yMin: 0, xMin: 0, yMax: cells.height, xMax: cells.width }];
  }

  dispose(): void {
    this.head.dispose();
  }
}
