/** @file Exported files in plain ONNX Runtime, without anything of this project's engine, against the model they were made of. */
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import sharp from 'sharp';
import { decodeImage } from '../data/images.js';
import { largest, smallest } from '../extremes.js';
import type { DescriptorModel } from '../models/descriptor.js';
import type { RegionSource } from '../models/region-source.js';
import { ProposalDescriber } from '../rpn/proposal-describer.js';
import type { ExportedFile, ExportManifest, ImageSize, Precision } from './manifest.js';
import { metaWith } from './onnx.js';

/** How an exported file agrees with the model. */
export interface Verification extends Partial<ImageSize> {
  /** Pictures compared: photographs, or ones that are made up. */
  pictures: number;
  /** Largest absolute difference of a component. */
  maxDifference: number;
  /** Smallest cosine of two descriptors. */
  cosine: number;
  ok: boolean;
}

/** Components of unit descriptors must agree to this (float32 arithmetic in another order). */
export const tolerance = 1e-4;

/** Cosine with the model's descriptor that a file of rounded weights must reach. */
const leastCosine: Readonly<Record<Exclude<Precision, 'float32'>, number>> = { float16: 0.9999, int8: 0.98 };

export interface VerifyOptions {
  /** The regions it was exported with, in place of the model's own. */
  regions?: RegionSource | undefined;
  /** Photographs to compare on, brought to the file's size; default: pictures that are made up. */
  images?: readonly string[];
  /** How photographs are sized for a file that takes any size. */
  resize?: ExportManifest['resize'] | undefined;
  /** How its weights are stored: rounded ones give nearly the same descriptor. Default `float32`. */
  precision?: Precision | undefined;
}

/**
 * Runs one exported file in plain ONNX Runtime and compares with the model: with proposals, with those found in plain numbers. A
 * file for images of any size is run on several.
 */
export async function verifyOnnx(
  model: DescriptorModel,
  folder: string,
  { file, width, height }: ExportedFile,
  { regions, images = [], resize, precision = 'float32' }: VerifyOptions = {},
): Promise<Verification> {
  const meta = metaWith(model, regions);
  const describer = meta.regions && new ProposalDescriber(model, meta.regions);
  const session = await InferenceSession.create(join(folder, file));
  const fixed = width === undefined || height === undefined ? undefined : { width, height };
  const { longestSide = 512, enlarge = true, filter = 'lanczos3' } = resize ?? {};
  const describe = (pixels: tf.Tensor4D) =>
    // By the graph that trains: not by one that an exported file is made of.
    describer?.describe(pixels) ??
    model.describeFromPrefix(model.prefix(pixels, 'none'), 'none', [pixels.shape[1], pixels.shape[2]]);
  const compare = async ({ pixels, ...size }: Picture) => {
    const shape: [number, number, number, number] = [1, size.height, size.width, 3];
    const outputs = await session.run({ image: new Tensor('float32', pixels, shape) });
    const actual = outputs.descriptor?.data as Float32Array;
    const expected = tf.tidy(() => describe(tf.tensor4d(pixels, shape)).dataSync());
    return differenceOf(actual, expected);
  };
  const found: { maxDifference: number; cosine: number }[] = [];
  try {
    if (images.length === 0) {
      const sizes = fixed ? [fixed] : differentSizes(longestSide, model.smallestSide);
      for (const size of sizes) found.push(await compare(testPicture(size)));
    }
    for (const path of images)
      found.push(await compare(await photograph(path, fixed ?? { longestSide, enlarge, filter })));
  } finally {
    await session.release();
    describer?.dispose();
  }
  const maxDifference = largest(found.map((pair) => pair.maxDifference));
  const cosine = smallest(found.map((pair) => pair.cosine));
  const ok = precision === 'float32' ? maxDifference <= tolerance : cosine >= leastCosine[precision];
  return { ...fixed, pictures: found.length, maxDifference, cosine, ok };
}

/** Landscape, portrait and square, and sides of both parities. */
function differentSizes(longest: number, least: number): ImageSize[] {
  const short = Math.max(least, Math.round((longest * 3) / 4));
  return [
    { width: longest, height: short },
    { width: Math.max(least, Math.round(longest / 2)), height: longest - 1 },
    { width: longest, height: longest },
  ];
}

interface Picture extends ImageSize {
  /** [height, width, 3] RGB 0-255. */
  pixels: Float32Array;
}

function differenceOf(actual: ArrayLike<number>, expected: ArrayLike<number>) {
  let maxDifference = actual.length === expected.length ? 0 : Number.POSITIVE_INFINITY;
  let cosine = 0;
  for (let i = 0; i < expected.length; i++) {
    maxDifference = Math.max(maxDifference, Math.abs(actual[i] - expected[i]));
    cosine += actual[i] * expected[i];
  }
  return { maxDifference, cosine };
}

/** A file's picture, bent to a size or sized by the rule. */
async function photograph(path: string, size: ImageSize | NonNullable<ExportManifest['resize']>): Promise<Picture> {
  if ('longestSide' in size) {
    const sizing = { longest: size.longestSide, upscale: size.enlarge, kernel: size.filter };
    const { data, width, height } = await decodeImage(path, { sizing });
    return { pixels: Float32Array.from(data), width, height };
  }
  const { data, ...raw } = await decodeImage(path);
  const resized = sharp(data, { raw: { ...raw, channels: 3 } }).resize(size.width, size.height, { fit: 'fill' });
  return { ...size, pixels: Float32Array.from(await resized.raw().toBuffer()) };
}

/** Smooth colour waves with edges: every size gives the same kind of picture, without a file. */
function testPicture({ width, height }: ImageSize): Picture {
  const pixels = new Float32Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const tile = (Math.floor(x / 23) + Math.floor(y / 17)) % 2;
      for (let c = 0; c < 3; c++) {
        const wave = Math.sin(x * (0.021 + 0.013 * c)) * Math.cos(y * (0.034 - 0.007 * c));
        pixels[(y * width + x) * 3 + c] = Math.round(127 + 70 * wave + (tile === 0 ? -40 : 40));
      }
    }
  }
  return { pixels, width, height };
}
