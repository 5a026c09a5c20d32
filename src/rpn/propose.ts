/** @file Proposals of an image from its map. */
import * as tf from '@tensorflow/tfjs-core';
import { imageAnchors } from './anchors.js';
import type { ImageSides } from './box-rows.js';
import type { RpnHead } from './head.js';
import { type ProposalOptions, type Proposals, selectProposals } from './proposals.js';

/** An image and the cells of its map. */
export interface MapOfImage {
  image: ImageSides;
  map: ImageSides;
  /** Px of the image per cell. */
  stride: number;
}

/** Runs the head on a map [1, h, w, C] of `stride` px per cell and selects; boxes in px of the image. */
export function propose(
  head: RpnHead,
  map: tf.Tensor4D,
  { image, stride, ...options }: ProposalOptions & { image: ImageSides; stride: number },
): Proposals {
  const [, height, width] = map.shape;
  const values = tf.tidy(() => headValues(head, map).dataSync<'float32'>());
  return proposeFrom(head, values, { image, map: { height, width }, stride }, options);
}

/** What the head says of a map [1, h, w, C]: log-odds of the A anchors of all cells, then their deltas, [5 h w A]. */
export function headValues(head: RpnHead, map: tf.Tensor4D): tf.Tensor1D {
  return tf.tidy(() => {
    const { logOdds, deltas } = head.run(map);
    return tf.concat([logOdds, deltas.reshape<tf.Tensor1D>([deltas.size])]);
  });
}

/** Selects from `headValues`. */
export function proposeFrom(
  { meta }: Pick<RpnHead, 'meta'>,
  values: Float32Array,
  { image, map, stride }: MapOfImage,
  options: ProposalOptions = {},
): Proposals {
  const anchors = imageAnchors(map, stride, meta.anchors, image);
  const count = anchors.length / 4;
  const scores = values.subarray(0, count);
  return selectProposals({ anchors, scores, deltas: values.subarray(count, 5 * count) }, image, options);
}
