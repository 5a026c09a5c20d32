/** @file `rmac clean`: a noisy manifest -> match graph, photographs that belong together, object boxes, report. */
import { type Command, Option } from 'commander';
import { type Detector, detectorNames } from '../cleaning/features/features.js';
import { type Reason, reasonTexts } from '../cleaning/graph/choose-images.js';
import type { Shard } from '../retrieval/descriptor-folder.js';
import type { CleanStageOptions, CleanSummary } from '../stages/clean.js';
import { loadStage } from '../stages/load-stage.js';
import { nonNegativeInteger, positiveInteger, printResult, terminalContext } from './console.js';
import { sizeOption } from './model-options.js';
import { shardOption } from './shard-option.js';

interface CleanFlags
  extends Omit<CleanStageOptions, 'cacheFolder' | 'cacheBytes' | 'describe' | 'workers' | 'dropDuplicates'> {
  keepDuplicates?: boolean;
  size: number | 'none';
  maxKeypoints: number;
  detector: Detector;
  cache?: string;
  cacheLimit: number;
  shard?: Shard;
  threads?: number;
  json?: boolean;
}

export function register(program: Command): void {
  program
    .command('clean')
    .requiredOption('--manifest <file>', 'JSON lines, as `data scan` writes them')
    .requiredOption(
      '--out <dir>',
      'folder for clean.jsonl, graph.jsonl, boxes.jsonl, removed.jsonl, conflicts.jsonl, report.html',
    )
    .option('--min-inliers <n>', 'prune pairs with fewer verified matches', positiveInteger, 15)
    .option('--min-images <n>', 'leave out landmarks whose component is smaller', positiveInteger, 3)
    .addOption(
      new Option(
        '--profiles <which>',
        'keep the largest component of a landmark, or all as views <landmark>/<n> of one group',
      )
        .choices(['largest', 'all'])
        .default('largest'),
    )
    .option('--merge-overlapping', 'join labels that verified pairs connect (default: they share a group)')
    .option('--keep-duplicates', 'keep all copies of a photograph (default: the largest one)')
    .option('--exclude <manifest>', 'leave out what overlaps these photographs, of an evaluation set for instance')
    .option('--unlabelled', 'ignore labels and group all photographs from scratch')
    .option(
      '--neighbours <n>',
      'candidates per photograph in other labels and in --exclude; 0 for none (default: 5, with --unlabelled 20)',
      nonNegativeInteger,
    )
    .option('--descriptors <dir>', 'choose candidates by these (`rmac extract`) in place of aggregated local features')
    .option('--size <px>', 'longest side local features are found at, or "none"', sizeOption, 640)
    .option('--max-keypoints <n>', 'local features per photograph', positiveInteger, 1500)
    .addOption(new Option('--detector <name>', 'kind of local features').choices(detectorNames).default('sift'))
    .option('--cache <dir>', 'folder for local features (default: features/ in --out)')
    .option('--cache-limit <GiB>', 'its largest size', positiveInteger, 8)
    .option(
      '--shard <i/n>',
      'only part i of n of the comparisons (slurm: of the job array); afterwards run once without',
      shardOption,
    )
    .option('--threads <n>', 'worker threads (default: all cores)', positiveInteger)
    .option('--seed <n>', 'of the sample that aggregated features are learned on', nonNegativeInteger, 1)
    .option('--no-report', 'write no report.html')
    .option('--overwrite', 'replace existing results; comparisons under equal settings are used again')
    .option('--json', 'print one JSON object on stdout and nothing else')
    .addHelpText(
      'after',
      `
An interrupted run continues when the same command is given again. Every photograph of the manifest is in clean.jsonl or,
with the reason, in removed.jsonl.
Cleaning is for folders with wrong photographs in them. Labels that are known to be right need none: it leaves out right
photographs too, where local features do not match. --profiles all and --min-inliers 8 keep more.

Example:
  $ rmac clean --manifest photos/manifest.jsonl --out cleaned`,
    )
    .action(run);
}

async function run(flags: CleanFlags): Promise<void> {
  const { clean, cleanPart } = await loadStage.clean();
  const { shard, size: longest, detector, maxKeypoints } = flags;
  const options: CleanStageOptions = {
    ...flags,
    dropDuplicates: flags.keepDuplicates !== true,
    cacheFolder: flags.cache,
    cacheBytes: flags.cacheLimit * 2 ** 30,
    describe: { longest, detect: { detector, maxKeypoints } },
    workers: flags.threads,
  };
  if (shard !== undefined) {
    const part = await cleanPart({ ...options, shard }, terminalContext);
    printResult(
      part,
      `Shard ${part.shard}: ${part.pairs} pairs of ${part.photographs} photographs compared. When all are done, run without --shard.`,
      flags,
    );
    return;
  }
  const { summary, advice } = await clean(options, terminalContext);
  printResult(summary, [summaryText(summary), ...advice].join('\n'), flags);
}

function summaryText(summary: CleanSummary): string {
  const { files, images, kept, landmarks, landmarksBefore, removed, pairs, conflicts, boxes } = summary;
  const out = Object.entries(removed)
    .filter(([, count]) => count > 0)
    .map(([reason, count]) => `  ${String(count).padStart(6)} ${reasonTexts[reason as Reason]}`);
  return [
    `${kept} of ${images} photographs kept, ${landmarks} of ${landmarksBefore} landmarks; ${boxes} boxes.`,
    ...(out.length > 0 ? ['Left out:', ...out] : []),
    `${pairs.compared} pairs compared, ${pairs.verified} verified, ${pairs.kept} in the graph; ${pairs.overlays} with a banner or mark laid over both.`,
    ...(conflicts > 0
      ? [`${conflicts} pairs show one thing under two labels: those labels share a group (conflicts.jsonl).`]
      : []),
    `Wrote ${files.clean}.`,
  ].join('\n');
}
