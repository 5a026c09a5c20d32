/** @file TensorBoard's own reader of event files, where a Python has it: `pip install tensorboard`, RMAC_TENSORBOARD_PYTHON names the Python. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const python = process.env.RMAC_TENSORBOARD_PYTHON ?? 'python3';
const script = fileURLToPath(new URL('../../scripts/reference-tensorboard.py', import.meta.url));

export const hasTensorboard: boolean =
  spawnSync(python, ['-c', 'import tensorboard.backend.event_processing.event_accumulator']).status === 0;

if (!hasTensorboard) console.warn(`skipped: ${python} has no tensorboard (pip install tensorboard)`);

export interface TensorboardContents {
  /** By tag: [step, value]. */
  scalars: Record<string, [number, number][]>;
  /** By tag: [step, number of values, sum of the buckets]. */
  histograms: Record<string, [number, number, number][]>;
  /** By tag: [step, width, height]. */
  images: Record<string, [number, number, number][]>;
}

/** What TensorBoard finds in a folder. */
export function readTensorboard(folder: string): TensorboardContents {
  const { status, stdout, stderr } = spawnSync(python, [script, '--read', folder], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as TensorboardContents;
}
