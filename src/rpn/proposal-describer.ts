/** @file Descriptors of a model from its own proposals instead of the rigid grid (Gordo et al. 2016, section 3.3), or from both. */
import * as tf from '@tensorflow/tfjs-core';
import { InputError, UsageError } from '../errors.js';
import type { DescriptorModel } from '../models/descriptor.js';
import type { ModelMeta } from '../models/meta.js';
import type { Region } from '../models/regions.js';
import type { ImageSides } from './box-rows.js';
import { RpnHead } from './head.js';
import { type ChosenRegions, ProposalPooling } from './proposal-pooling.js';

export interface ProposalDescriberOptions {
  /** Proposals per image at most; an image that has fewer is described by those. */
  proposals: number;
  /** The model's grid as well, first. Default false. */
  grid?: boolean;
  /** In place of the model's own network, which may be older. The caller keeps owning it. */
  head?: RpnHead;
}

/** Throws where a model has no proposals or pools no regions. */
export function assertProposals({ rpn, pooling }: Pick<ModelMeta, 'rpn' | 'pooling'>): void {
  if (pooling.kind !== 'rmac') {
    throw new UsageError(`Proposals are regions of R-MAC; the model pools by ${pooling.kind}, use --pooling rmac.`);
  }
  if (rpn === undefined) throw new InputError('The model has no region proposals; train them with rmac train rpn.');
}

export class ProposalDescriber {
  private readonly head: RpnHead;
  private readonly ownHead: boolean;
  private readonly pooling: ProposalPooling;

  /** The caller keeps owning `model`, and disposes of this. Throws as `assertProposals`. */
  constructor(
    private readonly model: DescriptorModel,
    { proposals, grid = false, head }: ProposalDescriberOptions,
  ) {
    assertProposals(model.meta);
    this.ownHead = head === undefined;
    this.head = head ?? new RpnHead(model.meta.rpn!, model.channels, model.rpnWeights);
    this.pooling = new ProposalPooling(model, this.head, { proposals, grid });
  }

  /** Length of the descriptor. */
  get dimension(): number {
    return this.model.dimension;
  }

  /** [1, H, W, 3] RGB 0-255 -> [1, D] unit rows. Waits for the engine: the regions depend on what it computes. */
  describe(images: tf.Tensor4D): tf.Tensor2D {
    return tf.tidy(() => this.pool(this.model.featureMap(images), sidesOf(images)));
  }

  /** `describe` whose trunk runs beside the caller, where the engine has threads for that: for many images, several at once. */
  describeAsync(images: tf.Tensor4D): Promise<tf.Tensor2D> {
    return this.model.onFeatureMap(images, (map) => this.pool(map, sidesOf(images)));
  }

  /** What is behind the trunk: map [1, h, w, C] of an image -> [1, D] unit rows. */
  pool(map: tf.Tensor4D, image: ImageSides): tf.Tensor2D {
    return tf.tidy(() => this.pooling.describe(this.chosen(map, image)));
  }

  /** [1, H, W, 3] -> [1, R, C] unit rows before whitening, R as many regions as the image has. */
  regionDescriptors(images: tf.Tensor4D): tf.Tensor3D {
    return tf.tidy(() => this.regionsOf(this.model.featureMap(images), images));
  }

  /** `regionDescriptors` as `describeAsync`. */
  regionDescriptorsAsync(images: tf.Tensor4D): Promise<tf.Tensor3D> {
    return this.model.onFeatureMap(images, (map) => this.regionsOf(map, images));
  }

  /** The cells that are pooled; the whole map where nothing is proposed and no grid is asked for. */
  regions(map: tf.Tensor4D, image: ImageSides): readonly Region[] {
    return this.chosen(map, image).regions;
  }

  dispose(): void {
    if (this.ownHead) this.head.dispose();
  }

  private regionsOf(map: tf.Tensor4D, images: tf.Tensor4D): tf.Tensor3D {
    const { regions, pooled } = this.chosen(map, sidesOf(images));
    const { channels } = this.model;
    const rows = pooled.subarray(0, regions.length * channels);
    return this.model.normalizedRegions(tf.tensor3d(rows, [1, regions.length, channels]));
  }

  private chosen(map: tf.Tensor4D, image: ImageSides): ChosenRegions {
    // Held beyond the tidy around this, so that the run that computes the head's values fetches the map's too.
    const held = tf.keep(map.clone());
    try {
      const head = tf.tidy(() => this.pooling.headValues(held).dataSync<'float32'>());
      return this.pooling.choose({ values: held.dataSync<'float32'>(), shape: held.shape }, head, image);
    } finally {
      held.dispose();
    }
  }
}

function sidesOf(images: tf.Tensor4D): ImageSides {
  return { height: images.shape[1], width: images.shape[2] };
}
