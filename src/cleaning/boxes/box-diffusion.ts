/**
 * @file Object boxes from the match graph (Gordo et al. 2016, section 4.2): every edge proposes the rectangle of its verified keypoints, an
 * image starts from the geometric median of its proposals, and boxes travel along the edges until they agree.
 *
 * One step is B_j <- (1 - alpha) B_j + alpha A_ij B_i for every edge (i, j), in both directions, the results merged by their
 * geometric median. (The paper prints (alpha - 1) B_j, which sends a box to negative coordinates at once: a sign error.) All candidates
 * share the first term and the factor, and a geometric median moves and scales with its points, so the merged result is
 * (1 - alpha) B_j + alpha median_i(A_ij B_i): that is what is computed. Updates are synchronous, so the order of edges does not matter, and every
 * connected component goes on until it has settled, whatever the others do.
 *
 * A_ij B_i is the bounding rectangle of the mapped corners, clipped to the image: a rotation makes it larger, which is what lets the
 * rectangles of keypoints, much too small, grow to the object (results/cleaning.md).
 */
import { groupBy } from '../../data/group-by.js';
import { type AffineNumbers, type BoxPx, boxAroundPoints, clipBox, mapBox, type Size } from './boxes.js';
import { geometricMedian } from './geometric-median.js';
import { append } from '../../extremes.js';
import { connectedComponents } from '../graph/match-graph.js';

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
  /** A component has converged when no coordinate is further than this from what the neighbours propose for it. Default 0.5 px. */
  tolerancePx?: number;
  /** Of a component. Default 3000. */
  maxSteps?: number;
}

export interface DiffusedBoxes {
  /** Per image; undefined for one without an edge. */
  boxes: (BoxPx | undefined)[];
  /** Of the component that took most. */
  steps: number;
  /** All components have. */
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

/** Diffuses `initial` (as `initialBoxes` gives them) along the edges, each connected component by itself. */
export function diffuseBoxes(
  sizes: readonly Size[],
  edges: readonly BoxEdge[],
  initial: readonly (BoxPx | undefined)[],
  options: DiffusionOptions = {},
): DiffusedBoxes {
  const whole: DiffusedBoxes = { boxes: [...initial], steps: 0, converged: true };
  const links = edges.map(({ a, b }) => ({ a, b, inliers: 1 }));
  const componentOf = new Map<number, number[]>();
  for (const nodes of connectedComponents(sizes.length, links)) for (const node of nodes) componentOf.set(node, nodes);
  for (const [nodes, own] of groupBy(edges, ({ a }) => componentOf.get(a) as number[])) {
    const place = new Map(nodes.map((node, i) => [node, i]));
    const local = own.map((edge) => ({ ...edge, a: place.get(edge.a) as number, b: place.get(edge.b) as number }));
    const pick = <T>(list: readonly T[]) => nodes.map((node) => list[node]);
    const { boxes, steps, converged } = diffuseComponent(pick(sizes), local, pick(initial), options);
    for (const [i, node] of nodes.entries()) whole.boxes[node] = boxes[i];
    whole.steps = Math.max(whole.steps, steps);
    whole.converged &&= converged;
  }
  return whole;
}

function diffuseComponent(
  sizes: readonly Size[],
  edges: readonly BoxEdge[],
  initial: readonly (BoxPx | undefined)[],
  { alpha = 0.1, tolerancePx = 0.5, maxSteps = 3000 }: DiffusionOptions,
): DiffusedBoxes {
  let boxes = [...initial];
  for (let steps = 1; steps <= maxSteps; steps++) {
    const next = diffusionStep(sizes, edges, boxes, alpha);
    let moved = 0;
    for (const [image, box] of next.entries()) {
      const before = boxes[image];
      if (box === undefined || before === undefined) continue;
      for (let k = 0; k < 4; k++) moved = Math.max(moved, Math.abs(box[k] - before[k]));
    }
    boxes = next;
    if (moved <= alpha * tolerancePx) return { boxes, steps, converged: true };
  }
  return { boxes, steps: maxSteps, converged: false };
}

/** One synchronous step over all images. What maps to outside of an image proposes nothing there. */
export function diffusionStep(
  sizes: readonly Size[],
  edges: readonly BoxEdge[],
  boxes: readonly (BoxPx | undefined)[],
  alpha: number,
): (BoxPx | undefined)[] {
  const arriving: number[][] = sizes.map(() => []);
  const propose = (map: AffineNumbers, from: number, to: number) => {
    const box = boxes[from];
    const proposal = box === undefined ? undefined : clipBox(mapBox(map, box), sizes[to]);
    if (proposal !== undefined) append(arriving[to], proposal);
  };
  for (const { a, b, aToB, bToA } of edges) {
    propose(aToB, a, b);
    propose(bToA, b, a);
  }
  return boxes.map((box, image) => {
    const numbers = arriving[image];
    if (box === undefined || numbers.length === 0) return box;
    const median = medianBox(numbers);
    return box.map((value, k) => (1 - alpha) * value + alpha * median[k]) as unknown as BoxPx;
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
