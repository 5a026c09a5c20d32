import { expect, test } from 'vitest';
import { anchorGrid, anchorsPerCell, fasterRcnnAnchors, insideImage, landmarkAnchors } from '../../src/rpn/anchors.js';
import { clipRows } from '../../src/rpn/box-rows.js';

test("py-faster-rcnn's nine anchors", () => {
  // Its list counts pixels from 1 and includes both corners (x1, y1, x2, y2): xMin = x1 - 1, xMax = x2.
  const listed = [
    [-83, -39, 100, 56],
    [-175, -87, 192, 104],
    [-359, -183, 376, 200],
    [-55, -55, 72, 72],
    [-119, -119, 136, 136],
    [-247, -247, 264, 264],
    [-35, -79, 52, 96],
    [-79, -167, 96, 184],
    [-167, -343, 184, 360],
  ];
  const expected = listed.flatMap(([x1, y1, x2, y2]) => [y1 - 1, x1 - 1, y2, x2]);
  expect([...anchorGrid({ height: 1, width: 1 }, 16, fasterRcnnAnchors)]).toEqual(expected);
});

test('rows of cells, then columns, then anchors; each cell is a shift by the stride', () => {
  const one = anchorGrid({ height: 1, width: 1 }, 16, fasterRcnnAnchors);
  const grid = anchorGrid({ height: 2, width: 3 }, 16, fasterRcnnAnchors);
  expect(grid).toHaveLength(2 * 3 * 9 * 4);
  for (let i = 0; i < grid.length / 4; i++) {
    const [cell, anchor] = [Math.floor(i / 9), i % 9];
    const [dy, dx] = [16 * Math.floor(cell / 3), 16 * (cell % 3)];
    const shifted = [0, 1, 2, 3].map((k) => one[4 * anchor + k] + (k % 2 === 0 ? dy : dx));
    expect([...grid.subarray(4 * i, 4 * i + 4)]).toEqual(shifted);
  }
});

test('another stride keeps the sizes and centres them on its cells', () => {
  const [yMin, xMin, yMax, xMax] = anchorGrid({ height: 1, width: 1 }, 32, fasterRcnnAnchors);
  expect([yMax - yMin, xMax - xMin, (yMin + yMax) / 2, (xMin + xMax) / 2]).toEqual([96, 184, 16, 16]);
});

test('landmark anchors follow the size of the image', () => {
  const options = landmarkAnchors(320, [0.5, 1]);
  expect(anchorsPerCell(options)).toBe(6);
  const rows = anchorGrid({ height: 1, width: 1 }, 16, options);
  const sides = [2, 3].map((i) => [rows[4 * i + 2] - rows[4 * i], rows[4 * i + 3] - rows[4 * i + 1]]);
  expect(sides).toEqual([
    [160, 160],
    [320, 320],
  ]);
});

test('the VOC rule leaves nothing of anchors larger than the image; clipping leaves the image', () => {
  const image = { height: 32, width: 48 };
  const rows = anchorGrid({ height: 2, width: 3 }, 16, fasterRcnnAnchors);
  expect(insideImage(rows, image).every((flag) => flag === 0)).toBe(true);
  const clipped = clipRows(rows, image);
  for (let i = 0; i < clipped.length; i += 4) expect([...clipped.subarray(i, i + 4)]).toEqual([0, 0, 32, 48]);
});

test('an anchor on the border is inside, one px beyond is not, unless that is allowed', () => {
  const rows = [0, 0, 32, 48, -1, 0, 32, 48, 0, 0, 33, 48, 0, -1, 32, 48, 0, 0, 32, 49];
  expect([...insideImage(rows, { height: 32, width: 48 })]).toEqual([1, 0, 0, 0, 0]);
  expect([...insideImage(rows, { height: 32, width: 48 }, 1)]).toEqual([1, 1, 1, 1, 1]);
});
