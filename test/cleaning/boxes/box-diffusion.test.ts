import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type BoxEdge, diffuseBoxes, diffusionStep, initialBoxes } from '../../../src/cleaning/boxes/box-diffusion.js';
import { type BoxPx, boxAroundPoints, boxOverlap, clipBox, mapBox } from '../../../src/cleaning/boxes/boxes.js';
import { geometricMedian } from '../../../src/cleaning/boxes/geometric-median.js';

const identity = [1, 0, 0, 0, 1, 0];
const large = { width: 1000, height: 1000 };

function edge(a: number, b: number, boxA: BoxPx, boxB: BoxPx, aToB = identity, bToA = identity): BoxEdge {
  return { a, b, boxA, boxB, aToB, bToA };
}

test('a box pulled to another follows the published figures of the corrected equation', () => {
  // (100,100,200,200) pulled to (110,110,210,210): 110 - 10 * 0.9^3 after three steps.
  const fixed: BoxPx = [110, 110, 210, 210];
  let boxes: (BoxPx | undefined)[] = [fixed, [100, 100, 200, 200]];
  const edges = [edge(0, 1, fixed, fixed)];
  for (let step = 0; step < 3; step++) boxes = [fixed, diffusionStep([large, large], edges, boxes, 0.1)[1]];
  expect(boxes[1]?.map((value) => Number(value.toFixed(2)))).toEqual([102.71, 102.71, 202.71, 202.71]);
});

test('a step equals the paper read literally: one candidate per edge, merged by the geometric median', () => {
  const number = fc.integer({ min: 0, max: 400 });
  const box = fc.tuple(number, number, number, number).map(([y, x, h, w]): BoxPx => [y, x, y + h + 20, x + w + 20]);
  const map = fc
    .tuple(fc.double({ min: 0.5, max: 1.5, noNaN: true }), fc.double({ min: -0.3, max: 0.3, noNaN: true }))
    .map(([a, b]) => [a, b, 10, -b, a, 20]);
  fc.assert(
    fc.property(fc.array(fc.tuple(box, map), { minLength: 1, maxLength: 5 }), box, (neighbours, own) => {
      const sizes = [own, ...neighbours].map(() => ({ width: 1e5, height: 1e5 }));
      const edges = neighbours.map(([, aToB], i) => edge(i + 1, 0, own, own, aToB));
      const [stepped] = diffusionStep(sizes, edges, [own, ...neighbours.map(([b]) => b)], 0.1);
      const proposals = neighbours.flatMap(([b, aToB]) => clipBox(mapBox(aToB, b), sizes[0]) ?? []);
      if (proposals.length === 0) {
        expect(stepped).toEqual(own);
        return;
      }
      const literal = geometricMedian(
        proposals.map((v, k) => 0.9 * own[k % 4] + 0.1 * v),
        4,
      );
      const collinear = proposals.length === 8; // medians on a line are not unique
      if (!collinear) {
        for (let k = 0; k < 4; k++) expect(stepped?.[k]).toBeCloseTo(literal[k], 2);
      }
    }),
  );
});

test('the initial box is the median of the rectangles of all edges, in both images', () => {
  const boxes: BoxPx[] = [
    [10, 10, 50, 50],
    [12, 10, 52, 50],
    [300, 300, 700, 700],
  ];
  const edges = boxes.map((box, i) => edge(0, i + 1, box, [1, 2, 30, 40]));
  const initial = initialBoxes(Array(5).fill(large), edges);
  expect(initial[0]?.[0]).toBeGreaterThan(9);
  expect(initial[0]?.[0]).toBeLessThan(14); // the outlier hardly counts
  expect(initial[1]).toEqual([1, 2, 30, 40]);
  expect(initial[4]).toBeUndefined();
});

test('a box that only some edges saw whole spreads to the others', () => {
  // Three photographs from one place: two agree on the whole object, the third saw its corner.
  const whole: BoxPx = [100, 100, 400, 400];
  const corner: BoxPx = [100, 100, 200, 200];
  const edges = [edge(0, 1, whole, whole), edge(0, 2, whole, corner), edge(1, 2, whole, corner)];
  const sizes = Array(3).fill(large);
  const initial = initialBoxes(sizes, edges);
  expect(initial[2]).toEqual(corner);
  const { boxes, converged, steps } = diffuseBoxes(sizes, edges, initial);
  expect(converged).toBe(true);
  expect(steps).toBeGreaterThan(5);
  expect(boxOverlap(boxes[2] as BoxPx, boxes[0] as BoxPx)).toBeGreaterThan(0.9);
  expect(boxOverlap(boxes[2] as BoxPx, whole)).toBeGreaterThan(boxOverlap(corner, whole));
});

