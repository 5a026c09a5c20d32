/**
 * @file SIFT: scale-invariant keypoints and descriptors (Lowe, "Distinctive Image Features from Scale-Invariant Keypoints",
 * IJCV 2004), with the parameters of OpenCV 4, to which tests compare it.
 *
 * It differs from OpenCV in this: of equally strong keypoints the first in scanning order is kept, directions are only
 * computed for keypoints that are kept, and positions count from the first pixel's centre (OpenCV 4.6 adds a quarter pixel).
 */
import { descriptorLength, type Features, frameLength } from './features.js';
import type { GreyImage } from './grey-image.js';
import {
  buildScaleSpace,
  extremaBorder,
  type Octave,
  type ScaleSpaceOptions,
  withFeatureKernels,
} from './scale-space.js';
import { StrongestFirst } from './strongest-first.js';

export interface SiftOptions extends ScaleSpaceOptions {
  /** The strongest are kept. Default 1500. */
  maxKeypoints?: number;
  /** Smallest |difference of Gaussians| times layers, of 1. Default 0.04. */
  contrastThreshold?: number;
  /** Largest ratio of principal curvatures. Default 10. */
  edgeThreshold?: number;
}

const peakRatio = 0.8;
const recordFloats = 8;

/** Keypoints of a grey image, strongest first, in its pixels. None on an image without texture. */
export function siftFeatures(image: GreyImage, options: SiftOptions = {}): Features {
  const { maxKeypoints = 1500, contrastThreshold = 0.04, edgeThreshold = 10, sigma = 1.6, layers = 3 } = options;
  return withFeatureKernels((kernels) => {
    const { exports } = kernels;
    const candidates = new StrongestFirst(recordFloats, 3);
    const table = kernels.alloc(4 * (layers + 3));
    const angles = kernels.alloc(4 * 36);
    let capacity = 1 << 14;
    let records = kernels.alloc(4 * recordFloats * capacity);
    let ring: number | undefined;
    const threshold = Math.floor(((0.5 * contrastThreshold) / layers) * 255);

    function visit({ width, height, stride, levels }: Octave, index: number) {
      ring ??= kernels.alloc(4 * (3 * (layers + 2) * stride + 16));
      new Uint32Array(kernels.buffer(), table, layers + 3).set(levels);
      const find = () =>
        exports.extrema(
          table,
          layers,
          width,
          height,
          stride,
          extremaBorder,
          threshold,
          contrastThreshold * 255,
          edgeThreshold,
          ring as number,
          records,
          capacity,
        );
      let count = find();
      if (count > capacity) {
        capacity = count;
        records = kernels.alloc(4 * recordFloats * capacity);
        count = find();
      }
      const found = new Float32Array(kernels.buffer(), records, recordFloats * count);
      for (let i = 0; i < count; i++) found[recordFloats * i + 7] = index;
      candidates.add(found);
    }

    const octaves = buildScaleSpace(kernels, image, visit, options);
    const descriptor = kernels.alloc(descriptorLength);
    const written = new Uint8Array(kernels.buffer(), descriptor, descriptorLength);
    const peaks = new Float32Array(kernels.buffer(), angles, 36);
    const keypoints: { record: Float32Array; angle: number }[] = [];
    for (const record of candidates.distinct()) {
      if (keypoints.length >= maxKeypoints) break;
      const [, , layer, , column, row, level, index] = record;
      const { width, height, stride, levels } = octaves[index];
      const scale = sigma * 2 ** (layer / layers); // px of the octave
      const radius = Math.round(4.5 * scale);
      const plane = levels[level];
      const count = exports.orientations(
        plane,
        width,
        height,
        stride,
        column,
        row,
        radius,
        1.5 * scale,
        peakRatio,
        angles,
      );
      for (const angle of peaks.subarray(0, Math.min(count, maxKeypoints - keypoints.length))) {
        keypoints.push({ record, angle });
      }
    }

    const count = keypoints.length;
    const frames = new Float32Array(frameLength * count);
    const responses = new Float32Array(count);
    const descriptors = new Uint8Array(descriptorLength * count);
    // the doubled image lies a quarter pixel to the left of where halving would put it
    const shift = options.firstOctave === 0 ? 0 : -0.25;
    for (const [i, { record, angle }] of keypoints.entries()) {
      const [x, y, layer, response, column, row, level, index] = record;
      const { width, height, stride, levels, step } = octaves[index];
      const scale = sigma * 2 ** (layer / layers);
      const [cos, sin] = [scale * step * Math.cos(angle), scale * step * Math.sin(angle)];
      frames.set([x * step + shift, y * step + shift, cos, -sin, sin, cos], frameLength * i);
      responses[i] = response / 255;
      exports.describe(levels[level], width, height, stride, column, row, angle, 3 * scale, descriptor);
      descriptors.set(written, descriptorLength * i);
    }
    return { count, frames, responses, descriptors, width: image.width, height: image.height };
  });
}
