/** @file The gradient of a region proposal network's loss on one image. */
import * as tf from '@tensorflow/tfjs-core';
import { rpnLoss } from '../../losses/rpn.js';
import { imageAnchors, insideImage } from '../../rpn/anchors.js';
import { encodeBoxes } from '../../rpn/box-coder.js';
import type { RpnHead } from '../../rpn/head.js';
import { matchAnchors } from '../../rpn/matcher.js';
import { type Draws, sampleAnchors } from '../../rpn/sampler.js';
import { type GradientAccumulator, namedGradients } from '../gradients.js';
import { NotFiniteError } from '../not-finite.js';
import type { BoxedMap } from './boxed-images.js';
import type { RpnConfig } from './rpn-config.js';

export type RpnTargetSettings = Pick<
  RpnConfig,
  'anchorsPerImage' | 'positivesPerImage' | 'negativeOverlap' | 'positiveOverlap'
>;

export interface SampledTargets {
  /** [anchorsPerImage] positions among the image's anchors; the padding repeats the first anchor. */
  positions: Int32Array;
  /** 1 for a positive. */
  labels: Float32Array;
  /** 0 for padding. */
  weights: Float32Array;
  /** [anchorsPerImage, 4] from positives to the box, 0 elsewhere. */
  deltas: Float32Array;
  positives: number;
}

/**
 * What an image's anchors are to learn, in arrays of the same length for every image. Anchors that are not cut to the image and cross
 * its border do not train.
 */
export function sampleTargets(
  { shape, image, box }: Pick<BoxedMap, 'shape' | 'image' | 'box'>,
  { anchors: options, stride }: { anchors: RpnHead['meta']['anchors']; stride: number },
  settings: RpnTargetSettings,
  random: Draws,
): SampledTargets {
  const anchors = imageAnchors({ height: shape[1], width: shape[2] }, stride, options, image);
  const { labels: all } = matchAnchors(anchors, box, {
    low: settings.negativeOverlap,
    high: settings.positiveOverlap,
    ...(!options.clip && { usable: insideImage(anchors, image) }),
  });
  const count = settings.anchorsPerImage;
  const drawn = sampleAnchors(all, random, { count, positives: settings.positivesPerImage });
  const positions = new Int32Array(count);
  positions.set(drawn);
  const labels = Float32Array.from(positions, (at, i) => (i < drawn.length && all[at] === 1 ? 1 : 0));
  const weights = Float32Array.from(positions, (_, i) => (i < drawn.length ? 1 : 0));
  const rows = new Float32Array(4 * count);
  const boxes = new Float32Array(4 * count);
  for (const [i, at] of positions.entries()) {
    rows.set(anchors.subarray(4 * at, 4 * at + 4), 4 * i);
    boxes.set(box, 4 * i);
  }
  const deltas = encodeBoxes(rows, boxes);
  // Those of negatives count nowhere, and of an anchor cut down to nothing they are not even finite.
  for (let i = 0; i < count; i++) if (labels[i] === 0) deltas.fill(0, 4 * i, 4 * i + 4);
  return { positions, labels, weights, deltas, positives: labels.filter((label) => label === 1).length };
}

/** Targets of an image that is not to be learned from: the loss is 0. */
export function noTargets(count: number): SampledTargets {
  return {
    positions: new Int32Array(count),
    labels: new Float32Array(count),
    weights: new Float32Array(count),
    deltas: new Float32Array(4 * count),
    positives: 0,
  };
}

/** The losses of what the head gave for a map [1, h, w, C]; only `total` is meant to be differentiated. */
export function sampledLoss(
  head: RpnHead,
  map: tf.Tensor4D,
  targets: SampledTargets,
  { sigma, boxNormalization, boxWeight }: Pick<RpnConfig, 'sigma' | 'boxNormalization' | 'boxWeight'>,
): { total: tf.Scalar; objectness: tf.Scalar; boxes: tf.Scalar } {
  const positions = tf.tensor1d(targets.positions, 'int32');
  const wanted = {
    labels: tf.tensor1d(targets.labels),
    weights: tf.tensor1d(targets.weights),
    deltas: tf.tensor2d(targets.deltas, [targets.positions.length, 4]),
  };
  const { logOdds, deltas } = head.run(map);
  const sampled = { logOdds: logOdds.gather(positions), deltas: deltas.gather(positions) };
  const cells = map.shape[1] * map.shape[2];
  return rpnLoss(sampled, wanted, { sigma, boxNormalization, lambda: boxWeight, cells });
}

export interface RpnImageLoss {
  loss: number;
  objectness: number;
  boxes: number;
}

/** Adds the gradient of loss / `images` to `accumulator`; returns the losses. Throws `NotFiniteError` naming the image. */
export async function rpnStep(
  head: RpnHead,
  map: BoxedMap,
  {
    id,
    targets,
    images,
    accumulator,
    config,
  }: {
    id: string;
    targets: SampledTargets;
    images: number;
    accumulator: GradientAccumulator;
    config: Pick<RpnConfig, 'sigma' | 'boxNormalization' | 'boxWeight'>;
  },
): Promise<RpnImageLoss> {
  const losses = tf.tidy(() => {
    const input = tf.tensor4d(map.values, map.shape);
    let parts: tf.Scalar[] = [];
    const { value, gradients } = namedGradients(() => {
      const { total, objectness, boxes } = sampledLoss(head, input, targets, config);
      parts = [tf.keep(objectness), tf.keep(boxes)];
      return total.div<tf.Scalar>(images);
    }, head.variables);
    accumulator.add(gradients);
    const all = tf.stack([value.mul(images), ...parts]);
    tf.dispose(parts);
    return all;
  });
  const [loss, objectness, boxes] = await losses.data();
  losses.dispose();
  if (!Number.isFinite(loss)) throw new NotFiniteError(`the loss of ${id} is ${loss}`, [id]);
  return { loss, objectness, boxes };
}
