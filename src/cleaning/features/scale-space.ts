/**
 * @file Gaussian scale space of one image in WebAssembly memory (Lowe 2004, section 3), one octave after the other.
 *
 * An octave has layers + 3 levels; level i is blurred by sigma 2^(i / layers) of its own pixels. Levels 1 to `layers` stay (keypoints
 * are described there), the first and the last two are shared by all octaves, so 7 planes of the first octave's size suffice.
 */
import type { GreyImage } from './grey-image.js';
import { type Kernels, loadKernels } from '../../wasm.js';
import { largest } from '../../extremes.js';

/** Exports of assembly/local-features.ts; addresses and sizes in the order explained there. */
export interface FeatureKernels {
  blur(
    from: number,
    to: number,
    width: number,
    height: number,
    stride: number,
    kernel: number,
    radius: number,
    scratch: number,
  ): void;
  double(
    from: number,
    to: number,
    width: number,
    height: number,
    stride: number,
    strideTo: number,
    scratch: number,
  ): void;
  halve(from: number, to: number, stride: number, width: number, height: number, strideTo: number): void;
  extrema(
    kind: number,
    levels: number,
    layers: number,
    width: number,
    height: number,
    stride: number,
    border: number,
    threshold: number,
    contrast: number,
    edge: number,
    ring: number,
    out: number,
    capacity: number,
  ): number;
  orientations(
    plane: number,
    width: number,
    height: number,
    stride: number,
    x: number,
    y: number,
    radius: number,
    sigma: number,
    ratio: number,
    passes: number,
    out: number,
  ): number;
  describe(
    plane: number,
    width: number,
    height: number,
    stride: number,
    x: number,
    y: number,
    angle: number,
    cell: number,
    out: number,
  ): void;
  warp(
    plane: number,
    width: number,
    height: number,
    stride: number,
    x: number,
    y: number,
    a11: number,
    a12: number,
    a21: number,
    a22: number,
    step: number,
    size: number,
    strideTo: number,
    to: number,
  ): void;
  secondMoment(patch: number, size: number, stride: number, weights: number, out: number): void;
}

export interface Octave {
  width: number;
  height: number;
  /** Floats of a row; a multiple of 16. */
  stride: number;
  /** Addresses of the layers + 3 levels; only 1 to `layers` outlive the octave. */
  levels: number[];
  /** Pixels of the image to a pixel of the octave. */
  step: number;
}

export interface ScaleSpaceOptions {
  /** Blur of level 0, px of the octave. Default 1.6. */
  sigma?: number;
  /** Layers per octave. Default 3. */
  layers?: number;
  /** -1 starts with the image doubled, 0 with the image itself. Default -1. */
  firstOctave?: -1 | 0;
}

/** Blur that a photograph is taken to have, px. */
const initialBlur = 0.5;
/** No extremum lies closer to the border than this, px of the octave. */
export const extremaBorder = 5;
const maxBytes = 2 ** 31 - 2 ** 24;
/** More memory than this is given back after use. */
const keptBytes = 256 * 2 ** 20;

let shared: Kernels<FeatureKernels> | undefined;

/** Runs `work` with this thread's kernels, memory emptied; what it returns must not point into it. */
export function withFeatureKernels<T>(work: (kernels: Kernels<FeatureKernels>) => T): T {
  shared ??= loadKernels<FeatureKernels>('cleaning/local-features');
  const kernels = shared;
  kernels.reset();
  try {
    return work(kernels);
  } finally {
    if (kernels.buffer().byteLength > keptBytes) shared = undefined;
  }
}

/**
 * Builds the octaves, finest first, and shows each to `visit` while all of its levels are there. Returns the octaves.
 * @throws RangeError for an image that is none or that needs more memory than WebAssembly has.
 */
