/** @file Extrema of a response in space and scale, refined, from all octaves of an image. */
import type { GreyImage } from './grey-image.js';
import {
  buildScaleSpace,
  extremaBorder,
  type FeatureKernels,
  type Octave,
  type ScaleSpaceOptions,
} from './scale-space.js';
import { StrongestFirst } from './strongest-first.js';
import type { Kernels } from '../../wasm.js';

/** As numbered in assembly/response.ts. */
const kinds = { differenceOfGaussians: 0, hessianDeterminant: 1 };

export interface ExtremaOptions extends ScaleSpaceOptions {
  response: keyof typeof kinds;
  /** |Response| at the pixel must be above this, after refinement at least `contrast`; grey levels 0 to 255. */
  threshold: number;
  contrast: number;
  /** Largest ratio of the response's principal curvatures. */
  edgeThreshold: number;
}

export interface Extremum {
  /** Pixels of the octave. */
  x: number;
  y: number;
  /** Refined layer; the blur there is sigma 2^(layer / layers) pixels of the octave. */
  layer: number;
  response: number;
  /** The sample it was refined from. */
  column: number;
  row: number;
  level: number;
  octave: Octave;
}

const recordFloats = 8;

/** Strongest first, equally strong ones by octave, layer, row and column, none twice. The octaves stay in memory. */
export function scaleSpaceExtrema(
  kernels: Kernels<FeatureKernels>,
  image: GreyImage,
  options: ExtremaOptions,
): { octaves: Octave[]; extrema: () => Generator<Extremum> } {
  const { exports } = kernels;
  const { response, threshold, contrast, edgeThreshold, sigma = 1.6, layers = 3 } = options;
  const found = new StrongestFirst(recordFloats, 3);
  const levelCount = layers + 3;
  const table = kernels.alloc(8 * levelCount);
  let capacity = 1 << 14;
  let records = kernels.alloc(4 * recordFloats * capacity);
  let ring: number | undefined;

  function visit({ width, height, stride, levels }: Octave, index: number) {
    ring ??= kernels.alloc(4 * (3 * (layers + 2) * stride + 16));
    new Uint32Array(kernels.buffer(), table, levelCount).set(levels);
    const norms = levels.map((_, level) => (sigma * 2 ** (level / layers)) ** 4);
    new Float32Array(kernels.buffer(), table + 4 * levelCount, levelCount).set(norms);
    const find = (first: number) =>
      exports.extrema(
        kinds[response],
        table,
        layers,
        width,
        height,
        stride,
        extremaBorder,
        threshold,
        contrast * layers,
        edgeThreshold,
        first,
        records,
        capacity,
      );
    let count = find(ring);
    if (count > capacity) {
      capacity = count;
      records = kernels.alloc(4 * recordFloats * capacity);
      count = find(ring);
    }
    const rows = new Float32Array(kernels.buffer(), records, recordFloats * count);
    for (let i = 0; i < count; i++) rows[recordFloats * i + 7] = index;
    found.add(rows);
  }

  const octaves = buildScaleSpace(kernels, image, visit, options);
  function* extrema(): Generator<Extremum> {
    for (const [x, y, layer, strength, column, row, level, octave] of found.distinct()) {
      yield { x, y, layer, response: strength, column, row, level, octave: octaves[octave] };
    }
  }
  return { octaves, extrema };
}

/** Position in the image of a position in an octave: the doubled image lies a quarter pixel to the left. */
export function imagePosition(position: number, { step }: Octave, { firstOctave = -1 }: ScaleSpaceOptions): number {
  return position * step - (firstOctave === -1 ? 0.25 : 0);
}
