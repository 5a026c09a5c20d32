/**
 * @file Object boxes from the match graph (Gordo et al., ECCV 2016, section 4.2): every edge proposes the rectangle of its verified keypoints, an
 * image starts from the geometric median of its proposals, and boxes travel along the edges until they agree.
 *
 * One step is B_j <- (1 - alpha) B_j + alpha A_ij B_i for every edge (i, j), in both directions, the results merged by their
 * geometric median. (The paper prints (alpha - 1) B_j, which sends a box to negative coordinates at once: a sign error.) All candidates
 * share the first term and the factor, and a geometric median moves and scales with its points, so the merged result is
 * (1 - alpha) B_j + alpha median_i(A_ij B_i): that is what is computed. Updates are synchronous, so the order of edges does not matter.
 */
import { type AffineNumbers, boxAroundPoints, type BoxPx, clipBox, mapBox, type Size } from './boxes.js';
import { geometricMedian } from './geometric-median.js';
import { append } from '../extremes.js';

/** A verified pair: where it was verified in both images, and the map from a to b and back. */
export interface BoxEdge {
  a: number;
  b: number;
  /** Box of the verified keypoints in each image, px. */
  boxA: BoxPx;
  boxB: BoxPx;
  aToB: AffineNumbers;
  bToA: AffineNumbers;
}

export interface DiffusionOptions {
  /** Share of a box that a step takes from its neighbours. Default 0.1, as the paper. */
  alpha?: number;
  /** Converged when no coordinate moved further in a step. Default 0.5 px. */
  tolerancePx?: number;
  /** Default 1000. */
  maxSteps?: number;
}

export interface DiffusedBoxes {
  /** Per image; undefined for one without an edge. */
  boxes: (BoxPx | undefined)[];
  steps: number;
  converged: boolean;
}

/** The geometric median of every image's keypoint rectangles, inside the image; undefined for an image without an edge. */
export function initialBoxes(sizes: readonly Size[], edges: readonly BoxEdge[]): (BoxPx | undefined)[] {
  const proposals: number[][] = sizes.map(() => []);
  for (const { a, b, boxA, boxB } of edges) {
    append(proposals[a], boxA);
    append(proposals[b], boxB);
  }
  return proposals.map((numbers, image) => {
    if (numbers.length === 0) return undefined;
    return inside(medianBox(numbers), sizes[image]);
  });
}

/** Diffuses `initial` (as `initialBoxes` gives them) along the edges. */
export function diffuseBoxes(
  sizes: readonly Size[],
  edges: readonly BoxEdge[],
  initial: readonly (BoxPx | undefined)[],
  { alpha = 0.1, tolerancePx = 0.5, maxSteps = 1000 }: DiffusionOptions = {},
): DiffusedBoxes {
  let boxes = [...initial];
  for (let step = 1; step <= maxSteps; step++) {
    const next = diffusionStep(sizes, edges, boxes, alpha);
    let moved = 0;
    for (const [image, box] of next.entries()) {
      const before = boxes[image];
      if (box === undefined || before === undefined) continue;
      for (let k = 0; k < 4; k++) moved = Math.max(moved, Math.abs(box[k] - before[k]));
    }
    boxes = next;
    if (moved <= tolerancePx) return { boxes, steps: step, converged: true };
  }
  return { boxes, steps: maxSteps, converged: false };
}

/** One synchronous step over all images. */
export function diffusionStep(
  sizes: readonly Size[],
  edges: readonly BoxEdge[],
  boxes: readonly (BoxPx | undefined)[],
  alpha: number,
): (BoxPx | undefined)[] {
  const arriving: number[][] = sizes.map(() => []);
  for (const { a, b, aToB, bToA } of edges) {
    const [boxA, boxB] = [boxes[a], boxes[b]];
    if (boxA !== undefined) append(arriving[b], mapBox(aToB, boxA));
    if (boxB !== undefined) append(arriving[a], mapBox(bToA, boxB));
  }
  return boxes.map((box, image) => {
    const numbers = arriving[image];
    if (box === undefined || numbers.length === 0) return box;
    const median = medianBox(numbers);
    const mixed = box.map((value, k) => (1 - alpha) * value + alpha * median[k]) as unknown as BoxPx;
    return inside(mixed, sizes[image]);
  });
}

function medianBox(numbers: readonly number[]): BoxPx {
  const [yMin, xMin, yMax, xMax] = geometricMedian(numbers, 4);
  return [yMin, xMin, yMax, xMax];
}

/** Clipped to the image; a box that lies outside or has shrunk to nothing becomes the whole image, which says nothing wrong. */
function inside(box: BoxPx, size: Size): BoxPx {
  return clipBox(box, size) ?? boxAroundPoints([-0.5, -0.5, size.width - 0.5, size.height - 0.5]);
}
