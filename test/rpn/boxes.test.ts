import { describe, expect, test } from 'vitest';
import { decodeBoxes, encodeBoxes, largestLogScale } from '../../src/rpn/box-coder.js';
import { boxInImage, rowOverlap } from '../../src/rpn/box-rows.js';
import { matchAnchors } from '../../src/rpn/matcher.js';
import { sampleAnchors } from '../../src/rpn/sampler.js';
import { RandomStream } from '../../src/train/random.js';
import { expectClose } from '../support/close.js';
import { golden, rowsOf } from './golden.js';

const anchors = rowsOf(golden.anchors);
const targets = rowsOf(golden.targets);

describe('box coder', () => {
  test("torchvision's deltas", () => {
    const matched = golden.bestTarget.flatMap((j) => targets.slice(4 * j, 4 * j + 4));
    expectClose(encodeBoxes(anchors, matched), rowsOf(golden.deltas));
  });

  test("torchvision's boxes", () => {
    expectClose(decodeBoxes(anchors, rowsOf(golden.noise)), rowsOf(golden.decoded), { absolute: 1e-3 });
  });

  test('py-faster-rcnn by hand: its targets', () => {
    // anchor x1 0, x2 15, y1 0, y2 7 (16 x 8); box x1 4, x2 35, y1 2, y2 9 (32 x 8), corners inclusive.
    // ctr_a = 8, 4; ctr_g = 4 + 16 = 20, 2 + 4 = 6; dx = 12/16, dy = 2/8, dw = ln 2, dh = 0
    const deltas = encodeBoxes([0, 0, 8, 16], [2, 4, 10, 36]);
    expectClose(deltas, [0.25, 0.75, 0, Math.log(2)]);
    expectClose(decodeBoxes([0, 0, 8, 16], deltas), [2, 4, 10, 36]);
  });

  test('a delta that would overflow is bounded', () => {
    const [, xMin, , xMax] = decodeBoxes([0, 0, 16, 16], [0, 0, 0, 1000]);
    expectClose(xMax - xMin, 16 * Math.exp(largestLogScale));
  });
});

describe('matcher', () => {
  test("torchvision's labels and overlaps", () => {
    const match = matchAnchors(anchors, targets);
    expect([...match.labels]).toEqual(golden.labels);
    expect(golden.labels.filter((label) => label === 1).length).toBeGreaterThan(2);
    const overlaps = Array.from(match.boxes, (j, i) => rowOverlap(anchors, i, targets, j));
    expectClose(overlaps, golden.bestOverlap, { absolute: 1e-6 });
  });

  test('the + 1 convention: inclusive 0..9 against 5..14 share 5 of 15 columns', () => {
    expectClose(rowOverlap([0, 0, 10, 10], 0, [0, 5, 10, 15], 0), 1 / 3);
  });

  test('thresholds: below 0.3 a negative, 0.3 neither, 0.7 a positive', () => {
    // the box is 10 x 10; anchors of 10 rows and n columns of it overlap by n / 10
    const columns = [10, 7, 6.9, 3, 2.9];
    const { labels } = matchAnchors(
      columns.flatMap((n) => [0, 0, 10, n]),
      [0, 0, 10, 10],
    );
    expect([...labels]).toEqual([1, 1, -1, -1, 0]);
  });

  test("all of a box's equally best anchors are positives, even below the low threshold; not at 0", () => {
    const small = [0, 0, 10, 1, 0, 9, 10, 10, 0, 20, 10, 30];
    expect([...matchAnchors(small, [0, 0, 10, 10]).labels]).toEqual([1, 1, 0]);
    expect([...matchAnchors(small, [50, 50, 60, 60]).labels]).toEqual([0, 0, 0]);
  });

  test('of two boxes that an anchor overlaps equally the first is its own', () => {
    expect([...matchAnchors([0, 0, 10, 10], [0, 0, 10, 5, 0, 5, 10, 10]).boxes]).toEqual([0]);
  });

  test('anchors that are not usable have no label, and are no best anchor', () => {
    const { labels, boxes } = matchAnchors([0, 0, 10, 10, 0, 0, 10, 2], [0, 0, 10, 10], {
      usable: Uint8Array.of(0, 1),
    });
    expect([...labels]).toEqual([-1, 1]);
    expect([...boxes]).toEqual([-1, 0]);
  });

  test.each([
    ['none', []],
    ['empty', [5, 5, 5, 5]],
    ['inverted', [8, 8, 2, 2]],
    ['not a number', [NaN, 0, 5, 5]],
  ])('boxes: %s - only negatives', (_, box) => {
    expect([...matchAnchors([0, 0, 10, 10, 0, 0, 5, 5], box).labels]).toEqual([0, 0]);
  });
});

