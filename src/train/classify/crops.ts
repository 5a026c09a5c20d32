/** @file Square crops of one size for classification: of random scale and place to train on, of the centre to measure. */
import * as tf from '@tensorflow/tfjs-core';
import { decodeImage } from '../../data/images.js';
import type { RgbImage } from '../../data/rgb-image.js';
import { cutWindow, drawGenerated, drawView, type ImageView, identityView } from '../augmentation.js';
import type { RandomStream } from '../random.js';
import type { TrainingRecord } from '../views/training-record.js';
import type { ViewGenerator } from '../views/view-generator.js';
import type { ClassifyConfig } from './classify-config.js';

/** An image whose shorter side becomes `shortest` px, and the window that is cut from it; or a photograph generated from it. */
export interface Crop {
  record: TrainingRecord;
  shortest: number;
  view: ImageView;
}

/** Scale jittering of Simonyan and Zisserman 2015 (section 3.1): the shorter side is uniform among the whole numbers of the range. */
export function drawCrop(
  record: TrainingRecord,
  random: RandomStream,
  {
    flip,
    colour,
    shortestSideMin,
    shortestSideMax,
  }: Pick<ClassifyConfig, 'flip' | 'colour' | 'shortestSideMin' | 'shortestSideMax'>,
): Crop {
  if (record.generated) return { record, shortest: shortestSideMin, view: drawGenerated(random) };
  const shortest = shortestSideMin + random.below(shortestSideMax - shortestSideMin + 1);
  const view = drawView(random, { flip, colour, crop: 0 });
  return { record, shortest, view: { ...view, left: random.next(), top: random.next() } };
}

export function centreCrop(record: TrainingRecord, { validationSide }: Pick<ClassifyConfig, 'validationSide'>): Crop {
  return { record, shortest: validationSide, view: { ...identityView, left: 0.5, top: 0.5 } };
}

/** Decodes one crop of `cropSize` x `cropSize` px. `views` is needed for generated ones. Throws the image's `InputError`. */
export async function decodeCrop(
  { record, shortest, view }: Crop,
  cropSize: number,
  views?: ViewGenerator,
): Promise<RgbImage> {
  if (view.generated !== undefined)
    return views!.generate(record, view.generated, { width: cropSize, height: cropSize });
  const image = await decodeImage(record.path, { sizing: { longest: 'none', shortest } });
  return cutWindow(image, view, { width: cropSize, height: cropSize });
}

/** Numbers of images of one size, 0 to 255, and their shape [N, H, W, 3]. */
export function stackPixels(images: readonly RgbImage[]): {
  values: Float32Array;
  shape: [number, number, number, number];
} {
  const { width, height } = images[0];
  const values = new Float32Array(images.length * width * height * 3);
  images.forEach((image, i) => values.set(image.data, i * width * height * 3));
  return { values, shape: [images.length, height, width, 3] };
}

/** The same as a tensor, which the caller owns. */
export function stackImages(images: readonly RgbImage[]): tf.Tensor4D {
  const { values, shape } = stackPixels(images);
  return tf.tensor4d(values, shape);
}
