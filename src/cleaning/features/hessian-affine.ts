/**
 * @file Hessian-affine regions (Mikolajczyk and Schmid, "Scale and Affine Invariant Interest Point Detectors", IJCV 2004) with
 * RootSIFT descriptors of their normalised patches.
 *
 * Points are extrema of sigma^4 det H in space and scale. Their shape is iterated until the second moment of the gradients in
 * the region's own frame is isotropic, its shorter half axis staying the point's scale. Patches come from the pyramid level whose
 * blur is at most that. Where papers leave a choice it is VLFeat's, to which tests compare: minima of the determinant (saddles)
 * count as well, and a point within half the scale of a stronger one of about its scale is left out.
 */
import {
  adapted,
  anisotropy,
  type Matrix2,
  elongation,
  shorterAxis,
  turned,
  upright,
  withShorterAxis,
} from './affine-shape.js';
import { append } from '../../extremes.js';
import { descriptorLength, type Features, frameLength } from './features.js';
import type { GreyImage } from './grey-image.js';
import { type FeatureKernels, type Octave, type ScaleSpaceOptions, withFeatureKernels } from './scale-space.js';
import { imagePosition, scaleSpaceExtrema } from './scale-space-extrema.js';
import type { Kernels } from '../../wasm.js';

export interface HessianAffineOptions extends ScaleSpaceOptions {
  /** The strongest are kept. Default 1500. */
  maxKeypoints?: number;
  /** Smallest |sigma^4 det H|, of 1. Default 0.003, as VLFeat. */
  hessianThreshold?: number;
  /** Largest ratio of principal curvatures of the determinant. Default 10. */
  edgeThreshold?: number;
  /** Leave frames upright (v along the image's y) instead of turning them to their dominant directions. Default false. */
  upright?: boolean;
}

/** Side of a normalised patch, px. */
const patchSide = 41;
const patchStride = 48;
const centre = (patchSide - 1) / 2;
/** Gaussian window of the second moment and of directions, and the patch they see, in scales of the region. */
const windowSigma = 3;
const shapeExtent = 9;
/** Half of what a descriptor sees: four cells of three scales, half a cell more, in scales. */
const cell = 3;
const descriptorExtent = 2.5 * cell;
const maxIterations = 16;
/** Second moments this close to isotropic have converged. */
const isotropic = 1.01;
const maxElongation = 6;
const peakRatio = 0.8;
/** Smoothings of the histogram of directions by 1 4 6 4 1: fewer directions than SIFT's one. */
const smoothings = 8;
const directionBins = 36;

/** Affine regions of a grey image, strongest first, in its pixels. None on an image without texture. */
export function hessianAffineFeatures(image: GreyImage, options: HessianAffineOptions = {}): Features {
  const { maxKeypoints = 1500, hessianThreshold = 0.003, edgeThreshold = 10, sigma = 1.6, layers = 3 } = options;
  return withFeatureKernels((kernels) => {
    const { exports } = kernels;
    const anglesAt = kernels.alloc(4 * directionBins);
    const descriptorAt = kernels.alloc(descriptorLength);
    const patch = kernels.alloc(4 * patchStride * (patchSide + 1));
    const threshold = hessianThreshold * 255 ** 2;
    const { octaves, extrema } = scaleSpaceExtrema(kernels, image, {
      ...options,
      response: 'hessianDeterminant',
      threshold: 0.8 * threshold,
      contrast: threshold,
      edgeThreshold,
    });
    const shapeOf = shapeFinder(kernels, patch);
    const isApart = suppression();
    const angles = new Float32Array(kernels.buffer(), anglesAt, directionBins);
    const descriptor = new Uint8Array(kernels.buffer(), descriptorAt, descriptorLength);
    const frames: number[] = [];
    const responses: number[] = [];
    const descriptors: Uint8Array[] = [];

    /** The patch of `extent` scales around (x, y), px of the image, in the frame `shape`. */
    function cut(x: number, y: number, shape: Matrix2, extent: number) {
      const { octave, level } = nearestLevel(octaves, shorterAxis(shape), sigma, layers);
      const { width, height, stride, step, levels } = octave;
      const at = (position: number) => (position - imagePosition(0, octave, options)) / step;
      const [a, b, c, d] = shape;
      exports.warp(
        levels[level],
        width,
        height,
        stride,
        at(x),
        at(y),
        a,
        b,
        c,
        d,
        extent / (centre * step),
        patchSide,
        patchStride,
        patch,
      );
    }

    for (const extremum of extrema()) {
      if (responses.length >= maxKeypoints) break;
      const { octave, layer, response } = extremum;
      const x = imagePosition(extremum.x, octave, options);
      const y = imagePosition(extremum.y, octave, options);
      const scale = sigma * 2 ** (layer / layers) * octave.step;
      if (!isApart(x, y, scale)) continue;
      const shape = shapeOf(scale, (current) => cut(x, y, current, shapeExtent));
      if (shape === undefined) continue;
      let turns: number[] = [0];
      if (options.upright !== true) {
        cut(x, y, shape, shapeExtent);
        const window = (windowSigma * centre) / shapeExtent;
        const peaks = exports.orientations(
          patch,
          patchSide,
          patchSide,
          patchStride,
          centre,
          centre,
          centre,
          window,
          peakRatio,
          smoothings,
          anglesAt,
        );
        turns = [...angles.subarray(0, peaks)];
      }
      for (const angle of turns.slice(0, maxKeypoints - responses.length)) {
        const frame = turned(shape, angle);
        // a pixel beyond the histogram's reach for the gradient
        const extent = (descriptorExtent * centre) / (centre - 1);
        cut(x, y, frame, extent);
        const cellPx = (cell * centre) / extent;
        exports.describe(patch, patchSide, patchSide, patchStride, centre, centre, 0, cellPx, descriptorAt);
        frames.push(x, y);
        append(frames, frame);
        responses.push(response / 255 ** 2);
        descriptors.push(descriptor.slice());
      }
    }
    const all = new Uint8Array(descriptorLength * descriptors.length);
    for (const [i, one] of descriptors.entries()) all.set(one, descriptorLength * i);
    return {
      count: frames.length / frameLength,
      frames: Float32Array.from(frames),
      responses: Float32Array.from(responses),
      descriptors: all,
      width: image.width,
      height: image.height,
    };
  });
}

