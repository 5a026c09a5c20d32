/**
 * @file Boxes relative to anchors (Ren et al. 2015, eq. 2): ty = (cy - ay) / ah, tx = (cx - ax) / aw, th = ln(h / ah),
 * tw = ln(w / aw), from centres and sides. Rows here are [ty, tx, th, tw], y first as everywhere in this program;
 * py-faster-rcnn has x first.
 */
import type { BoxRows } from './box-rows.js';

/** Largest th and tw that are decoded: sides 62.5 times the anchor's. Beyond, exp overflows (torchvision's bound). */
export const largestLogScale: number = Math.log(1000 / 16);

/** anchors and boxes [N, 4], all of positive sides -> [N, 4]. Row i of `boxes` is the one that anchor i should become. */
export function encodeBoxes(anchors: BoxRows, boxes: BoxRows): Float32Array {
  const deltas = new Float32Array(anchors.length);
  for (let i = 0; i < anchors.length; i += 4) {
    for (const axis of [0, 1]) {
      const [a0, a1] = [anchors[i + axis], anchors[i + axis + 2]];
      const [b0, b1] = [boxes[i + axis], boxes[i + axis + 2]];
      deltas[i + axis] = ((b0 + b1) / 2 - (a0 + a1) / 2) / (a1 - a0);
      deltas[i + axis + 2] = Math.log((b1 - b0) / (a1 - a0));
    }
  }
  return deltas;
}

/**
 * The inverse: [N, 4] boxes, not cut to the image. (py-faster-rcnn's takes the far corner for inclusive and has no "- 1": its boxes are
 * one px higher and wider than what was encoded.)
 */
export function decodeBoxes(anchors: BoxRows, deltas: BoxRows): Float32Array {
  const boxes = new Float32Array(anchors.length);
  for (let i = 0; i < anchors.length; i += 4) {
    for (let axis = 0; axis < 2; axis++) {
      const start = anchors[i + axis];
      const side = anchors[i + axis + 2] - start;
      const centre = start + side / 2 + deltas[i + axis] * side;
      const half = (side * Math.exp(Math.min(deltas[i + axis + 2], largestLogScale))) / 2;
      boxes[i + axis] = centre - half;
      boxes[i + axis + 2] = centre + half;
    }
  }
  return boxes;
}