export function buildScaleSpace(
  kernels: Kernels<FeatureKernels>,
  image: GreyImage,
  visit: (octave: Octave, index: number) => void,
  { sigma = 1.6, layers = 3, firstOctave = -1 }: ScaleSpaceOptions = {},
): Octave[] {
  checkImage(image, layers, firstOctave);
  const { exports } = kernels;
  const doubled = firstOctave === -1;
  const factor = doubled ? 2 : 1;
  let octave = size(image.width * factor, image.height * factor, 1 / factor);
  const plane = 4 * octave.stride * octave.height;
  const [first, spare, last] = [kernels.alloc(plane), kernels.alloc(plane), kernels.alloc(plane)];
  const known = Math.sqrt(Math.max(sigma ** 2 - (initialBlur * factor) ** 2, 0.01));
  const ratio = 2 ** (1 / layers);
  const blurs = Array.from({ length: layers + 2 }, (_, i) => sigma * ratio ** i * Math.sqrt(ratio ** 2 - 1));
  const filters = [known, ...blurs].map((blur) => storeFilter(kernels, blur));
  const widest = largest(filters.map(({ radius }) => radius));
  const scratch = kernels.alloc(4 * (octave.stride + 4 * widest + 64));
  const octaves: Octave[] = [];

  const from = loadPlane(kernels, image, doubled ? last : spare);
  if (doubled) exports.double(from, spare, image.width, image.height, stride(image.width), octave.stride, scratch);
  filter(spare, first, 0);
  for (;;) {
    const kept = Array.from({ length: layers }, () => kernels.alloc(4 * octave.stride * octave.height));
    octave.levels = [first, ...kept, spare, last];
    for (let i = 1; i < layers + 3; i++) filter(octave.levels[i - 1], octave.levels[i], i);
    visit(octave, octaves.length);
    octaves.push(octave);
    const next = size(octave.width >> 1, octave.height >> 1, 2 * octave.step);
    if (Math.min(next.width, next.height) <= 2 * extremaBorder) return octaves;
    exports.halve(octave.levels[layers], first, octave.stride, next.width, next.height, next.stride);
    octave = next;
  }

  function filter(source: number, to: number, index: number) {
    const { address, radius } = filters[index];
    exports.blur(source, to, octave.width, octave.height, octave.stride, address, radius, scratch);
  }
}

const stride = (width: number) => (width + 15) & ~15;

function size(width: number, height: number, step: number): Octave {
  return { width, height, stride: stride(width), levels: [], step };
}

function checkImage({ data, width, height }: GreyImage, layers: number, firstOctave: number): void {
  if (!(width >= 1 && height >= 1 && data.length === width * height)) {
    throw new RangeError(`buildScaleSpace: ${width}x${height} px with ${data.length} values; expected one a pixel.`);
  }
  const factor = firstOctave === -1 ? 2 : 1;
  const bytes = 4 * stride(width * factor) * height * factor * (3 + (4 / 3) * layers);
  if (bytes > maxBytes) {
    const limit = Math.floor(maxBytes / (4 * factor ** 2 * (3 + (4 / 3) * layers)) / 1e6);
    throw new RangeError(
      `Local features of ${width}x${height} px need ${Math.ceil(bytes / 2 ** 20)} MiB; scale the image down to ${limit} megapixels.`,
    );
  }
}

function loadPlane(kernels: Kernels<FeatureKernels>, { data, width, height }: GreyImage, address: number): number {
  const row = stride(width);
  const plane = new Float32Array(kernels.buffer(), address, row * height);
  for (let y = 0; y < height; y++) plane.set(data.subarray(y * width, (y + 1) * width), y * row);
  return address;
}

/** Centre and right half of a Gaussian cut at four sigma. */
function storeFilter(kernels: Kernels<FeatureKernels>, sigma: number): { address: number; radius: number } {
  const radius = Math.round(8 * sigma + 1) >> 1;
  const weights = Array.from({ length: radius + 1 }, (_, k) => Math.exp((-k * k) / (2 * sigma * sigma)));
  const sum = 2 * weights.reduce((total, weight) => total + weight, 0) - weights[0];
  const address = kernels.alloc(4 * (radius + 1));
  new Float32Array(kernels.buffer(), address, radius + 1).set(weights.map((weight) => weight / sum));
  return { address, radius };
}
