/**
 * @file sharp, which decodes nothing but raster images: libvips also reads SVG, PDF and other formats that can name further
 * files or draw without end, and no photograph is one of those. Import sharp from here where it is given an image.
 */
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';
import sharp from 'sharp';
import { withoutOtherDecodes } from './decoding-budget.js';

// Images are decoded side by side, so each needs one thread; cached operations would only hold memory, and a file that
// was replaced would be answered from the cache.
sharp.concurrency(1);
sharp.cache(false);

// Of the whole process, and for a moment nothing can be loaded: a thread that starts must not do it again while others
// decode. Threads know from the one that starts them.
const key = 'rmac.raster-loaders';
if (getEnvironmentData(key) === undefined) {
  sharp.block({ operation: ['VipsForeignLoad'] });
  // also those of files, for whoever uses sharp in the same process
  sharp.unblock({
    operation: ['Jpeg', 'Png', 'Webp', 'Tiff', 'Nsgif', 'Heif'].map((name) => `VipsForeignLoad${name}`),
  });
  setEnvironmentData(key, true);
}

/** Runs `draw`, in which sharp also draws SVG of our own; no photograph is decoded meanwhile. */
export async function withSvg<T>(draw: () => Promise<T>): Promise<T> {
  const svg = { operation: ['VipsForeignLoadSvgBuffer'] };
  return withoutOtherDecodes(async () => {
    sharp.unblock(svg);
    try {
      return await draw();
    } finally {
      sharp.block(svg);
    }
  });
}

export { sharp };