/** Of the levels that outlive their octave the coarsest with at most the blur `scale`, px of the image. */
function nearestLevel(octaves: readonly Octave[], scale: number, sigma: number, layers: number) {
  const finest = Math.floor(layers * Math.log2(scale / (sigma * octaves[0].step)) + 1e-6);
  const steps = Math.min(Math.max(finest, 1), layers * octaves.length);
  const index = Math.floor((steps - 1) / layers);
  return { octave: octaves[index], level: steps - layers * index };
}

/** Remembers the points it is asked about, strongest first; false within half a scale of one of similar scale. */
function suppression(tolerance = 0.5) {
  const points: { x: number; y: number; scale: number }[] = [];
  return (x: number, y: number, scale: number): boolean => {
    const near = points.some(
      (other) =>
        Math.abs(other.x - x) < tolerance * other.scale &&
        Math.abs(other.y - y) < tolerance * other.scale &&
        Math.max(other.scale / scale, scale / other.scale) < 1 + tolerance,
    );
    if (!near) points.push({ x, y, scale });
    return !near;
  };
}

/** Finds the shape of a region whose shorter half axis is `scale`; undefined where none is found or it is too elongated. */
function shapeFinder(kernels: Kernels<FeatureKernels>, patch: number) {
  const { exports } = kernels;
  const weightsAt = kernels.alloc(4 * patchStride * (patchSide + 1));
  const momentAt = kernels.alloc(24);
  const weights = new Float32Array(kernels.buffer(), weightsAt, patchStride * patchSide).fill(0);
  const deviation = (windowSigma * centre) / shapeExtent;
  for (let v = 1; v < patchSide - 1; v++) {
    for (let u = 1; u < patchSide - 1; u++) {
      const square = (u - centre) ** 2 + (v - centre) ** 2;
      weights[patchStride * v + u] = Math.exp(-square / (2 * deviation ** 2));
    }
  }
  const moment = new Float64Array(kernels.buffer(), momentAt, 3);
  return (scale: number, cut: (shape: Matrix2) => void): Matrix2 | undefined => {
    let shape: Matrix2 = [scale, 0, 0, scale];
    for (let iteration = 0; iteration < maxIterations; iteration++) {
      cut(shape);
      exports.secondMoment(patch, patchSide, patchStride, weightsAt, momentAt);
      const [xx, xy, yy] = moment;
      const excess = anisotropy(xx, xy, yy);
      // negated, so that a patch without gradients is caught
      if (!(excess < 1e6)) return undefined;
      if (excess < isotropic) return upright(shape);
      shape = withShorterAxis(adapted(shape, xx, xy, yy), scale);
      if (elongation(shape) > maxElongation) return undefined;
    }
    return undefined;
  };
}
