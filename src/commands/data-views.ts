/** @file `rmac data views`: photographs generated from those of a manifest. */
import type { Command } from 'commander';
import type { GenerateViewsOptions } from '../stages/generate-views.js';
import { loadStage } from '../stages/load-stage.js';
import { collect, nonNegativeInteger, positiveInteger, printResult, terminalContext } from './console.js';

/** Adds `views` to the `data` command. */
export function registerViews(data: Command): void {
  data
    .command('views')
    .description(
      'Generate photographs of each picture of a manifest as telephones would take them, to look at and to measure with.',
    )
    .requiredOption('--manifest <file>', '.jsonl manifest of the pictures')
    .requiredOption('--out <dir>', 'folder to create: views/, manifest.jsonl, groundtruth.json')
    .option('--per-image <n>', 'photographs of each picture', positiveInteger, 2)
    .option('--size <px>', 'longer side of the photographs', positiveInteger, 320)
    .option('--seed <n>', 'the same seed gives the same photographs', nonNegativeInteger, 0)
    .option('--set <key=value>', 'one setting of the views, as under "views" of a training; repeatable', collect, [])
    .option('--overwrite', 'replace what an earlier call wrote')
    .option('--json', 'print one JSON object on stdout and nothing else')
    .addHelpText(
      'after',
      `
groundtruth.json asks with every photograph for the pictures of its landmark; manifest.jsonl lists the photographs.

Example:
  rmac data views --manifest covers.jsonl --out views --per-image 2 --seed 1 --set tilt=40
  rmac evaluate --protocol groundtruth --groundtruth views/groundtruth.json --model run/model.safetensors`,
    )
    .action(async ({ json, ...options }: GenerateViewsOptions & { json?: boolean }) => {
      const { generateViews } = await loadStage.generateViews();
      const result = await generateViews(options, terminalContext);
      const { out, views, images, landmarks, failures } = result;
      const lost = failures.map(({ id, error }) => `\n${id}: ${error}`).join('');
      printResult(result, `${out}: ${views} photographs of ${images} pictures, ${landmarks} landmarks.${lost}`, {
        json,
      });
    });
}
