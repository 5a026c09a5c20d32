/** @file `--preset` and what goes with it on a command line. */
import { type Command, CommanderError } from 'commander';
import type { PresetSummary } from '../stages/open-preset.js';
import { presets } from '../systems/presets.js';
import { nonNegativeInteger, positiveInteger } from './console.js';
import { largest } from '../extremes.js';

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

/** What was measured by, as lines of name and value. */
export function presetRows({
  name,
  network,
  settings,
  dimension,
  bytesPerImage,
  fit,
}: PresetSummary): [string, string][] {
  const vectors = bytesPerImage / (dimension * Float32Array.BYTES_PER_ELEMENT);
  const rows: [string, string][] = [
    ['system', `${name} at ${settings.sides.join(', ')} px`],
    ['maps', settings.maps.map((layer) => network.layers[layer]).join(', ')],
    ['kept per image', `${vectors > 1 ? `${vectors} x ` : ''}${dimension} values, ${bytesPerImage} bytes`],
  ];
  if (fit === undefined) return rows;
  const { images, manifest, transductive } = fit;
  return [
    ...rows,
    ['fit', `${fit.rows} vectors of ${images} images of ${manifest}${transductive ? ', transductive' : ''}`],
  ];
}
