/**
 * @file From a photograph on disk to RGB pixels and tensors, with sharp (libvips).
 *
 * Whatever the file holds, what comes out is upright (EXIF orientation applied), sRGB (ICC profile, CMYK, Lab, 16 bits
 * and floats converted), three channels of 8 bits (grey repeated, transparency laid over white), the first frame only.
 * JPEG is shrunk by whole factors while it is decoded, so 60 megapixels never lie in memory, but at least a factor of
 * two is left to the resampling filter (`fastShrinkOnLoad: false`), so the result does not depend on that.
 *
 * Any warning of a decoder is an error: libjpeg reports garbled data as a warning and fills the rest with grey. What
 * decoders remark on without a pixel depending on it is taken out before (open-image.ts). (None of 2,683 photographs from
 * a web scrape and from phones is refused.)
 */
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../errors.js';
import type { ModelMeta } from '../models/meta.js';
import { withinBudget } from './decoding-budget.js';
import { decodingBytes } from './decoding-bytes.js';
import type { Box } from './manifest.js';
import { brokenImage, openImage, type OpenedImage } from './open-image.js';
import { sharp } from './raster-loaders.js';
import { type QuarterTurn, type RgbImage, rotatePixels } from './rgb-image.js';
import { runAhead } from './run-ahead.js';
import { requireKnownRange } from './sample-range.js';

/** The size at which an image is shown to a network. */
export interface ImageSizing {
  /** The longer side becomes this many pixels, the shorter one follows, rounded; 'none' keeps the size. */
  longest: number | 'none';
  /** With `longest: 'none'`: the shorter side becomes this many pixels, the longer one follows. */
  shortest?: number;
  /** Enlarge images smaller than `longest`. Default true. */
  upscale?: boolean;
  /** Both sides become the nearest multiple of this, at least one; may bend the aspect by half of it. Default 1. */
  multipleOf?: number;
  /** Filter for shrinking, widened by the factor (antialiased); enlarging is bicubic for Lanczos. Default 'lanczos3'. */
  kernel?: 'lanczos3' | 'cubic' | 'linear' | 'nearest';
}

export interface ImageLimits {
  /** Largest width times height that is decoded. Default 200 million. */
  maxPixels?: number;
  /** Smallest side, px; below it a file is a placeholder (1x1), no photograph. Default 8. */
  minSide?: number;
}

export interface DecodeOptions extends ImageLimits {
  sizing?: ImageSizing;
  /** The part to take, in pixels of the upright image before resizing; rounded, and clipped to the image. */
  crop?: Box;
  /** Clockwise turn of what comes out, for photographs that lie on their side and have no EXIF to say so. */
  rotate?: QuarterTurn;
}

/** A decode that takes longer is given up, s; the slowest photographs take a few. */
const timeoutS = 120;

/**
 * Decodes a file (path) or an encoded image in memory. What it gives depends on the bytes alone, whatever is decoded beside it.
 * @throws InputError naming the file: missing, empty, no photograph, truncated, garbled, too large or too small, or a
 *   crop outside of it. Of the bytes nothing else, whatever they are; errors of the system that reads them (too many open
 *   files, no permission) are thrown as they are.
 */
export async function decodeImage(source: string | Uint8Array, options: DecodeOptions = {}): Promise<RgbImage> {
  const opened = await openImage(source);
  const plan = planDecode(opened, options);
  const needed = decodingBytes(opened, plan.target);
  const image = await withinBudget(needed, opened.name, () => decode(opened, plan, options));
  return options.rotate === undefined ? image : rotatePixels(image, options.rotate);
}

/**
 * Decodes `items` in order, ahead of the consumer: at most `ahead` images (default 4) are in the making or in the
 * consumer's hands. A bad image yields its error and the rest goes on. Stopping early waits for the decodes in hand.
 * @throws what is not about an image, as `decodeImage`.
 */
export async function* decodeImages<T>(
  items: Iterable<T>,
  load: (item: T) => { path: string; crop?: Box; rotate?: QuarterTurn },
  { sizing, ahead = 4, ...limits }: ImageLimits & { sizing: ImageSizing; ahead?: number },
): AsyncGenerator<{ item: T; image: RgbImage } | { item: T; error: Error }> {
  const work = async (item: T) => {
    const { path, crop, rotate } = load(item);
    return decodeImage(path, { sizing, crop, rotate, ...limits });
  };
  for await (const outcome of runAhead(items, work, ahead)) {
    if ('error' in outcome && !(outcome.error instanceof InputError)) throw outcome.error;
    yield 'error' in outcome ? outcome : { item: outcome.item, image: outcome.value };
  }
}

/** The filter that a model's weights were trained with, as part of an `ImageSizing`. */
export function filterOf({ preprocessing }: Partial<Pick<ModelMeta, 'preprocessing'>>): Pick<ImageSizing, 'kernel'> {
  return preprocessing?.filter === undefined ? {} : { kernel: preprocessing.filter };
}

