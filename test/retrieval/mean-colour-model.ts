/** @file The smallest describer: an image's mean colour as a unit vector. It shows which image and which crop were read. */
import * as tf from '@tensorflow/tfjs';
import sharp from 'sharp';
import type { Describer } from '../../src/retrieval/describe.js';

export const meanColourModel: Describer & { dimension: number } = {
  dimension: 3,
  describe: (images) =>
    tf.tidy(() => {
      const mean = images.mean<tf.Tensor2D>([1, 2]); // [N, 3]
      return mean.div(mean.square().sum(1, true).sqrt().add(1e-6));
    }),
};

/** Writes a PNG whose left half has one colour and whose right half another; 32 x 16 px. */
export async function writeTwoColours(file: string, left: number[], right: number[] = left): Promise<void> {
  const pixels = new Uint8Array(32 * 16 * 3);
  for (let i = 0; i < 32 * 16; i++) pixels.set(i % 32 < 16 ? left : right, i * 3);
  await sharp(pixels, { raw: { width: 32, height: 16, channels: 3 } })
    .png()
    .toFile(file);
}
