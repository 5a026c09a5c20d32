/** @file What a system learns from training images, from their pooled vectors. */
import { CovarianceAccumulator, learnPcaWhitening } from '../linear/pca.js';
import { plainSimilarity } from '../linear/rows.js';
import { normalizeRows, type PooledVectors } from './pool-views.js';
import { learnPrincipalFeatures } from '../linear/principal-features.js';
import type { SystemSettings } from './settings.js';
import { learnZcaWhitening } from '../linear/zca.js';

export type SystemFit =
  /** y = components (x - mean), [dimension, C] and [C]. */
  | { kind: 'whitening'; mean: Float32Array; components: Float32Array; dimension: number; warnings: string[] }
  /** Indices of the values kept. */
  | { kind: 'selection'; features: Int32Array };

/** Streams pooled vectors; whitening learns from every region, feature selection from one vector per image. */
export class FitRows {
  private readonly rows: CovarianceAccumulator;

  constructor(
    private readonly fit: NonNullable<SystemSettings['fit']>,
    dimension: number,
  ) {
    this.rows = new CovarianceAccumulator(dimension);
  }

  /** Vectors so far. */
  get count(): number {
    return this.rows.count;
  }

  add({ groups }: PooledVectors): void {
    for (const group of groups) this.rows.add(group);
  }

  /** Throws `InputError` where there are too few vectors. */
  learn(): SystemFit {
    const { rows, fit } = this;
    if (fit.kind === 'pfa') return { kind: 'selection', features: learnPrincipalFeatures(rows, fit) };
    if (fit.kind === 'zca') return { kind: 'whitening', ...learnZcaWhitening(rows, fit) };
    // 'all': those that the vectors vary in
    const wanted = fit.dimension === 'all' ? rows.count : fit.dimension;
    const whitening = learnPcaWhitening(rows, { dimension: Math.min(wanted, rows.dimension) });
    const { mean, components, dimension, warnings } = whitening;
    return { kind: 'whitening', mean, components, dimension, warnings };
  }
}

/** Whitened rows [R, C] -> [R, D], each of unit length. */
export function whitenRows(
  rows: Float32Array,
  { mean, components, dimension }: Omit<Extract<SystemFit, { kind: 'whitening' }>, 'warnings'>,
  epsilon: number,
): Float32Array {
  const channels = mean.length;
  const centred = rows.map((value, i) => value - mean[i % channels]);
  const table = { dimension: channels, data: components };
  return normalizeRows(plainSimilarity(table)(centred) as Float32Array, dimension, epsilon);
}