/** [1, H, W, 3] float32, 0-255. The caller owns it. */
export function toTensor({ data, width, height }: RgbImage): tf.Tensor4D {
  return tf.tensor4d(new Float32Array(data), [1, height, width, 3], 'float32');
}

/** Width and height after `sizing`; pure arithmetic. */
export function resizedSides(
  width: number,
  height: number,
  { longest, shortest, upscale = true, multipleOf = 1 }: ImageSizing,
): { width: number; height: number } {
  const unsized = shortest === undefined ? 1 : shortest / Math.min(width, height);
  const wanted = longest === 'none' ? unsized : longest / Math.max(width, height);
  const scale = upscale ? wanted : Math.min(1, wanted);
  const snap = (side: number) => Math.max(1, Math.round((side * scale) / multipleOf)) * multipleOf;
  return { width: snap(width), height: snap(height) };
}

interface DecodePlan {
  /** Of the upright image, px. */
  part: { left: number; top: number; width: number; height: number };
  target: { width: number; height: number };
}

/** What is to be made of an image, by its header. @throws InputError where that cannot be. */
function planDecode(
  { name, metadata }: OpenedImage,
  { sizing = { longest: 'none' }, crop, maxPixels = 200e6, minSide = 8 }: DecodeOptions,
): DecodePlan {
  const { autoOrient: upright, space, channels } = metadata;
  if (channels > (space === 'cmyk' ? 5 : 4)) throw notPhotographic(name, channels);
  if (upright.width * upright.height > maxPixels) {
    throw new InputError(`${name}: more than ${maxPixels / 1e6} megapixels, refused; scale it down first.`);
  }
  if (Math.min(upright.width, upright.height) < minSide) {
    const size = `${upright.width}x${upright.height} px`;
    throw new InputError(`${name}: ${size} is too small for a photograph; expected at least ${minSide} px a side.`);
  }
  const part = crop === undefined ? { left: 0, top: 0, ...upright } : cropInside(crop, upright, name);
  const { width, height } = part;
  const target = resizedSides(width, height, sizing);
  if (sizing.shortest !== undefined && target.width * target.height > maxPixels) {
    throw new InputError(
      `${name}: ${width}x${height} px is too long for a shorter side of ${sizing.shortest} px: that gives ${target.width}x${target.height}.`,
    );
  }
  return { part, target };
}

async function decode(
  { name, bytes, metadata }: OpenedImage,
  { part, target }: DecodePlan,
  { sizing, crop, maxPixels = 200e6 }: DecodeOptions,
): Promise<RgbImage> {
  const reading = { failOn: 'warning', limitInputPixels: maxPixels } as const;
  await requireKnownRange(name, metadata, () => sharp(bytes, reading).stats());
  const input = sharp(bytes, { ...reading, autoOrient: true }).timeout({ seconds: timeoutS });
  if (crop !== undefined) input.extract(part);
  if (target.width !== part.width || target.height !== part.height) {
    const kernel = sizing?.kernel ?? 'lanczos3';
    input.resize(target.width, target.height, { fit: 'fill', kernel, fastShrinkOnLoad: false });
  }
  // sharp takes 16-bit images with a profile through Display P3 and leaves them there; this brings them to sRGB
  if (metadata.space === 'rgb16' && metadata.hasProfile) input.withIccProfile('srgb', { attach: false });
  const startedAt = performance.now();
  const decoded = await input
    .flatten({ background: '#ffffff' })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch(() => undefined);
  if (decoded === undefined) {
    const slow = performance.now() - startedAt >= timeoutS * 1000;
    throw brokenImage(name, slow ? `not decoded after ${timeoutS} s` : 'its data is cut short or garbled');
  }
  const { data, info } = decoded;
  if (info.channels !== 3) throw notPhotographic(name, info.channels);
  return {
    data: new Uint8Array(data.buffer, data.byteOffset, data.length),
    width: info.width,
    height: info.height,
  };
}

/** The whole px of an image that are in a box. @throws InputError, which calls the image `name`, where there are none. */
export function cropInside(crop: Box, { width, height }: { width: number; height: number }, name: string) {
  const clip = (value: number, side: number) => Math.min(side, Math.max(0, Math.round(value)));
  const [left, right] = [clip(crop.x, width), clip(crop.x + crop.width, width)];
  const [top, bottom] = [clip(crop.y, height), clip(crop.y + crop.height, height)];
  // negated, so that NaN is caught
  if (!(right > left && bottom > top)) {
    const box = `${crop.x},${crop.y},${crop.width},${crop.height}`;
    throw new InputError(`${name}: the box ${box} (x,y,width,height) has no pixel of the ${width}x${height} image.`);
  }
  return { left, top, width: right - left, height: bottom - top };
}

function notPhotographic(name: string, channels: number): InputError {
  return new InputError(`${name}: has ${channels} channels; expected grey, RGB or CMYK, with or without transparency.`);
}
