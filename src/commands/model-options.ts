/** @file `--pooling`, `--size` and `--snap`: how a command uses a model. */
import { type Command, Option } from 'commander';
import { UsageError } from '../errors.js';
import { poolingKinds } from '../models/meta.js';
import { positiveInteger } from './console.js';

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
