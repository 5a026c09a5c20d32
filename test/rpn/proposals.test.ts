import { describe, expect, test } from 'vitest';
import { encodeBoxes } from '../../src/rpn/box-coder.js';
import { rowOverlap } from '../../src/rpn/box-rows.js';
import { suppressOverlapping } from '../../src/rpn/non-maximum-suppression.js';
import { selectProposals } from '../../src/rpn/proposals.js';
import { RandomStream } from '../../src/train/random.js';
import { golden, rowsOf } from './golden.js';

describe('suppressOverlapping', () => {
  test.each(Object.keys(golden.kept))("torchvision's choice at %s", (threshold) => {
    const sorted = rowsOf(golden.order.map((i) => golden.anchors[i]));
    const kept = suppressOverlapping(sorted, { threshold: Number(threshold) });
    expect(Array.from(kept, (i) => golden.order[i])).toEqual(golden.kept[threshold]);
    expect([...suppressOverlapping(sorted, { threshold: Number(threshold), most: 7 })]).toEqual([
      ...kept.subarray(0, 7),
    ]);
  });

  test('an overlap equal to the threshold stays', () => {
    const rows = [0, 0, 10, 10, 0, 0, 10, 5];
    expect([...suppressOverlapping(rows, { threshold: 0.5 })]).toEqual([0, 1]);
    expect([...suppressOverlapping(rows, { threshold: 0.49 })]).toEqual([0]);
  });

  test('nothing in, nothing out', () => {
    expect(suppressOverlapping([])).toHaveLength(0);
    expect(suppressOverlapping([0, 0, 10, 10], { most: 0 })).toHaveLength(0);
  });
});

describe('selectProposals', () => {
  const image = { height: 100, width: 200 };
  const zeros = (rows: readonly number[]) => new Float32Array(rows.length);

  test('decodes, cuts to the image, drops the small, sorts', () => {
    const anchors = [10, 10, 60, 60, 50, 50, 90, 90, 0, 0, 15, 100, -50, -50, 40, 40];
    const wanted = [20, 20, 70, 70, 50, 50, 90, 90, 0, 0, 15, 100, -50, -50, 40, 40];
    const deltas = encodeBoxes(anchors, wanted);
    const { boxes, scores } = selectProposals({ anchors, deltas, scores: [1, 3, 9, 2] }, image);
    expect([...scores]).toEqual([3, 2, 1]); // the one of 15 px is gone
    expect(Array.from(boxes, Math.round)).toEqual([50, 50, 90, 90, 0, 0, 40, 40, 20, 20, 70, 70]);
  });

  test('fewer than asked: as many as there are', () => {
    const anchors = [0, 0, 50, 50, 0, 0, 50, 51, 0, 100, 50, 150];
    const parts = { anchors, deltas: zeros(anchors), scores: [3, 2, 1] };
    expect([...selectProposals(parts, image, { count: 64 }).scores]).toEqual([3, 1]);
    expect([...selectProposals(parts, image, { count: 1 }).scores]).toEqual([3]);
    expect([...selectProposals(parts, image, { count: 64, candidates: 2 }).scores]).toEqual([3]);
    const none = selectProposals(parts, image, { smallestSide: 1000 });
    expect([none.boxes.length, none.scores.length]).toEqual([0, 0]);
  });

  test('what is not a number is dropped', () => {
    const anchors = [0, 0, 50, 50, 0, 100, 50, 150, 50, 0, 100, 50];
    const deltas = zeros(anchors);
    deltas[3] = NaN;
    expect([...selectProposals({ anchors, deltas, scores: [3, NaN, 1] }, image).scores]).toEqual([1]);
  });

  test('equal scores keep the order of the anchors', () => {
    const anchors = [0, 0, 50, 50, 0, 100, 50, 150, 50, 0, 100, 50];
    const { boxes } = selectProposals({ anchors, deltas: zeros(anchors), scores: [1, 1, 1] }, image);
    expect([...boxes]).toEqual(anchors);
  });

  test('properties over random boxes: inside, sorted, apart, and every dropped box is covered by a better one', () => {
    const random = new RandomStream(5);
    const anchors = Array.from({ length: 400 }, () => {
      const [y, x] = [random.between(-20, 80), random.between(-20, 180)];
      return [y, x, y + random.between(20, 80), x + random.between(20, 80)];
    }).flat();
    const scores = Array.from({ length: 400 }, () => random.next());
    const deltas = zeros(anchors);
    const { boxes, scores: kept } = selectProposals({ anchors, scores, deltas }, image, { overlap: 0.5 });
    for (let i = 0; i < kept.length; i++) {
      const [yMin, xMin, yMax, xMax] = boxes.subarray(4 * i, 4 * i + 4);
      expect(yMin >= 0 && xMin >= 0 && yMax <= 100 && xMax <= 200 && yMax - yMin >= 16 && xMax - xMin >= 16).toBe(true);
      if (i > 0) expect(kept[i]).toBeLessThanOrEqual(kept[i - 1]);
      for (let j = 0; j < i; j++) expect(rowOverlap(boxes, i, boxes, j)).toBeLessThanOrEqual(0.5);
    }
    const all = selectProposals({ anchors, scores, deltas }, image, { overlap: 1, count: 400 });
    for (let i = 0; i < all.scores.length; i++) {
      if (kept.includes(all.scores[i])) continue;
      const covered = kept.some((score, k) => score > all.scores[i] && rowOverlap(all.boxes, i, boxes, k) > 0.5);
      expect(covered).toBe(true);
    }
  });
});
