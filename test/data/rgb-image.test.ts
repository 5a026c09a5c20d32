import sharp from 'sharp';
import { expect, test } from 'vitest';
import { quarterTurns, rotatePixels } from '../../src/data/rgb-image.js';

test('rotatePixels equals libvips for every quarter turn', async () => {
  const [width, height] = [5, 3];
  const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * 7) % 256);
  for (const turn of quarterTurns) {
    const image = sharp(data, { raw: { width, height, channels: 3 } }).rotate(turn);
    const { data: expected, info } = await image.raw().toBuffer({ resolveWithObject: true });
    const turned = rotatePixels({ data, width, height }, turn);
    expect({ ...turned, data: [...turned.data] }).toEqual({
      width: info.width,
      height: info.height,
      data: [...expected],
    });
  }
});
