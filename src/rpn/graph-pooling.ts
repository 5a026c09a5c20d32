/**
 * @file Proposals and their maxima as one graph of fixed shapes, for files that run without this program: what `propose` and
 * `ProposalPooling` compute in plain numbers, by ONNX's NonMaxSuppression and MaxRoiPool (Caffe's ROI pooling). No gradient.
 *
 * Numbers are float32 throughout, where the plain numbers are doubles in between: an overlap within a rounding of the threshold, a
 * side within one of the smallest, or an edge within one of half a cell may fall to the other side.
 */
import * as tf from '@tensorflow/tfjs-core';
import { recordOperator } from '../backend/index.js';
import type { DescriptorModel } from '../models/descriptor.js';
import { mac, regionMaxPool, regionsOf } from '../models/pooling.js';
import type { RegionSource } from '../models/region-source.js';
import { imageAnchors } from './anchors.js';
import { largestLogScale } from './box-coder.js';
import type { ImageSides } from './box-rows.js';
import type { RpnHead } from './head.js';
import { proposalDefaults } from './proposals.js';

/** Scores of boxes that are too small to be proposed; no log-odds come near. */
const dropped = -1e30;

/** [1, H, W, 3] RGB 0-255 -> [1, D] unit rows. */
export function describeInGraph(
  model: DescriptorModel,
  head: RpnHead,
  { source, images }: { source: RegionSource; images: tf.Tensor4D },
): tf.Tensor2D {
  return tf.tidy(() => {
    const image = { height: images.shape[1], width: images.shape[2] };
    const map = model.featureMap(images);
    const [, height, width, channels] = map.shape;
    const { stride, meta } = model;
    const boxes = proposeInGraph(head, map, { image, stride, count: source.proposals });
    const proposed = pooledBoxes(map, boxes, stride);
    const rows = [proposed.maxima];
    const weights = [proposed.weights];
    if (source.grid) {
      const regions = regionsOf({ height, width }, meta.pooling, { image, stride });
      rows.push(regionMaxPool(map, regions).reshape([regions.length, channels]));
      weights.push(tf.ones([regions.length]));
    } else {
      rows.push(mac(map));
      weights.push(tf.sub(1, proposed.weights.max()).reshape<tf.Tensor1D>([1])); // the whole map where nothing is proposed
    }
    return model.aggregate(tf.concat(rows).expandDims<tf.Tensor3D>(0), tf.concat(weights));
  });
}

interface GraphBoxes {
  /** [K, 4], px. */
  rows: tf.Tensor2D;
  /** [K] 1, and 0 behind the last proposal. */
  found: tf.Tensor1D;
}

function proposeInGraph(
  head: RpnHead,
  map: tf.Tensor4D,
  { image, stride, count }: { image: ImageSides; stride: number; count: number },
): GraphBoxes {
  const { candidates, overlap, smallestSide } = proposalDefaults;
  const [, height, width] = map.shape;
  const anchors = imageAnchors({ height, width }, stride, head.meta.anchors, image);
  const { logOdds, deltas } = head.run(map);
  const all = decoded(tf.tensor2d(anchors, [anchors.length / 4, 4]), deltas, image);
  const sides = all.slice([0, 2], [-1, 2]).sub(all.slice([0, 0], [-1, 2]));
  const large = sides.min(1).greaterEqual(smallestSide);
  const scores = tf.where(large, logOdds, tf.fill([logOdds.size], dropped));
  const best = tf.topk(scores, Math.min(candidates, logOdds.size));
  const most = Math.min(count, best.values.size); // as many rows come back
  const rows = tf.gather(all, best.indices);
  // tfjs drops boxes at the threshold too.
  const threshold = floatAbove(overlap);
  const { selectedIndices, validOutputs } = tf.image.nonMaxSuppressionPadded(
    rows,
    best.values,
    most,
    threshold,
    dropped / 2,
    true,
  ) as { selectedIndices: tf.Tensor1D; validOutputs: tf.Scalar };
  return {
    rows: tf.gather(rows, selectedIndices),
    found: tf.range(0, most, 1, 'int32').less(validOutputs).cast('float32'),
  };
}

/** `decodeBoxes` and `clipRows`. */
function decoded(anchors: tf.Tensor2D, deltas: tf.Tensor2D, { height, width }: ImageSides): tf.Tensor2D {
  const start = anchors.slice([0, 0], [-1, 2]);
  const sides = anchors.slice([0, 2], [-1, 2]).sub(start);
  const centres = start.add(sides.mul(0.5)).add(deltas.slice([0, 0], [-1, 2]).mul(sides));
  const halves = sides.mul(deltas.slice([0, 2], [-1, 2]).minimum(largestLogScale).exp()).mul(0.5);
  const rows = tf.concat([centres.sub(halves), centres.add(halves)], 1);
  return rows.maximum(0).minimum<tf.Tensor2D>(tf.tensor2d([[height, width, height, width]]));
}

/** Maxima [K, C] of the boxes' cells, 0 where there are none, and what each counts [K]. */
function pooledBoxes(
  map: tf.Tensor4D,
  { rows, found }: GraphBoxes,
  stride: number,
): { maxima: tf.Tensor2D; weights: tf.Tensor1D } {
  const [, height, width, channels] = map.shape;
  const count = rows.shape[0];
  const [yMin, xMin, yMax, xMax] = tf.split(rows, 4, 1);
  // Inclusive corners, x first.
  const regions = tf.concat([tf.zeros([count, 1]), xMin, yMin, xMax.sub(1), yMax.sub(1)], 1);
  const maxima = recordOperator('MaxRoiPool', [tf.transpose(map, [0, 3, 1, 2]), regions], {
    shape: [count, channels, 1, 1],
    attributes: { pooled_shape: [1, 1], spatial_scale: { float: 1 / stride } },
  });
  const begins = (edge: tf.Tensor, cells: number) => edge.div(stride).add(0.5).floor().less(cells);
  const seen = begins(yMin, height).logicalAnd(begins(xMin, width)).reshape([count]).cast('float32');
  return { maxima: maxima.reshape([count, channels]), weights: found.mul(seen) };
}

/** The smallest float32 above a positive number. */
function floatAbove(value: number): number {
  const float = new Float32Array([value]);
  new Uint32Array(float.buffer)[0]++;
  return float[0];
}
