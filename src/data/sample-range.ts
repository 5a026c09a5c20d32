/** @file Samples that are neither 8 nor 16 bits wide, as in scientific TIFFs: no header says which value is white. */
import type { Metadata, Stats } from 'sharp';
import { InputError } from '../errors.js';
import { largest, smallest } from '../extremes.js';

/**
 * Nothing where the range is known: 8 and 16 bits, and colours measured on a scale of their own (Lab, XYZ). Otherwise
 * samples are taken for 0 to 255 if they look like it.
 * @throws InputError naming the image where they do not: from 0 to 1 it would become black, beyond 255 white. Also for float
 *   RGB of any range, which libvips takes for linear light from 0 to 1 (scRGB), as no header says.
 */
export async function requireKnownRange(
  name: string,
  { depth, space }: Metadata,
  readStats: () => Promise<Stats>,
): Promise<void> {
  if (depth === 'uchar' || depth === 'ushort' || ['lab', 'labs', 'xyz'].includes(space)) return;
  const stats = await readStats().catch(() => undefined);
  if (stats === undefined) return; // decoding says why
  const lowest = smallest(stats.channels.map(({ min }) => min));
  const highest = largest(stats.channels.map(({ max }) => max));
  // the extremes come without their decimals
  if (space !== 'scrgb' && lowest >= 0 && highest > 1 && highest <= 255) return;
  const range = highest <= 1 && lowest >= 0 ? 'not above 1' : `from ${lowest} to ${highest}`;
  throw new InputError(
    `${name}: its samples (${depth}) are ${range}, and nothing says which is white; save it with 8 or 16 bits a channel.`,
  );
}
