/** @file The part of an image that is the query, at the scale its whole image would have. */
import sharp from 'sharp';
import type { ImageSizing } from '../data/images.js';
import type { Box } from '../data/manifest.js';
import { InputError, messageOf } from '../errors.js';

/**
 * Sizing that brings a crop to the scale of the whole image under `sizing`: longest = sizing.longest · max(crop) /
 * max(image). So the query shows the object as large as the database shows it (Gordo et al. crop the resized image,
 * cirtorch uses this formula); cropping first and resizing to the full size would enlarge it instead.
 */
export async function cropSizing(path: string, box: Box, sizing: ImageSizing): Promise<ImageSizing> {
  if (sizing.longest === 'none') return sizing;
  let longestSide: number;
  try {
    const { autoOrient } = await sharp(path).metadata();
    longestSide = Math.max(autoOrient.width, autoOrient.height);
  } catch (error) {
    throw new InputError(`${path}: cannot be read: ${messageOf(error)}.`);
  }
  const wanted = sizing.longest / longestSide;
  const scale = sizing.upscale === false ? Math.min(1, wanted) : wanted;
  const longest = Math.max(1, Math.round(scale * Math.max(box.width, box.height)));
  return { ...sizing, longest, upscale: true };
}
