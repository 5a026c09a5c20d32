import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import { identityView } from '../../../src/train/augmentation.js';
import { centreCrop, decodeCrop, drawCrop } from '../../../src/train/classify/crops.js';
import { RandomStream } from '../../../src/train/random.js';
import { temporaryFolder } from '../tiny-run.js';

let folder: string;

beforeAll(async () => {
  folder = await temporaryFolder();
});

async function noise(name: string, width: number, height: number) {
  const data = Buffer.from(Array.from({ length: width * height * 3 }, (_, i) => (i * 7919) % 256));
  const path = join(folder, name);
  await writeFile(
    path,
    await sharp(data, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer(),
  );
  return { id: name, path, landmark: 'a' };
}

const settings = { flip: true, colour: 0.2, shortestSideMin: 40, shortestSideMax: 60 };

describe('crops', () => {
  test('sides are uniform over the range with both ends, places over the image', () => {
    const random = new RandomStream(1);
    const record = { id: 'a', path: 'a.png', landmark: 'a' };
    const draws = Array.from({ length: 4200 }, () => drawCrop(record, random, settings));
    for (let side = 40; side <= 60; side++) {
      const count = draws.filter(({ shortest }) => shortest === side).length;
      expect(Math.abs(count - 200)).toBeLessThan(5 * Math.sqrt(200));
    }
    expect(draws.every(({ view }) => view.left >= 0 && view.left < 1 && view.zoom === 1)).toBe(true);
    const flipped = draws.filter(({ view }) => view.flip).length;
    expect(Math.abs(flipped - 2100)).toBeLessThan(5 * Math.sqrt(1050));
  });

  test('the centre crop is what sharp cuts from the resized image', async () => {
    const record = await noise('wide.png', 96, 64);
    const crop = await decodeCrop(centreCrop(record, { validationSide: 48 }), 32);
    const expected = await sharp(record.path)
      .resize(72, 48, { fit: 'fill', kernel: 'lanczos3' })
      .extract({ left: 20, top: 8, width: 32, height: 32 })
      .raw()
      .toBuffer();
    expect([crop.width, crop.height]).toEqual([32, 32]);
    expect(Buffer.from(crop.data).equals(expected)).toBe(true);
  });

  test('mirror and colour belong to the same window', async () => {
    const record = await noise('tall.png', 50, 90);
    const view = { ...identityView, left: 0.3, top: 0.9 };
    const plain = await decodeCrop({ record, shortest: 50, view }, 32);
    const changed = await decodeCrop({ record, shortest: 50, view: { ...view, flip: true, gains: [1, 0.5, 1] } }, 32);
    for (const [x, y] of [
      [0, 0],
      [5, 17],
      [31, 31],
    ]) {
      const [r, g, b] = plain.data.subarray((y * 32 + x) * 3);
      const mirrored = changed.data.subarray((y * 32 + 31 - x) * 3);
      expect([...mirrored.subarray(0, 3)]).toEqual([r, Math.round(g / 2), b]);
    }
  });

  test('an image smaller than the crop is enlarged; one that would become endless is refused', async () => {
    const small = await noise('small.png', 12, 9);
    const crop = await decodeCrop(drawCrop(small, new RandomStream(2), settings), 40);
    expect([crop.width, crop.height]).toEqual([40, 40]);
    const line = await noise('line.png', 12_000, 8);
    await expect(decodeCrop({ record: line, shortest: 512, view: identityView }, 224)).rejects.toThrow(
      /line\.png: 12000x8 px is too long for a shorter side of 512 px/,
    );
  });
});