describe('boxes of a manifest', () => {
  const original = { width: 200, height: 100 };
  const resized = { width: 100, height: 50 };
  test('are scaled, mirrored and cut to the image', () => {
    const box = { x: 20, y: 10, width: 40, height: 60 };
    expect([...boxInImage(box, original, resized)!]).toEqual([5, 10, 35, 30]);
    expect([...boxInImage(box, original, resized, true)!]).toEqual([5, 70, 35, 90]);
    expect([...boxInImage({ x: -50, y: -50, width: 500, height: 500 }, original, resized)!]).toEqual([0, 0, 50, 100]);
  });

  test.each([
    ['outside', { x: 300, y: 0, width: 20, height: 20 }],
    ['empty', { x: 10, y: 10, width: 0, height: 20 }],
    ['inverted', { x: 50, y: 10, width: -20, height: 20 }],
    ['less than a px', { x: 50, y: 10, width: 1, height: 20 }],
    ['infinite', { x: 0, y: 0, width: Infinity, height: 20 }],
    ['not a number', { x: NaN, y: 0, width: 20, height: 20 }],
  ])('%s: none', (_, box) => {
    expect(boxInImage(box, original, resized)).toBeUndefined();
  });
});

describe('sampler', () => {
  const labels = (positives: number, negatives: number, ignored = 0) =>
    Int8Array.from([
      ...new Array<number>(positives).fill(1),
      ...new Array<number>(ignored).fill(-1),
      ...new Array<number>(negatives).fill(0),
    ]);
  const counts = (all: Int8Array, drawn: Int32Array) => {
    expect(new Set(drawn).size, 'no position twice').toBe(drawn.length);
    return [1, 0, -1].map((label) => drawn.filter((i) => all[i] === label).length);
  };

  test.each([
    [200, 900, 50, [128, 128, 0]],
    [10, 900, 50, [10, 246, 0]],
    [0, 900, 50, [0, 256, 0]],
    [200, 40, 50, [128, 40, 0]],
    [0, 0, 50, [0, 0, 0]],
  ])('%d positives, %d negatives', (positives, negatives, ignored, expected) => {
    const all = labels(positives, negatives, ignored);
    expect(counts(all, sampleAnchors(all, new RandomStream(1)))).toEqual(expected);
  });

  test('the same seed draws the same, another one others', () => {
    const all = labels(200, 900);
    const drawn = (seed: number) => sampleAnchors(all, new RandomStream(seed));
    expect(drawn(3)).toEqual(drawn(3));
    expect(drawn(3)).not.toEqual(drawn(4));
  });

  test('every anchor is drawn about equally often', () => {
    const random = new RandomStream(2);
    const times = new Array<number>(20).fill(0);
    for (let i = 0; i < 4000; i++) for (const at of sampleAnchors(labels(0, 20), random, { count: 5 })) times[at]++;
    // binomial of 4000 and 1/4: 1000 with a deviation of 27
    for (const count of times) expect(Math.abs(count - 1000)).toBeLessThan(5 * 27.4);
  });
});
