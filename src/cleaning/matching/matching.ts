/** @file Nearest neighbours of local descriptors with Lowe's ratio test, exact, in WebAssembly SIMD (`assembly/descriptors.ts`). */
import { descriptorLength, type Features } from '../features/features.js';
import { type Kernels, loadKernels } from '../../wasm.js';

export interface MatchOptions {
  /** Nearest distance over second nearest must be below this (Lowe 2004, section 7.1: 0.8). Default 0.8. */
  ratio?: number;
  /** Keep a match only if a's feature is also b's nearest. Default false. */
  mutual?: boolean;
  /** Use each feature of b at most once: for the nearest feature of a, the first of equals. Default false. */
  unique?: boolean;
}

/** Tentative correspondences of two images, in the order of a's features. */
export interface Matches {
  /** M. */
  count: number;
  /** Index of a feature of a and of one of b, [M, 2]. */
  pairs: Uint32Array;
  /** Euclidean distance of the descriptors, [M]. */
  distances: Float32Array;
  /** That distance over the second nearest one's, [M]; small is distinct. */
  ratios: Float32Array;
}

interface DescriptorKernels {
  widenRows(bytes: number, count: number, rows: number): void;
  packColumns(bytes: number, count: number, columns: number, norms: number): void;
  nearestTwo(
    rows: number,
    rowCount: number,
    columns: number,
    norms: number,
    columnCount: number,
    state: number,
    out: number,
  ): void;
}

let loaded: Kernels<DescriptorKernels> | undefined;

/**
 * Matches every feature of a with its nearest in b. Without a second feature in b there is nothing to tell a match by, so no match.
 * @throws RangeError for a ratio outside (0, 1].
 */
export function matchFeatures(
  a: Features,
  b: Features,
  { ratio = 0.8, mutual = false, unique = false }: MatchOptions = {},
): Matches {
  if (!(ratio > 0 && ratio <= 1)) throw new RangeError(`matchFeatures: ratio in (0, 1] expected, got ${ratio}.`);
  if (a.count === 0 || b.count < 2) return noMatches();
  const { nearest, best, second } = nearestTwo(a.descriptors, b.descriptors);
  // the ratio of distances, on their squares; two equal neighbours never pass
  let kept: number[] = [];
  for (let i = 0; i < a.count; i++) if (best[i] < ratio * ratio * second[i]) kept.push(i);
  if (mutual && a.count > 1 && kept.length > 0) {
    const back = nearestTwo(rowsOf(b.descriptors, kept, nearest), a.descriptors);
    kept = kept.filter((_, m) => back.nearest[m] === kept[m]);
  }
  if (unique) {
    const user = new Map<number, number>();
    for (const i of kept) {
      const other = user.get(nearest[i]);
      if (other === undefined || best[i] < best[other]) user.set(nearest[i], i);
    }
    kept = kept.filter((i) => user.get(nearest[i]) === i);
  }
  const matches = noMatches(kept.length);
  kept.forEach((i, m) => {
    matches.pairs[2 * m] = i;
    matches.pairs[2 * m + 1] = nearest[i];
    matches.distances[m] = Math.sqrt(best[i]);
    matches.ratios[m] = Math.sqrt(best[i] / second[i]);
  });
  return matches;
}

/** Index of the nearest row of `columns` for each of `rows` ([N, 128] bytes) and the squared distances to it and to the second nearest. */
export function nearestTwo(
  rows: Uint8Array,
  columns: Uint8Array,
): { nearest: Uint32Array; best: Int32Array; second: Int32Array } {
  const kernels = (loaded ??= loadKernels<DescriptorKernels>('cleaning/descriptors'));
  const { exports } = kernels;
  const rowCount = rows.length / descriptorLength;
  const columnCount = columns.length / descriptorLength;
  const evenRows = rowCount + (rowCount & 1);
  const paddedColumns = Math.ceil(columnCount / 16) * 16;
  kernels.reset();
  const bytes = kernels.alloc(Math.max(rows.length, columns.length));
  const widened = kernels.alloc(evenRows * descriptorLength * 2);
  const packed = kernels.alloc(paddedColumns * descriptorLength * 2);
  const norms = kernels.alloc(paddedColumns * 4);
  const state = kernels.alloc(evenRows * 48);
  const out = kernels.alloc(evenRows * 12);
  const memory = new Uint8Array(kernels.buffer());
  memory.set(columns, bytes);
  exports.packColumns(bytes, columnCount, packed, norms);
  memory.set(rows, bytes);
  exports.widenRows(bytes, rowCount, widened);
  exports.nearestTwo(widened, evenRows, packed, norms, paddedColumns, state, out);

  const found = new Int32Array(kernels.buffer(), out, rowCount * 3);
  const nearest = new Uint32Array(rowCount);
  const best = new Int32Array(rowCount);
  const second = new Int32Array(rowCount);
  for (let i = 0; i < rowCount; i++) {
    let norm = 0;
    for (let k = i * descriptorLength; k < (i + 1) * descriptorLength; k++) norm += rows[k] * rows[k];
    best[i] = found[3 * i] + norm;
    second[i] = found[3 * i + 1] + norm;
    nearest[i] = found[3 * i + 2];
  }
  return { nearest, best, second };
}

function noMatches(count = 0): Matches {
  return {
    count,
    pairs: new Uint32Array(2 * count),
    distances: new Float32Array(count),
    ratios: new Float32Array(count),
  };
}

/** The nearest descriptors of the kept features, gathered. */
function rowsOf(descriptors: Uint8Array, kept: readonly number[], nearest: Uint32Array): Uint8Array {
  const rows = new Uint8Array(kept.length * descriptorLength);
  kept.forEach((i, m) => {
    const from = nearest[i] * descriptorLength;
    rows.set(descriptors.subarray(from, from + descriptorLength), m * descriptorLength);
  });
  return rows;
}
