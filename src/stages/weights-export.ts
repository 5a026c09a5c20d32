/** @file A model's network under the names and axes of another framework. */
import { assertWritable, writeFileAtomic } from '../data/files.js';
import { readModelFile } from '../data/model-file.js';
import { exportWeights } from '../models/export-weights.js';
import { encodeSafetensors } from '../models/safetensors.js';
import type { WeightLayout } from '../models/weight-names.js';

/** Which model, under whose names, and where to. */
export interface WeightsExportOptions {
  model: string;
  /** Whose names and axes. Default `torchvision`. */
  naming?: Exclude<WeightLayout, 'rmac'>;
  /** File to write, .safetensors. */
  out: string;
  /** Replace an existing file. */
  overwrite?: boolean;
}

/** The file that was written. */
export interface WeightsExportReport {
  file: string;
  architecture: string;
  cut: string;
  naming: string;
  tensors: number;
  /** Names of tensors that are no part of a plain network. */
  leftOut: readonly string[];
}

/** @throws InputError where the file is there already, or the framework has no such network. */
export async function exportNetwork(options: WeightsExportOptions): Promise<WeightsExportReport> {
  const { model, naming = 'torchvision', out: file } = options;
  assertWritable(file, options);
  const { meta, weights } = await readModelFile(model);
  const { architecture, cut, provenance } = meta;
  const { tensors, leftOut } = exportWeights(meta, weights, naming);
  const metadata = { format: 'pt', ...(provenance !== undefined && { source: provenance }) };
  await writeFileAtomic(file, encodeSafetensors(tensors, metadata), options);
  return { file, architecture, cut, naming, tensors: tensors.size, leftOut };
}
