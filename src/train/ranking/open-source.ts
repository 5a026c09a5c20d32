/** @file The source for what a model pools. */
import { InputError } from '../../errors.js';
import type { RpnHead } from '../../rpn/head.js';
import type { Draws } from '../../rpn/sampler.js';
import type { ImageInputs, ViewedImage } from '../image-inputs.js';
import type { TrainableModel } from '../trainable-model.js';
import { DirectSource } from './direct-source.js';
import type { ImageSource } from './image-source.js';
import { ProposalSource } from './proposal-source.js';

export interface SourceOptions {
  freeze: string;
  /** Longest side, px. */
  imageSize: number;
  /** Replay block by block. */
  recomputeActivations?: boolean;
  /** Needed where the model's regions are proposals, or these learn. */
  head?: RpnHead | undefined;
  /** Proposals learn too, from the boxes of the images; an image's anchors are drawn from this, the same ones each time. */
  anchors?: ((item: ViewedImage) => Draws) | undefined;
}

/** Throws `InputError` where proposals are needed and there are none. */
export function openSource(
  model: TrainableModel,
  inputs: ImageInputs,
  { head, anchors, ...settings }: SourceOptions,
): ImageSource<ViewedImage> {
  if (model.meta.regions === undefined && anchors === undefined) {
    return new DirectSource(inputs, settings.recomputeActivations);
  }
  if (head === undefined) throw new InputError('The model has no region proposals; train them with rmac train rpn.');
  return new ProposalSource(model, inputs, { ...settings, head, anchors });
}
