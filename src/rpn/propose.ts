/** @file Proposals of an image from its map. */
import * as tf from '@tensorflow/tfjs';
import { imageAnchors } from './anchors.js';
import type { ImageSides } from './box-rows.js';
import type { RpnHead } from './head.js';
import { type ProposalOptions, type Proposals, selectProposals } from './proposals.js';

/** Runs the head on a map [1, h, w, C] of `stride` px per cell and selects; boxes in px of the image. */
export function propose(
  head: RpnHead,
  map: tf.Tensor4D,
  { image, stride, ...options }: ProposalOptions & { image: ImageSides; stride: number },
): Proposals {
  const [, height, width] = map.shape;
  const anchors = imageAnchors({ height, width }, stride, head.meta.anchors, image);
  const count = anchors.length / 4;
  // Concatenated, so that scores and deltas are one run of the engine.
  const values = tf.tidy(() => {
    const { logOdds, deltas } = head.run(map);
    return tf.concat([logOdds, deltas.reshape<tf.Tensor1D>([4 * count])]).dataSync<'float32'>();
  });
  const scores = values.subarray(0, count);
  return selectProposals({ anchors, scores, deltas: values.subarray(count) }, image, options);
}
