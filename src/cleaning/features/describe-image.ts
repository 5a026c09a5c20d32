/** @file One photograph's features and signature. */
import { detectFeatures, type DetectOptions } from './detect.js';
import type { Features } from './features.js';
import { readGreyImage } from './grey-image.js';
import { imageSignature } from './near-duplicates.js';

export interface DescribeImageOptions {
  /** Longest side features are detected at, px; smaller images are not enlarged. Default 640. */
  longest?: number | 'none';
  detect?: DetectOptions;
}

export interface ImageDescription {
  features: Features;
  /** Small grey picture, see near-duplicates.ts. */
  signature: Uint8Array;
}

/** @throws InputError naming the file where it cannot be used. */
export async function describeImage(
  path: string,
  { longest = 640, detect }: DescribeImageOptions = {},
): Promise<ImageDescription> {
  const grey = await readGreyImage(path, { longest });
  return { features: detectFeatures(grey, detect), signature: imageSignature(grey) };
}
