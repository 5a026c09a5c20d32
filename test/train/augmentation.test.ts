import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { applyView, drawView, isReusable, identityView, type ImageView } from '../../src/train/augmentation.js';
import { RandomStream } from '../../src/train/random.js';

const image = { data: Uint8Array.of(1, 2, 3, 10, 20, 30, 100, 150, 200, 4, 5, 6), width: 2, height: 2 };

describe('applyView', () => {
  test('the plain view is the image itself', () => {
    expect(applyView(image, identityView, 1)).toBe(image);
  });

  test('flip mirrors every row', () => {
    const flipped = applyView(image, { ...identityView, flip: true }, 1);
    expect([...flipped.data]).toEqual([10, 20, 30, 1, 2, 3, 4, 5, 6, 100, 150, 200]);
  });

  test('gains multiply their channel and saturate', () => {
    const bright = applyView(image, { ...identityView, gains: [2, 1, 0.5] }, 1);
    expect([...bright.data]).toEqual([2, 2, 2, 20, 20, 15, 200, 150, 100, 8, 5, 3]); // 3 · 0.5 rounds to 2
    expect(applyView(image, { ...identityView, gains: [3, 1, 1] }, 1).data[6]).toBe(255);
  });

  test('zoom cuts a window of the usual size where the view says', () => {
    const wide = { data: Uint8Array.from({ length: 36 }, (_, i) => Math.floor(i / 3)), width: 4, height: 3 };
    // 4/2 = 2 wide, 3/2 rounds to 2 high; right edge: 4 − 2 = 2 left; top.
    const window = applyView(wide, { ...identityView, zoom: 2, left: 0.9999999, top: 0 }, 1);
    expect([window.width, window.height]).toEqual([2, 2]);
    expect([0, 3, 6, 9].map((i) => window.data[i])).toEqual([1, 2, 5, 6]); // floor(0.99 · 2) = 1
  });
});

test('views are the seed’s, windows keep to multiples of the stride, and flips alone are reusable', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 9999 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 4 }),
      (seed, w, h) => {
        const options = { flip: true, colour: 0.2, crop: 0.3 };
        const view = drawView(new RandomStream(seed), options);
        expect(view).toEqual(drawView(new RandomStream(seed), options));
        const sides = { width: 8 * w, height: 8 * h };
        const result = applyView({ data: new Uint8Array(sides.width * sides.height * 3), ...sides }, view, 8);
        expect(result.width % 8 === 0 && result.width >= 8 && result.width <= sides.width).toBe(true);
        expect(result.data.length).toBe(result.width * result.height * 3);
        expect(isReusable(view)).toBe(false);
      },
    ),
  );
  const flips: ImageView[] = Array.from({ length: 20 }, (_, i) =>
    drawView(new RandomStream(i), { flip: true, colour: 0, crop: 0 }),
  );
  expect(new Set(flips.map(({ flip }) => flip)).size).toBe(2);
  expect(flips.every(isReusable)).toBe(true);
});

test('what is off draws nothing from the stream', () => {
  const random = new RandomStream(5);
  expect(drawView(random, { flip: false, colour: 0, crop: 0 })).toEqual(identityView);
  expect(random.next()).toBe(new RandomStream(5).next());
});
