/** @file What a weight file of any kind holds. */
import { openWeights } from '../data/open-weights.js';
import { fittingArchitectures } from '../models/import-weights.js';

/** What a weight file holds. */
export interface WeightsReport {
  file: string;
  format: string;
  tensors: {
    name: string;
    dtype: string;
    shape: readonly number[];
    /** Values that are NaN or infinite. */
    notFinite: number;
  }[];
  metadata: Readonly<Record<string, string>>;
  /** Networks whose names these are, behind a prefix. */
  networks: { name: string; prefix: string }[];
  /** Tensors with such values. */
  notFinite: number;
}

/** @throws InputError for a file that cannot be read. */
export async function inspectWeights(file: string): Promise<WeightsReport> {
  const { format, tensors: values, dtypes, metadata } = await openWeights(file);
  const tensors = [...values].map(([name, { shape, data }]) => ({
    name,
    dtype: dtypes.get(name)!,
    shape,
    notFinite: data.reduce((count, v) => (Number.isFinite(v) ? count : count + 1), 0),
  }));
  const broken = tensors.filter(({ notFinite }) => notFinite > 0).length;
  return { file, format, tensors, metadata, networks: fittingArchitectures(values), notFinite: broken };
}
