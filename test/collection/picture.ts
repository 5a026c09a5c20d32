import sharp from 'sharp';
import { noise } from '../../scripts/bench/process.js';

/** Coloured squares of many sizes: corners that are like no others. PNG, 320 x 240. */
export async function picture(seed: number): Promise<Buffer> {
  const next = noise(seed);
  const [width, height] = [320, 240];
  const pixels = Buffer.alloc(width * height * 3, 119);
  for (let n = 0; n < 160; n++) {
    const [left, top, side] = [next() * width, next() * height, 6 + next() * 34].map(Math.floor);
    const grey = Math.floor(next() * 256);
    for (let y = top; y < Math.min(height, top + side); y++) {
      for (let x = left; x < Math.min(width, left + side); x++) {
        pixels.set([grey, grey, (grey + 90) % 256], (y * width + x) * 3);
      }
    }
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}
