/** @file One model file from several of one network: the weighted mean of their weights. */
import { assertWritable } from '../data/files.js';
import { readModelFile, writeModelFile } from '../data/model-file.js';
import { UsageError } from '../errors.js';
import { averageWeights } from '../models/average-weights.js';

/** Which models, their shares, and where to. */
export interface WeightsAverageOptions {
  /** Two model files or more, of one network: a start and what was trained from it, or runs of several seeds. */
  models: readonly string[];
  /** One a model, in proportion. Default: equal. */
  shares?: readonly number[];
  /** Model file to write. */
  out: string;
  /** Replace an existing file. */
  overwrite?: boolean;
}

/** The file that was written. */
export interface WeightsAverageReport {
  model: string;
  /** Of each model; they sum to 1. */
  shares: readonly number[];
  tensors: number;
  /** Names of tensors that not all models have, and that the mean is without. */
  leftOut: readonly string[];
}

/** @throws UsageError for shares that do not fit, InputError where the networks differ or the file is there already. */
export async function averageModels(options: WeightsAverageOptions): Promise<WeightsAverageReport> {
  const { models: files, shares: given = files.map(() => 1), out } = options;
  if (files.length < 2) throw new UsageError('An average is of two model files or more.');
  if (given.length !== files.length) {
    throw new UsageError(`--shares: ${given.length} of ${files.length} models; give one a model.`);
  }
  const total = given.reduce((sum, share) => sum + share, 0);
  if (!given.every((share) => share >= 0) || !(total > 0) || !Number.isFinite(total)) {
    throw new UsageError(`--shares ${given.join(',')}: numbers of 0 or more expected, not all 0.`);
  }
  assertWritable(out, options);
  const shares = given.map((share) => share / total);
  const models = await Promise.all(
    files.map(async (name, i) => ({ name, share: shares[i], ...(await readModelFile(name)) })),
  );
  const { meta, weights, leftOut } = averageWeights(models);
  await writeModelFile(out, { meta, weights }, options);
  return { model: out, shares, tensors: weights.size, leftOut };
}
