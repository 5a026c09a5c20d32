/** @file What the commands that run a model share: `--pooling`, `--size`, `--snap`, the engine, and the model opened under them. */
import { type Command, Option } from 'commander';
import { UsageError } from '../errors.js';
import type { DescriptorModel } from '../models/descriptor.js';
import { poolingKinds, type PoolingKind } from '../models/meta.js';
import { positiveInteger, say } from './console.js';

export { openEngine } from '../stages/open-engine.js';

export interface ModelOptions {
  pooling?: PoolingKind;
  size?: number | 'none';
  snap?: number;
}

/** Adds `--pooling`, `--size` and `--snap`. */
export function addModelOptions(command: Command): Command {
  return command
    .addOption(new Option('--pooling <kind>', "in place of the model's own").choices(poolingKinds))
    .option(
      '--size <px>',
      'longest side, or "none" to leave images as they are (default: the size stored in the model, else at most 1024)',
      sizeOption,
    )
    .option(
      '--snap <px>',
      'round both sides to multiples of this: faster on photographs of many shapes, bends them a little (default: 1)',
      positiveInteger,
    );
}

/** commander parser: a number of pixels or "none". */
export function sizeOption(text: string): number | 'none' {
  if (text === 'none') return text;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new UsageError(`--size: expected a whole number of pixels or "none", got "${text}".`);
  }
  return value;
}

/**
 * Loads a model file, with another pooling if asked for. Whitening belongs to the region vectors it was learned on, so
 * one that was learned for another pooling is dropped, with a note.
 */
export async function openModel(file: string, { pooling }: ModelOptions): Promise<DescriptorModel> {
  const { loadModel, readModelFile } = await import('../data/model-file.js');
  if (pooling === undefined) return loadModel(file);
  const { meta } = await readModelFile(file);
  if (pooling === meta.pooling.kind) return loadModel(file);
  if (meta.whitening !== undefined) {
    say(`${file}: its whitening was learned for ${meta.pooling.kind} and is left out with --pooling ${pooling}.`);
  }
  return loadModel(file, { pooling: { kind: pooling }, dropWhitening: true });
}