test('the boxes of one landmark are the same whatever others are there', () => {
  const whole: BoxPx = [100, 100, 400, 400];
  const corner: BoxPx = [100, 100, 200, 200];
  const turned = [0.8, -0.6, 300, 0.6, 0.8, -100];
  const back = [0.8, 0.6, -180, -0.6, 0.8, 260];
  const one = [edge(0, 1, whole, corner), edge(1, 2, corner, corner)];
  // A second landmark whose boxes take many more steps.
  const other = [edge(3, 4, corner, whole, turned, back), edge(4, 5, corner, corner, turned, back)];
  const run = (count: number, edges: BoxEdge[]) => {
    const sizes = Array(count).fill(large);
    return diffuseBoxes(sizes, edges, initialBoxes(sizes, edges));
  };
  const [alone, together] = [run(3, one), run(6, [...other, ...one])];
  expect(together.steps).toBeGreaterThan(alone.steps);
  expect(together.boxes.slice(0, 3)).toEqual(alone.boxes);
});

test('where it ends, every box is within the tolerance of what its neighbours propose', () => {
  const turns = [0.3, -0.5, 1.1].map((t) => [Math.cos(t), -Math.sin(t), 90, Math.sin(t), Math.cos(t), -40]);
  const inverse = ([a, b, tx, c, d, ty]: number[]) => [a, c, -a * tx - c * ty, b, d, -b * tx - d * ty];
  const edges = turns.map((map, i) => edge(i, i + 1, [300, 300, 500, 600], [250, 300, 450, 500], map, inverse(map)));
  const sizes = Array(4).fill(large);
  const { boxes, converged } = diffuseBoxes(sizes, edges, initialBoxes(sizes, edges));
  expect(converged).toBe(true);
  const settled = diffusionStep(sizes, edges, boxes, 1);
  for (const [image, box] of boxes.entries()) {
    for (let k = 0; k < 4; k++) expect(Math.abs(settled[image]![k] - box![k])).toBeLessThan(0.6);
  }
});

test('the order of edges does not matter and boxes stay inside their images', () => {
  const number = fc.integer({ min: 0, max: 300 });
  const box = fc.tuple(number, number, number, number).map(([y, x, h, w]): BoxPx => [y, x, y + h + 5, x + w + 5]);
  const map = fc.constantFrom(identity, [0.7, 0, 30, 0, 0.7, 10], [1.4, 0.1, -20, -0.1, 1.4, 5], [0, 1, 0, -1, 0, 300]);
  const edges = fc.array(
    fc
      .tuple(fc.nat(4), fc.nat(4), box, box, map, map)
      .filter(([a, b]) => a !== b)
      .map(([a, b, boxA, boxB, aToB, bToA]) => edge(a, b, boxA, boxB, aToB, bToA)),
    { maxLength: 10 },
  );
  const sizes = [0, 1, 2, 3, 4].map((i) => ({ width: 500 - 40 * i, height: 300 + 50 * i }));
  fc.assert(
    fc.property(edges, (list) => {
      const run = (order: BoxEdge[]) => diffuseBoxes(sizes, order, initialBoxes(sizes, order), { maxSteps: 20 }).boxes;
      const [forward, backward] = [run(list), run(list.toReversed())];
      for (const [image, one] of forward.entries()) {
        expect(one === undefined).toBe(backward[image] === undefined);
        if (one === undefined) continue;
        for (let k = 0; k < 4; k++) expect(Math.abs(one[k] - (backward[image]?.[k] ?? 0))).toBeLessThan(0.5);
        expect(one[0]).toBeGreaterThanOrEqual(0);
        expect(one[1]).toBeGreaterThanOrEqual(0);
        expect(one[2]).toBeLessThanOrEqual(sizes[image].height);
        expect(one[3]).toBeLessThanOrEqual(sizes[image].width);
        expect(one[2] - one[0]).toBeGreaterThanOrEqual(1);
        expect(one[3] - one[1]).toBeGreaterThanOrEqual(1);
      }
    }),
  );
});

test('points are pixel centres, boxes pixel edges', () => {
  expect(boxAroundPoints([3, 4, 10, 6])).toEqual([4.5, 3.5, 6.5, 10.5]);
  // A picture enlarged twice: pixel centre x lies at 2 x + 0.5, edges double.
  expect(mapBox([2, 0, 0.5, 0, 2, 0.5], [5, 10, 20, 30])).toEqual([10, 20, 40, 60]);
  // A quarter turn of a 100 x 50 image, x' = 49 - y, y' = x.
  expect(mapBox([0, -1, 49, 1, 0, 0], [0, 0, 50, 100])).toEqual([0, 0, 100, 50]);
});

test('clipping and overlap', () => {
  expect(clipBox([-5, 10, 40, 200], { width: 100, height: 30 })).toEqual([0, 10, 30, 100]);
  expect(clipBox([50, 10, 60, 20], { width: 100, height: 30 })).toBeUndefined();
  expect(boxOverlap([0, 0, 10, 10], [0, 5, 10, 15])).toBeCloseTo(1 / 3);
  expect(boxOverlap([0, 0, 10, 10], [20, 20, 30, 30])).toBe(0);
});
