/**
 * @file From a photograph on disk to RGB pixels and tensors, with sharp (libvips).
 *
 * Whatever the file holds, what comes out is upright (EXIF orientation applied), sRGB (ICC profile, CMYK, Lab, 16 bits
 * and floats converted), three channels of 8 bits (grey repeated, transparency laid over white), the first frame only.
 * JPEG is shrunk by whole factors while it is decoded, so 60 megapixels never lie in memory, but at least a factor of
 * two is left to the resampling filter (`fastShrinkOnLoad: false`), so the result does not depend on that.
 *
 * Any warning of a decoder is an error: libjpeg reports garbled data as a warning and fills the rest with grey. (None
 * of 2,683 photographs from a web scrape and from phones is refused for it.) Only one warning that says
 * nothing about pixels passes: `harmlessWarning`.
 */
import * as tf from '@tensorflow/tfjs';
import sharp from 'sharp';
import { InputError, messageOf } from '../errors.js';
import { unfitFile, unfitReason } from './image-format.js';
import type { Box } from './manifest.js';
import { type QuarterTurn, rotatePixels } from './rotate-pixels.js';
import { runAhead } from './run-ahead.js';

// Images are decoded side by side (`ahead`), so each needs one thread; cached operations would only hold memory, and a
// file that was replaced would be answered from the cache.
sharp.concurrency(1);
sharp.cache(false);

/** Rows of RGB bytes from the top left. */
export interface RgbImage {
  data: Uint8Array; // [height * width * 3]
  width: number;
  height: number;
}

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

// Some phones write a scan header that libjpeg remarks on; no pixel depends on it. Such a file is decoded again with
// errors and truncation caught, garbled data not.
const harmlessWarning = /^(VipsJpeg: )?Invalid SOS parameters for sequential JPEG$/;

/**
 * Decodes a file (path) or an encoded image in memory.
 * @throws InputError naming the file: missing, empty, no photograph, truncated, garbled, too large or too small, or a
 *   crop outside of it. Nothing else, whatever the bytes are.
 */
export async function decodeImage(source: string | Uint8Array, options: DecodeOptions = {}): Promise<RgbImage> {
  const name = typeof source === 'string' ? source : `image in memory (${source.length} bytes)`;
  const unfit = typeof source === 'string' ? await unfitFile(source) : unfitReason(source);
  if (unfit !== undefined) throw new InputError(`${name}: ${unfit}.`);
  try {
    return await decode(source, name, options, 'warning');
  } catch (error) {
    if (error instanceof InputError) throw error;
    const lines = messageOf(error).trim().split('\n');
    if (!lines.every((line) => harmlessWarning.test(line))) throw decoderError(name, error, options);
  }
  try {
    return await decode(source, name, options, 'error');
  } catch (error) {
    throw error instanceof InputError ? error : decoderError(name, error, options);
  }
}

/**
 * Decodes `items` in order, ahead of the consumer: at most `ahead` images (default 4) are in the making or in the
 * consumer's hands. A bad image yields its error and the rest goes on. Stopping early waits for the decodes in hand.
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
    yield 'error' in outcome ? outcome : { item: outcome.item, image: outcome.value };
  }
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

async function decode(
  source: string | Uint8Array,
  name: string,
  { sizing = { longest: 'none' }, crop, rotate, maxPixels = 200e6, minSide = 8 }: DecodeOptions,
  failOn: 'warning' | 'error',
): Promise<RgbImage> {
  const input = sharp(source, { failOn, limitInputPixels: maxPixels, autoOrient: true });
  const { autoOrient: upright, space, channels, hasProfile } = await input.metadata();
  if (channels > (space === 'cmyk' ? 5 : 4)) throw notPhotographic(name, channels);
  if (Math.min(upright.width, upright.height) < minSide) {
    const size = `${upright.width}x${upright.height} px`;
    throw new InputError(`${name}: ${size} is too small for a photograph; expected at least ${minSide} px a side.`);
  }
  let { width, height } = upright;
  if (crop !== undefined) {
    const part = clipBox(crop, upright, name);
    input.extract(part);
    ({ width, height } = part);
  }
  const target = resizedSides(width, height, sizing);
  if (sizing.shortest !== undefined && target.width * target.height > maxPixels) {
    throw new InputError(
      `${name}: ${width}x${height} px is too long for a shorter side of ${sizing.shortest} px: that gives ${target.width}x${target.height}.`,
    );
  }
  if (target.width !== width || target.height !== height) {
    const kernel = sizing.kernel ?? 'lanczos3';
    input.resize(target.width, target.height, { fit: 'fill', kernel, fastShrinkOnLoad: false });
  }
  // sharp takes 16-bit images with a profile through Display P3 and leaves them there; this brings them to sRGB
  if (space === 'rgb16' && hasProfile) input.withIccProfile('srgb', { attach: false });
  const { data, info } = await input
    .flatten({ background: '#ffffff' })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) throw notPhotographic(name, info.channels);
  const image = {
    data: new Uint8Array(data.buffer, data.byteOffset, data.length),
    width: info.width,
    height: info.height,
  };
  return rotate === undefined ? image : rotatePixels(image, rotate);
}

function clipBox(crop: Box, { width, height }: { width: number; height: number }, name: string) {
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

function decoderError(name: string, error: unknown, { maxPixels = 200e6 }: ImageLimits): InputError {
  const reason = messageOf(error).trim().split('\n')[0].replace(/\.$/, '');
  if (/pixel limit/.test(reason)) {
    return new InputError(`${name}: more than ${maxPixels / 1e6} megapixels, refused; scale it down first.`);
  }
  return new InputError(`${name}: broken image (${reason}); replace or remove it.`);
}
