/** @file `rmac clean`: a noisy manifest -> match graph, photographs that belong together, object boxes, report. */
import { dirname } from 'node:path';
import { type Command, Option } from 'commander';
import type { Cleaned } from '../cleaning/clean.js';
import type { CleaningView } from '../cleaning/clean-stages.js';
import type { Reason } from '../cleaning/graph/choose-images.js';
import type { GlobalDescriptors } from '../cleaning/matching/similar-pairs.js';
import { countBy } from '../data/group-by.js';
import type { ImageRecord } from '../data/manifest.js';
import { InputError } from '../errors.js';
import { type Detector, detectorNames } from '../cleaning/features/features.js';
import type { Shard } from '../retrieval/descriptor-folder.js';
import { interruptSignal, nonNegativeInteger, positiveInteger, printResult, say, startProgress } from './console.js';
import type { StageProgress } from '../stages/context.js';
import { shardOption } from './extract.js';
import { sizeOption } from './open-model.js';

interface CleanFlags {
  manifest: string;
  out: string;
  minInliers: number;
  minImages: number;
  profiles: 'largest' | 'all';
  mergeOverlapping?: boolean;
  keepDuplicates?: boolean;
  exclude?: string;
  unlabelled?: boolean;
  neighbours?: number;
  descriptors?: string;
  size: number | 'none';
  maxKeypoints: number;
  detector: Detector;
  cache?: string;
  cacheLimit: number;
  shard?: Shard;
  threads?: number;
  seed: number;
  report: boolean;
  overwrite?: boolean;
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
    .option('--shard <i/n>', 'only part i of n of the comparisons; afterwards run once without', shardOption)
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
    .action(clean);
}

async function clean(flags: CleanFlags): Promise<void> {
  const { manifest, out, shard, overwrite = false } = flags;
  const { readManifest } = await import('../data/manifest.js');
  const { assertWritable } = await import('../data/files.js');
  const { cleanFiles, writeCleaned } = await import('../cleaning/clean-outputs.js');
  const { cleanCollection, cleanShard } = await import('../cleaning/clean.js');
  const { CleanStages } = await import('../cleaning/clean-stages.js');
  const { reasons } = await import('../cleaning/graph/choose-images.js');
  const { cleanAdvice } = await import('../cleaning/clean-advice.js');
  const { cleanReport, cleanCounts, reasonTexts } = await import('../report/clean-report.js');

  const startedAt = performance.now();
  const files = cleanFiles(out);
  assertWritable(files.clean, { overwrite });
  const records = await readManifest(manifest);
  const exclude = flags.exclude === undefined ? [] : await readManifest(flags.exclude);
  const unlabelled = withoutLabels(records, flags);
  const descriptors = flags.descriptors === undefined ? undefined : await readRows(flags.descriptors, records, exclude);
  const stages = await CleanStages.open({
    folder: out,
    cacheFolder: flags.cache,
    cacheBytes: flags.cacheLimit * 2 ** 30,
    describe: { longest: flags.size, detect: { detector: flags.detector, maxKeypoints: flags.maxKeypoints } },
    workers: flags.threads,
    shard,
    overwrite,
    signal: interruptSignal(),
    view: consoleView(),
  });
  let cleaned: Cleaned;
  try {
    if (shard !== undefined) {
      const done = await cleanShard(records, stages, { shard, unlabelled });
      const name = `${shard.index}/${shard.count}`;
      printResult(
        { out, shard: name, ...done },
        `Shard ${name}: ${done.pairs} pairs of ${done.photographs} photographs compared. When all are done, run without --shard.`,
        flags,
      );
      return;
    }
    cleaned = await cleanCollection(records, stages, {
      minInliers: flags.minInliers,
      minImages: flags.minImages,
      profiles: flags.profiles,
      mergeOverlapping: flags.mergeOverlapping,
      dropDuplicates: flags.keepDuplicates !== true,
      exclude,
      unlabelled,
      neighbours: flags.neighbours,
      unlabelledNeighbours: flags.neighbours,
      descriptors,
      seed: flags.seed,
    });
    let report: string | undefined;
    if (flags.report) {
      say('Writing the report.');
      const featuresOf = (key: string) => stages.featuresOf(key);
      report = await cleanReport(cleaned, { featuresOf, minInliers: flags.minInliers });
    }
    await writeCleaned(out, dirname(manifest), cleaned, report);
  } finally {
    await stages.close();
  }
  const summary = summarize(cleaned, reasons, (performance.now() - startedAt) / 1000);
  const { settings, alternatives } = cleaned;
  const advice = cleanAdvice(settings, cleanCounts(cleaned));
  const text = [summaryText(files.clean, summary, reasonTexts), ...advice].join('\n');
  printResult({ out, files, ...summary, alternatives }, text, flags);
}

