/** @file `rmac data synthesize`: generated landmark photographs with ground truth. */
import type { Command } from 'commander';
import { synthesize, type SynthesizeStageOptions } from '../stages/synthesize.js';
import { fraction, nonNegativeInteger, positiveInteger, printResult, terminalContext } from './console.js';

/** Adds `synthesize` to the `data` command. */
export function registerSynthesize(data: Command): void {
  data
    .command('synthesize')
    .description('Generate landmark photographs with boxes, homographies and labels known.')
    .requiredOption('--out <dir>', 'folder to create')
    .option('--landmarks <n>', 'landmarks', positiveInteger, 12)
    .option('--siblings <n>', 'landmarks that share a style and are easily confused, 1 to 8', positiveInteger, 3)
    .option('--test-share <f>', 'fraction of the landmarks that is kept for testing', fraction, 1 / 3)
    .option('--photos <n>', 'photographs per landmark, wrong ones included', positiveInteger, 20)
    .option('--noise <f>', 'fraction of wrong images in every folder, 0 to 0.9', fraction, 0.15)
    .option('--variation <f>', 'how much photographs of one landmark differ, 0 to 1', fraction, 1)
    .option('--size <px>', 'longest side of the photographs', positiveInteger, 384)
    .option('--seed <n>', 'the same seed gives the same bytes', nonNegativeInteger, 1)
    .option('--overwrite', 'replace a collection that is there already')
    .option('--json', 'print one JSON object on stdout and nothing else')
    .addHelpText(
      'after',
      `
groundtruth.json has the landmarks that are kept for testing, manifest-train.jsonl the others.

Example:
  rmac data synthesize --out landmarks --landmarks 12 --photos 20`,
    )
    .action(async ({ json, ...options }: SynthesizeStageOptions & { json?: boolean }) => {
      const summary = await synthesize(options, terminalContext);
      const { out, landmarks, testLandmarks, images, wrong, queries, database } = summary;
      printResult(
        summary,
        `${out}: ${images} images of ${landmarks} landmarks, ${wrong} of them wrong; groundtruth.json asks ${queries} queries about ${testLandmarks} unseen landmarks in ${database} images.`,
        { json },
      );
    });
}
