/** @file The part of an image that is the query, at the scale its whole image would have. */
import type { ImageSizing } from '../data/images.js';
import type { Box } from '../data/manifest.js';
import { uprightSize } from '../data/upright-size.js';

/**
 * Sizing that brings a crop to the scale of the whole image under `sizing`: longest = sizing.longest · max(crop) /
 * max(image). So the query shows the object as large as the database shows it (Gordo et al. crop the resized image,
 * cirtorch uses this formula); cropping first and resizing to the full size would enlarge it instead.
 */
export async function cropSizing(image: string | Uint8Array, box: Box, sizing: ImageSizing): Promise<ImageSizing> {
  if (sizing.longest === 'none') return sizing;
  const { width, height } = await uprightSize(image);
  const wanted = sizing.longest / Math.max(width, height);
  const scale = sizing.upscale === false ? Math.min(1, wanted) : wanted;
  const longest = Math.max(1, Math.round(scale * Math.max(box.width, box.height)));
  return { ...sizing, longest, upscale: true };
}
