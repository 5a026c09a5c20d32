/** @file A weight file of any format from disk. */
import { readWeights } from '../models/weights/read-weights.js';
import type { WeightFile } from '../models/weights/weight-file.js';
import { readBytes } from './model-file.js';

/** Reads weights from `file`. Throws `InputError` on a file that is missing or malformed. */
export async function openWeights(file: string): Promise<WeightFile> {
  return readWeights(await readBytes(file), file);
}
