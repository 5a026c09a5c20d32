/** @file An image file at each of a system's sides, through the network: whole, or the query's part of it. */
import { decodeImage, type ImageSizing } from '../data/images.js';
import type { RgbImage } from '../data/rgb-image.js';
import { runAhead } from '../data/run-ahead.js';
import { uprightSize } from '../data/upright-size.js';
import { cropSizing } from '../retrieval/query-crop.js';
import { type BoxNorm, cropMap } from './feature-map.js';
import type { NetworkMaps } from './network-maps.js';
import type { ImageMaps } from './pool-views.js';
import type { SystemSettings } from './settings.js';
import type { SystemImage } from './system.js';

/** One view per side, in their order; the next image is decoded while the network runs. Throws `InputError` for an unfit file. */
export async function readViews(
  network: NetworkMaps,
  image: SystemImage,
  settings: Pick<SystemSettings, 'sides' | 'upscale' | 'queryCrop'>,
  snap: number,
): Promise<ImageMaps[]> {
  const views: ImageMaps[] = [];
  for await (const outcome of runAhead(settings.sides, (side) => decode(image, side, settings, snap), 2)) {
    if ('error' in outcome) throw outcome.error;
    const { pixels, box } = outcome.value;
    const view = await network.view(pixels);
    views.push(box === undefined ? view : cropView(view, box, settings.queryCrop === 'map-published'));
  }
  return views;
}

/** The image at one side, cropped to the query, or whole with the box that its maps are to be cropped to. Where it is turned, boxes are cut from it. */
async function decode(
  { path, box, rotate }: SystemImage,
  side: number,
  { upscale, queryCrop }: Pick<SystemSettings, 'upscale' | 'queryCrop'>,
  snap: number,
): Promise<{ pixels: RgbImage; box?: BoxNorm }> {
  const sizing: ImageSizing = { longest: side, upscale, multipleOf: snap };
  if (box === undefined) return { pixels: await decodeImage(path, { sizing, rotate }) };
  if (queryCrop === 'image' || rotate !== undefined) {
    return { pixels: await decodeImage(path, { sizing: await cropSizing(path, box, sizing), crop: box, rotate }) };
  }
  const { width, height } = await uprightSize(path);
  return {
    pixels: await decodeImage(path, { sizing }),
    box: [box.y / height, box.x / width, (box.y + box.height) / height, (box.x + box.width) / width],
  };
}

function cropView(view: ImageMaps, box: BoxNorm, published: boolean): ImageMaps {
  const [yMin, xMin, yMax, xMax] = box;
  const { height, width } = view.image;
  return {
    ...view,
    image: {
      height: Math.max(1, Math.round((yMax - yMin) * height)),
      width: Math.max(1, Math.round((xMax - xMin) * width)),
    },
    maps: view.maps.map((map) => cropMap(map, box, { published })),
  };
}
