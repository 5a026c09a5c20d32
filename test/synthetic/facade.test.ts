import { beforeAll, describe, expect, test } from 'vitest';
import { type Facade, drawFacade } from '../../src/synthetic/facade.js';
import { takePhotograph } from '../../src/synthetic/photograph.js';
import { transform } from '../../src/synthetic/camera.js';
import { Random } from '../../src/synthetic/random.js';
import { drawStyle, planKinds } from '../../src/synthetic/style.js';
import { channels } from '../../src/synthetic/texture.js';

/** Mean absolute difference of two facades' colours on the third mip level, over the smaller frame. */
function difference(a: Facade, b: Facade): number {
  const [la, lb] = [a.texture.levels[2], b.texture.levels[2]];
  const [width, height] = [Math.min(la.width, lb.width), Math.min(la.height, lb.height)];
  let sum = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++)
        sum += Math.abs(la.data[(y * la.width + x) * channels + c] - lb.data[(y * lb.width + x) * channels + c]);
    }
  }
  return sum / (width * height * 3);
}

describe('drawFacade', () => {
  test.each(planKinds)('%s: solid at the foot, closely framed, finite', (plan) => {
    const { texture, width, height } = drawFacade(drawStyle(plan, new Random(5)), 11, 256);
    const { data } = texture.levels[0];
    expect(data.length).toBe(width * height * channels);
    expect(data.every(Number.isFinite)).toBe(true);
    const alphaAt = (x: number, y: number) => data[(y * width + x) * channels + 3];
    expect(alphaAt(width >> 1, height - 3)).toBe(1);
    const columns = Array.from({ length: width }, (_, x) => x);
    expect(columns.some((x) => alphaAt(x, 0) >= 0.5)).toBe(true);
  });

  test('the same seed draws the same facade, siblings and other styles differ', () => {
    const style = drawStyle('palace', new Random(1));
    const one = drawFacade(style, 1, 256);
    expect(difference(one, drawFacade(style, 1, 256))).toBe(0);
    expect(difference(one, drawFacade(style, 2, 256))).toBeGreaterThan(0.02);
    expect(difference(one, drawFacade(drawStyle('arcade', new Random(1)), 1, 256))).toBeGreaterThan(0.02);
  });
});

describe('takePhotograph', () => {
  let facade: Facade;
  beforeAll(() => {
    facade = drawFacade(drawStyle('gate', new Random(2)), 7, 512);
  });

  test('longest side as asked, box within the image, building in view', () => {
    for (let seed = 0; seed < 12; seed++) {
      const { image, box, homography } = takePhotograph(facade, new Random(seed), 160);
      expect(Math.max(image.width, image.height)).toBe(160);
      expect(image.data.length).toBe(image.width * image.height * 3);
      expect(box.x).toBeGreaterThanOrEqual(0);
      expect(box.y).toBeGreaterThanOrEqual(0);
      expect(box.x + box.width).toBeLessThanOrEqual(image.width);
      expect(box.y + box.height).toBeLessThanOrEqual(image.height);
      expect((box.width * box.height) / (image.width * image.height)).toBeGreaterThan(0.05);
      expect(homography).toHaveLength(9);
    }
  });

  test('the homography says where the building is: marking the facade moves exactly those pixels', () => {
    // Two facades that differ in one painted square; only pixels that the square maps to may differ (before noise and
    // exposure, which look at the whole image, the rest is equal; exposure moves them all a little).
    const marked: Facade = {
      ...facade,
      texture: { levels: facade.texture.levels.map((level) => ({ ...level, data: level.data.slice() })) },
    };
    const [u0, v0, side] = [facade.width * 0.45, facade.height * 0.5, facade.width * 0.12];
    marked.texture.levels.forEach(({ width, height, data }, n) => {
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const [u, v] = [(x + 0.5) * 2 ** n, (y + 0.5) * 2 ** n];
          if (u >= u0 && u < u0 + side && v >= v0 && v < v0 + side) data.set([1, 0, 1], (y * width + x) * channels);
        }
      }
    });
    const hits: number[] = [];
    for (let seed = 0; seed < 8; seed++) {
      const before = takePhotograph(facade, new Random(seed), 160);
      const after = takePhotograph(marked, new Random(seed), 160);
      if (before.light === 'night' || before.occluders.length > 1) continue;
      const { width, height } = before.image;
      const corners = [
        transform(before.homography, u0, v0),
        transform(before.homography, u0 + side, v0),
        transform(before.homography, u0 + side, v0 + side),
        transform(before.homography, u0, v0 + side),
      ];
      const xs = corners.map(([x]) => x);
      const ys = corners.map(([, y]) => y);
      if (Math.min(...xs) < 3 || Math.min(...ys) < 3 || Math.max(...xs) > width - 3 || Math.max(...ys) > height - 3)
        continue;
      const change = (x: number, y: number) =>
        Math.abs(before.image.data[(y * width + x) * 3 + 1] - after.image.data[(y * width + x) * 3 + 1]);
      const centre = transform(before.homography, u0 + side / 2, v0 + side / 2);
      let far = 0;
      let count = 0;
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          if (x > Math.min(...xs) - 4 && x < Math.max(...xs) + 4 && y > Math.min(...ys) - 4 && y < Math.max(...ys) + 4)
            continue;
          far += change(x, y);
          count++;
        }
      }
      hits.push(change(Math.round(centre[0]), Math.round(centre[1])) - (4 * far) / count);
    }
    expect(hits.length).toBeGreaterThan(0);
    expect(hits.filter((hit) => hit > 8).length / hits.length).toBeGreaterThan(0.7);
  });
});
