/** @file Local features of one image by any of the detectors. Synchronous and self-contained: safe in worker threads. */
import { type Detector, detectorNames, type Features, frameLength } from './features.js';
import type { GreyImage } from './grey-image.js';
import { type HessianAffineOptions, hessianAffineFeatures } from './hessian-affine.js';
import { siftFeatures, type SiftOptions } from './sift.js';

const detectors = { sift: siftFeatures, 'hessian-affine': hessianAffineFeatures } satisfies Record<Detector, unknown>;

/** Which detector, and the settings of both. */
export interface DetectOptions extends SiftOptions, HessianAffineOptions {
  /** Default 'sift'. */
  detector?: Detector;
}

/**
 * Features of an image, strongest first, in pixels of `image.original` where it has one, else of the image.
 * @throws RangeError for an image of more pixels than fit into memory (19 megapixels).
 */
export function detectFeatures(image: GreyImage, { detector = 'sift', ...options }: DetectOptions = {}): Features {
  if (!Object.hasOwn(detectors, detector)) {
    throw new RangeError(
      `detectFeatures: unknown detector "${detector as string}"; known: ${detectorNames.join(', ')}.`,
    );
  }
  const features = detectors[detector](image, options);
  return image.original === undefined ? features : enlarge(features, image.original);
}

/** Pixel centres keep their place: x + 1/2 scales. */
function enlarge(features: Features, { width, height }: { width: number; height: number }): Features {
  const { count, frames } = features;
  const [sx, sy] = [width / features.width, height / features.height];
  for (let i = 0; i < count; i++) {
    const [x, y, a11, a12, a21, a22] = frames.subarray(frameLength * i, frameLength * (i + 1));
    frames.set([(x + 0.5) * sx - 0.5, (y + 0.5) * sy - 0.5, a11 * sx, a12 * sx, a21 * sy, a22 * sy], frameLength * i);
  }
  return { ...features, width, height };
}
