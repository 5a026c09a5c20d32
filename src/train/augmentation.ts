/**
 * @file Seeded changes of a training image: mirror, colour, zoom. What was drawn is a small record (a view), so that an image
 * is changed the same way when an update describes it and again when it replays it.
 */
import type { ImageSizing } from '../data/images.js';
import type { RgbImage } from '../data/rgb-image.js';
import type { RandomStream } from './random.js';

export interface AugmentationOptions {
  flip: boolean;
  /** Brightness and each channel are multiplied by 1 ± up to this. */
  colour: number;
  /** The image is enlarged by 1 to 1 + this and a window of its usual size cut out. */
  crop: number;
}

export interface ImageView {
  flip: boolean;
  /** Factors of red, green, blue. */
  gains: readonly [number, number, number];
  /** At least 1. */
  zoom: number;
  /** Place of the window among those possible, 0 to 1 from the left and from the top. */
  left: number;
  top: number;
  /** Of a generated photograph (views/view-generator.ts), to which nothing of the above is done. */
  generated?: number;
}

/** The image as it is. */
export const identityView: ImageView = { flip: false, gains: [1, 1, 1], zoom: 1, left: 0, top: 0 };

/** A photograph generated from the image by `seed`. */
export function generatedView(seed: number): ImageView {
  return { ...identityView, generated: seed };
}

/** A random one. */
export function drawGenerated(random: RandomStream): ImageView {
  return generatedView(random.below(2 ** 31));
}

/** A random view. Draws nothing for what is off, and always the same number of values for what is on. */
export function drawView(random: RandomStream, { flip, colour, crop }: AugmentationOptions): ImageView {
  const view: ImageView = { ...identityView };
  if (flip) view.flip = random.next() < 0.5;
  if (colour > 0) {
    const brightness = random.between(1 - colour, 1 + colour);
    const gain = () => brightness * random.between(1 - colour / 2, 1 + colour / 2);
    view.gains = [gain(), gain(), gain()];
  }
  if (crop > 0) {
    view.zoom = random.between(1, 1 + crop);
    view.left = random.next();
    view.top = random.next();
  }
  return view;
}

/** Whether other updates will meet the very same pixels: the plain image and its mirror image. */
export function isReusable({ gains, zoom, generated }: ImageView): boolean {
  return generated === undefined && zoom === 1 && gains.every((gain) => gain === 1);
}

/** Sides of a generated photograph, px: as telephones are held, upright or across, in the network's stride. */
export function frameOf(generated: number, { imageSize, stride }: { imageSize: number; stride: number }) {
  const snap = (side: number) => Math.max(1, Math.round(side / stride)) * stride;
  const [longer, shorter] = [snap(imageSize), snap(0.75 * imageSize)];
  return generated % 2 === 0 ? { width: longer, height: shorter } : { width: shorter, height: longer };
}

/** How large an image is decoded for a view. */
export function sizingOf(
  { zoom }: ImageView,
  { imageSize, stride }: { imageSize: number; stride: number },
): ImageSizing {
  return { longest: Math.round(imageSize * zoom), multipleOf: stride };
}

/** Sides of a view's window in an image decoded for it: multiples of `stride`, so that a view adds no image shape. */
export function windowSides(image: { width: number; height: number }, { zoom }: ImageView, stride: number) {
  const windowSide = (side: number) =>
    zoom === 1 ? side : Math.min(side, Math.max(stride, Math.round(side / zoom / stride) * stride));
  return { width: windowSide(image.width), height: windowSide(image.height) };
}

/** First column and row of a window of such sides. */
export function windowOrigin(
  image: { width: number; height: number },
  { left, top }: ImageView,
  { width, height }: { width: number; height: number },
): { left: number; top: number } {
  return { left: Math.floor(left * (image.width - width)), top: Math.floor(top * (image.height - height)) };
}

/** Applies a view to an image decoded at the size of `sizingOf`. */
export function applyView(image: RgbImage, view: ImageView, stride: number): RgbImage {
  if (!view.flip && isReusable(view)) return image;
  return cutWindow(image, view, windowSides(image, view, stride));
}

/** The view's window of `width` x `height` px, which must fit into the image, with its mirror and colours. */
export function cutWindow(
  image: RgbImage,
  view: ImageView,
  { width, height }: { width: number; height: number },
): RgbImage {
  const { left, top } = windowOrigin(image, view, { width, height });
  const data = new Uint8Array(width * height * 3);
  const tables = view.gains.map((gain) =>
    Uint8ClampedArray.from({ length: 256 }, (_, value) => Math.round(value * gain)),
  );
  let to = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = ((top + y) * image.width + left + (view.flip ? width - 1 - x : x)) * 3;
      data[to++] = tables[0][image.data[from]];
      data[to++] = tables[1][image.data[from + 1]];
      data[to++] = tables[2][image.data[from + 2]];
    }
  }
  return { data, width, height };
}
