/** @file `--preset` and what goes with it on a command line. */
import { type Command, CommanderError } from 'commander';
import { UsageError } from '../errors.js';
import { presets } from '../systems/presets.js';
import { nonNegativeInteger, positiveInteger } from './console.js';
import { largest } from '../extremes.js';

/** What presets learn from. */
export interface FitOptions {
  fit?: string;
  fitImages?: number;
  fitSeed: number;
  classifier?: string;
}

export interface PresetOptions extends FitOptions {
  preset?: string;
  weights?: string;
}

/** Adds `--fit`, `--fit-images`, `--fit-seed` and `--classifier`. */
export function addFitOptions(command: Command): Command {
  return command
    .option('--fit <file>', '.jsonl manifest that presets learn whitening or feature selection on')
    .option('--fit-images <n>', 'learn from this many of its images, drawn at random', positiveInteger)
    .option('--fit-seed <n>', 'seed of that draw', nonNegativeInteger, 0)
    .option(
      '--classifier <file>',
      "weight file with the network's fully connected layer, for presets that mask by class",
    );
}

/** Adds `--preset`, `--weights`, `--fit`, `--fit-images`, `--fit-seed`, `--classifier` and `--presets`, which lists them and ends. */
export function addPresetOptions(command: Command): Command {
  command
    .option('--preset <name[@network]>', 'a published system, such as rmac-plus@densenet121 (docs/systems.md)')
    .option('--weights <file>', 'model file with the network of --preset; its architecture wins over the name');
  addFitOptions(command).option('--presets', 'list the published systems and end');
  return command.on('option:presets', () => {
    process.stdout.write(`${presetList()}\n`);
    throw new CommanderError(0, 'rmac.presets', 'listed');
  });
}

/** One line per preset: name, networks of its paper, what it is. */
export function presetList(): string {
  const width = largest([...presets.keys()].map((name) => name.length));
  return [...presets.values()]
    .map(({ name, networks, summary }) => `${name.padEnd(width)}  ${summary} (${Object.keys(networks).join(', ')})`)
    .join('\n');
}

/** Options that need `--preset`, and `--preset` its weights. Throws `UsageError`. */
export function checkPresetUsage(options: PresetOptions): void {
  const { preset, weights, fit, fitImages, classifier } = options;
  if (preset !== undefined && weights === undefined) {
    throw new UsageError('--preset needs --weights FILE: a model file of rmac weights import.');
  }
  if (preset === undefined && [weights, fit, fitImages, classifier].some((value) => value !== undefined)) {
    throw new UsageError('--weights, --fit, --fit-images and --classifier go with --preset.');
  }
}
