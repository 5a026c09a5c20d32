import { describe, expect, test } from 'vitest';
import type { RgbImage } from '../../../src/data/rgb-image.js';
import { transform } from '../../../src/synthetic/camera.js';
import { drawSurface, renderScene, withoutMargin } from '../../../src/train/views/render-scene.js';
import { type Scene, sceneHomography } from '../../../src/train/views/scene.js';

/** An image in which the value of a pixel is given by its place. */
function picture(width: number, height: number, value: (x: number, y: number) => number): RgbImage {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return value(pixel % width, Math.floor(pixel / width));
  });
  return { data, width, height };
}

/** From the front, in the light of the image, filling the photograph. */
const plain: Scene = {
  turn: 0,
  tilt: 0,
  axis: 0,
  scale: 1,
  centre: [0.5, 0.5],
  background: { colour: [0, 0, 0], grain: 0 },
  gamma: 1,
  gains: [1, 1, 1],
  shading: { direction: 0, depth: 0 },
  reflections: [],
  veil: 0,
  blur: 0,
  noise: 0,
  jpeg: 100,
};
const frame = {
  width: 8,
  height: 8,
  background: drawSurface({ colour: [9, 9, 9], grain: 0 }, 1, { width: 8, height: 8 }),
};
const image = picture(8, 8, (x, y) => 10 * x + 20 * y);
const whole = { left: 0, top: 0, width: 8, height: 8 };
const reds = (view: RgbImage) => Array.from({ length: view.data.length / 3 }, (_, i) => view.data[3 * i]);

describe('renderScene', () => {
  test('seen from the front and filling the photograph, an image is itself', () => {
    expect([...renderScene(image, whole, plain, frame).data]).toEqual([...image.data]);
  });

  test('a quarter turn is clockwise', () => {
    const turned = renderScene(image, whole, { ...plain, turn: Math.PI / 2 }, frame);
    // the first row, from left to right, becomes the last column from top to bottom
    expect(reds(turned).filter((_, i) => i % 8 === 7)).toEqual([0, 10, 20, 30, 40, 50, 60, 70]);
  });

  test('beside a smaller image lies the background', () => {
    const small = renderScene(image, whole, { ...plain, scale: 0.5 }, frame);
    expect(reds(small).filter((value) => value === 9)).toHaveLength(64 - 16);
    expect(reds(small)[8 * 2 + 2]).toBe(15); // in the middle of the first four pixels: (0 + 10 + 20 + 30) / 4
  });

  test('light: a factor, an exponent, a veil, a reflection in full scale', () => {
    const grey = picture(8, 8, () => 100);
    const first = (changes: Partial<Scene>) =>
      Array.from(renderScene(grey, whole, { ...plain, ...changes }, frame).data.slice(0, 3));
    expect(first({ gains: [2, 1, 0.5] })).toEqual([200, 100, 50]);
    expect(first({ gamma: 2 })).toEqual([39, 39, 39]); // 255 (100 / 255)²
    expect(first({ veil: 0.4 })).toEqual([140, 140, 140]); // 0.6 · 100 + 0.4 · 200
    const lamp = { x: 1 / 16, y: 1 / 16, radii: [0.1, 0.1], angle: 0, strength: 0.5 } as const;
    expect(first({ reflections: [lamp] })[0]).toBeGreaterThan(220);
    expect(renderScene(grey, whole, { ...plain, reflections: [lamp] }, frame).data.at(-1)).toBe(100);
  });
});

test('sceneHomography: what is tilted away is smaller, and the middle stays', () => {
  const sides = { width: 100, height: 100 };
  // about the horizontal axis: the lower edge comes nearer or goes away, both edges level
  const h = sceneHomography({ ...plain, tilt: 0.6, axis: 0 }, sides, { width: 200, height: 200 });
  expect(transform(h, 50, 50).map(Math.round)).toEqual([100, 100]);
  const [upperLeft, upperRight, lowerLeft, lowerRight] = [0, 1, 2, 3].map((i) =>
    transform(h, 100 * (i % 2), i < 2 ? 0 : 100),
  );
  const [upper, lower] = [upperRight[0] - upperLeft[0], lowerRight[0] - lowerLeft[0]];
  // depth 1 ± sin(0.6) / 2 / 2 of the edges, whose length is 200 / depth
  expect(upper).toBeCloseTo(200 / (1 - Math.sin(0.6) / 4), 6);
  expect(lower).toBeCloseTo(200 / (1 + Math.sin(0.6) / 4), 6);
  expect(upperLeft[1]).toBeCloseTo(upperRight[1], 6);
});

describe('withoutMargin', () => {
  const inside = (left: number, top: number, side: number) => (x: number, y: number) =>
    x >= left && x < left + side && y >= top && y < top + side ? 50 : 255;
  test('is the part of another colour', () => {
    expect(withoutMargin(picture(20, 16, inside(4, 2, 9)))).toEqual({ left: 4, top: 2, width: 9, height: 9 });
  });
  test('is the whole image where nothing or little is left', () => {
    const all = { left: 0, top: 0, width: 20, height: 16 };
    expect(withoutMargin(picture(20, 16, () => 255))).toEqual(all);
    expect(withoutMargin(picture(20, 16, inside(4, 2, 3)))).toEqual(all);
  });
});
