/**
 * @file SIFT: scale-invariant keypoints and descriptors (Lowe, "Distinctive Image Features from Scale-Invariant Keypoints",
 * IJCV 2004), with the parameters of OpenCV 4, to which tests compare it.
 *
 * It differs from OpenCV in this: of equally strong keypoints the first in scanning order is kept, directions are only
 * computed for keypoints that are kept, and positions count from the first pixel's centre (OpenCV 4.6 adds a quarter pixel).
 */
import { descriptorLength, type Features, frameLength } from './features.js';
import type { GreyImage } from './grey-image.js';
import { type ScaleSpaceOptions, withFeatureKernels } from './scale-space.js';
import { type Extremum, imagePosition, scaleSpaceExtrema } from './scale-space-extrema.js';

export interface SiftOptions extends ScaleSpaceOptions {
  /** The strongest are kept. Default 1500. */
  maxKeypoints?: number;
  /** Smallest |difference of Gaussians| times layers, of 1. Default 0.04. */
  contrastThreshold?: number;
  /** Largest ratio of principal curvatures. Default 10. */
  edgeThreshold?: number;
}

/** Directions of at least this share of the strongest make a keypoint of their own. */
const peakRatio = 0.8;
const directionBins = 36;

/** Keypoints of a grey image, strongest first, in its pixels. None on an image without texture. */
export function siftFeatures(image: GreyImage, options: SiftOptions = {}): Features {
  const { maxKeypoints = 1500, contrastThreshold = 0.04, edgeThreshold = 10, sigma = 1.6, layers = 3 } = options;
  return withFeatureKernels((kernels) => {
    const { exports } = kernels;
    const anglesAt = kernels.alloc(4 * directionBins);
    const descriptorAt = kernels.alloc(descriptorLength);
    const { extrema } = scaleSpaceExtrema(kernels, image, {
      ...options,
      response: 'differenceOfGaussians',
      threshold: Math.floor(((0.5 * contrastThreshold) / layers) * 255),
      contrast: (contrastThreshold * 255) / layers,
      edgeThreshold,
    });
    const angles = new Float32Array(kernels.buffer(), anglesAt, directionBins);
    const descriptor = new Uint8Array(kernels.buffer(), descriptorAt, descriptorLength);

    const keypoints: { extremum: Extremum; scale: number; angle: number }[] = [];
    for (const extremum of extrema()) {
      if (keypoints.length >= maxKeypoints) break;
      const { octave, layer, column, row, level } = extremum;
      const { width, height, stride, levels } = octave;
      const scale = sigma * 2 ** (layer / layers); // px of the octave
      const radius = Math.round(4.5 * scale);
      const plane = levels[level];
      const peaks = exports.orientations(
        plane,
        width,
        height,
        stride,
        column,
        row,
        radius,
        1.5 * scale,
        peakRatio,
        1,
        anglesAt,
      );
      const count = Math.min(peaks, maxKeypoints - keypoints.length);
      for (const angle of angles.subarray(0, count)) keypoints.push({ extremum, scale, angle });
    }

    const count = keypoints.length;
    const frames = new Float32Array(frameLength * count);
    const responses = new Float32Array(count);
    const descriptors = new Uint8Array(descriptorLength * count);
    for (const [i, { extremum, scale, angle }] of keypoints.entries()) {
      const { octave, x, y, column, row, level } = extremum;
      const { width, height, stride, levels, step } = octave;
      const [cos, sin] = [scale * step * Math.cos(angle), scale * step * Math.sin(angle)];
      const position = [imagePosition(x, octave, options), imagePosition(y, octave, options)];
      frames.set([...position, cos, -sin, sin, cos], frameLength * i);
      responses[i] = extremum.response / 255;
      exports.describe(levels[level], width, height, stride, column, row, angle, 3 * scale, descriptorAt);
      descriptors.set(descriptor, descriptorLength * i);
    }
    return { count, frames, responses, descriptors, width: image.width, height: image.height };
  });
}