/** A folder without subfolders gives every photograph a label of its own: such labels mean nothing. */
function withoutLabels(records: readonly ImageRecord[], { unlabelled = false, manifest }: CleanFlags): boolean {
  if (unlabelled) return true;
  const alone = records.length > 1 && new Set(records.map(({ landmark }) => landmark)).size === records.length;
  if (alone)
    say(`Every photograph of ${manifest} has a label of its own: they are grouped from scratch (--unlabelled).`);
  return alone;
}

async function readRows(
  folder: string,
  records: readonly ImageRecord[],
  exclude: readonly ImageRecord[],
): Promise<GlobalDescriptors> {
  const { readDescriptorFolder } = await import('../retrieval/descriptor-folder.js');
  const { ids, dimension, data, failures } = await readDescriptorFolder(folder);
  const rowOf = new Map(ids.map((id, row) => [id, row]));
  const failed = new Set(failures.map(({ id }) => id));
  const rows = new Float32Array((records.length + exclude.length) * dimension);
  for (const [i, { id }] of [...records, ...exclude].entries()) {
    const row = rowOf.get(id);
    if (row !== undefined) rows.set(data.subarray(row * dimension, (row + 1) * dimension), i * dimension);
    else if (!failed.has(id)) {
      throw new InputError(`${folder} has no descriptor of "${id}"; run rmac extract on the same photographs.`);
    }
  }
  return { data: rows, dimension };
}

const stageNames = {
  describe: 'local features',
  compare: 'pairs within landmarks',
  'pre-select': 'candidates',
  'compare across': 'candidate pairs',
};

function consoleView(): CleaningView {
  let progress: StageProgress | undefined;
  return {
    start(stage, total, known) {
      if (total === 0) return;
      progress = startProgress(known === 0 ? stageNames[stage] : `${stageNames[stage]} (${known} kept)`, total);
    },
    update: (done) => progress?.update(done),
    stop() {
      progress?.stop();
      progress = undefined;
    },
  };
}

function summarize(
  { records, decisions, conflicts, graph, keptEdges, boxes, diffusion }: Cleaned,
  reasons: readonly Reason[],
  seconds: number,
) {
  const removed = countBy(
    decisions.flatMap(({ reason }) => reason ?? []),
    (reason) => reason,
  );
  const kept = decisions.filter(({ landmark }) => landmark !== undefined);
  return {
    images: records.length,
    kept: kept.length,
    landmarks: new Set(kept.map(({ landmark }) => landmark)).size,
    landmarksBefore: new Set(records.map(({ landmark }) => landmark)).size,
    removed: Object.fromEntries(reasons.map((reason) => [reason, removed.get(reason) ?? 0])) as Record<Reason, number>,
    pairs: { compared: graph.compared, verified: graph.edges.length, kept: keptEdges.length, overlays: graph.overlays },
    conflicts: conflicts.length,
    boxes: boxes.filter((box) => box !== undefined).length,
    diffusion,
    seconds,
  };
}

function summaryText(file: string, summary: ReturnType<typeof summarize>, reasonTexts: Record<Reason, string>): string {
  const { images, kept, landmarks, landmarksBefore, removed, pairs, conflicts, boxes } = summary;
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
    `Wrote ${file}.`,
  ].join('\n');
}
