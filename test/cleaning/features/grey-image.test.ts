import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, expect, test } from 'vitest';
import { detectFeatures } from '../../../src/cleaning/features/detect.js';
import { greyImage, readGreyImage } from '../../../src/cleaning/features/grey-image.js';
import { InputError } from '../../../src/errors.js';

const folder = mkdtempSync(join(tmpdir(), 'rmac-grey-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

test('greyImage: 0.299 R + 0.587 G + 0.114 B, rounded', () => {
  const data = new Uint8Array([255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 10, 20, 30]);
  expect([...greyImage({ data, width: 5, height: 1 }).data]).toEqual([76, 150, 29, 255, 18]);
});

/** A blurred white dot on black at (60, 20) of 160 x 80. */
function dot(width: number, height: number) {
  const data = Buffer.alloc(width * height * 3);
  const scale = width / 160;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const distance = Math.hypot((x + 0.5) / scale - 60.5, (y + 0.5) / scale - 20.5);
      data.fill(Math.round(255 * Math.exp((-distance * distance) / 32)), 3 * (y * width + x), 3 * (y * width + x) + 3);
    }
  }
  return sharp(data, { raw: { width, height, channels: 3 } });
}

/** Distance of the strongest feature to (x, y). */
async function distanceTo(file: string, x: number, y: number, longest: number | 'none') {
  const { frames, width, height } = detectFeatures(await readGreyImage(file, { longest }));
  return { distance: Math.hypot(frames[0] - x, frames[1] - y), width, height };
}

test('features of a photograph that was shrunk lie in the pixels of the original', async () => {
  const file = join(folder, 'large.png');
  await dot(640, 320).png().toFile(file);
  const { distance, width, height } = await distanceTo(file, 4 * 60.5 - 0.5, 4 * 20.5 - 0.5, 213);
  expect(distance).toBeLessThan(0.5);
  expect([width, height]).toEqual([640, 320]);
});

test('a small photograph is not enlarged', async () => {
  const file = join(folder, 'small.png');
  await dot(160, 80).png().toFile(file);
  expect(await readGreyImage(file)).toMatchObject({ width: 160, height: 80, original: { width: 160, height: 80 } });
});

test('a photograph turned by EXIF has features in its upright pixels', async () => {
  const file = join(folder, 'turned.jpg');
  // orientation 6: to be turned clockwise, (x, y) comes to (height - 1 - y, x)
  await dot(160, 80).jpeg({ quality: 100 }).withMetadata({ orientation: 6 }).toFile(file);
  const { distance, width, height } = await distanceTo(file, 59, 60, 'none');
  expect(distance).toBeLessThan(0.3);
  expect([width, height]).toEqual([80, 160]);
});

test('readGreyImage: a missing file is the input error of the decoder', async () => {
  await expect(readGreyImage(join(folder, 'none.jpg'))).rejects.toThrow(InputError);
});
