/** @file What is measured on: the protocol, a benchmark's folder, a manifest or a ground-truth file. */
import { type Command, Option } from 'commander';
import { InputError, UsageError } from '../errors.js';
import type { GroundTruth } from '../retrieval/ground-truth.js';
import { type Benchmark, benchmarkProtocols, type Setting } from '../retrieval/protocols/benchmark.js';

const protocols = ['labels', 'groundtruth', ...benchmarkProtocols] as const;

export interface BenchmarkOptions {
  protocol: (typeof protocols)[number];
  data?: string;
  manifest?: string;
  groundtruth?: string;
  upright?: string;
}

/** Adds `--protocol`, `--data`, `--manifest`, `--groundtruth` and `--upright`. */
export function addBenchmarkOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--protocol <name>', 'which queries, which positives: those below')
        .choices(protocols)
        .makeOptionMandatory(),
    )
    .option('--data <dir>', "a benchmark's folder: its images and its ground truth")
    .option('--manifest <file>', '.jsonl manifest (labels)')
    .option('--groundtruth <path>', 'JSON file (groundtruth); ground truth of a benchmark that lies apart from --data')
    .option('--upright <path>', 'Holidays: list of turns, or folder of upright images');
}

/** The protocols in words, for a command's help. */
export const protocolsHelp = `
labels         every image of a manifest is a query; positives are the other images of the landmark; the image itself
               and images of its group under another landmark are junk
groundtruth    a JSON file says
oxford5k       Oxford, Paris: *_query.txt, *_good.txt, *_ok.txt, *_junk.txt; the query stays in the database
paris6k        (Paris without its 20 broken images)
roxford5k      revisited, gnd_roxford5k.pkl or .mat: easy, medium, hard, with mP@1, 5 and 10; map is medium's
rparis6k
holidays       500 queries by their names against the other 1490; holidays-991: against the 991 that are no query
ukbench        N-S score of all 10200 images; ukbench-2550: of the first of each four
Junk neither counts nor takes a rank. Queries without positives are counted and stay out of the means. A query with a
box is cropped and shown at the scale of the whole image.`;

/** Whether the protocol is of a published benchmark, whose files have its own layout and ids. */
export function isBenchmark(protocol: BenchmarkOptions['protocol']): boolean {
  return protocol !== 'labels' && protocol !== 'groundtruth';
}

/** @throws UsageError where the options do not fit together; `images`: whether images will be described. */
export function checkBenchmarkUsage(options: BenchmarkOptions, images: boolean): void {
  const { protocol, data, manifest, groundtruth, upright } = options;
  if (isBenchmark(protocol)) {
    if (manifest !== undefined) {
      throw new UsageError(`--protocol ${protocol} takes --data or --groundtruth, no manifest.`);
    }
    if (images && data === undefined) throw new UsageError(`--protocol ${protocol} with images needs --data DIR.`);
    return;
  }
  const [needed, file, other] =
    protocol === 'labels'
      ? (['manifest', manifest, groundtruth] as const)
      : (['groundtruth', groundtruth, manifest] as const);
  if (file === undefined) throw new UsageError(`--protocol ${protocol} needs --${needed} FILE.`);
  if (other !== undefined || data !== undefined) throw new UsageError(`--protocol ${protocol} takes --${needed} only.`);
  if (upright !== undefined) throw new UsageError('--upright is for Holidays.');
}

/** The file or folder that says what is right. */
export function sourceOf({ manifest, groundtruth, data }: BenchmarkOptions): string {
  return manifest ?? groundtruth ?? data ?? '';
}

/** What is right, in one or several settings (easy, medium, hard) of the same queries and database. */
export interface Truth {
  settings: readonly Setting[];
  /** The setting behind the one figure of a result. */
  main: string;
  benchmark?: Benchmark;
}

/**
 * Opens the ground truth. `images`: whether images will be described; `ids`: ids that are known of the database where a
 * benchmark's folder is not given. @throws InputError if there is nothing to measure.
 */
export async function openTruth(
  options: BenchmarkOptions,
  { images, ids }: { images: boolean; ids?: readonly string[] | undefined },
): Promise<Truth> {
  const truth = await readTruth(options, { images, ids });
  if (!truth.settings.some(({ groundTruth }) => groundTruth.queries.some(({ positives }) => positives.length > 0))) {
    throw new InputError(`${sourceOf(options)}: no query has positives, so there is nothing to measure.`);
  }
  return truth;
}

async function readTruth(
  options: BenchmarkOptions,
  { images, ids }: { images: boolean; ids?: readonly string[] | undefined },
): Promise<Truth> {
  const { protocol, data } = options;
  if (protocol === 'labels' || protocol === 'groundtruth') {
    return { settings: [{ name: 'all', groundTruth: await openGroundTruth(options) }], main: 'all' };
  }
  const { checkQueryBoxes, openBenchmark } = await import('../retrieval/protocols/open-benchmark.js');
  const benchmark = await openBenchmark(protocol, { ...options, ids });
  if (images) {
    if (!benchmark.hasImages) throw new InputError(`${data} has no images; put them into ${data}/images.`);
    await checkQueryBoxes(benchmark.settings[0].groundTruth.queries);
  }
  return { settings: benchmark.settings, main: benchmark.main, benchmark };
}

/** The ground truth of the main setting. */
export function mainGroundTruth({ settings, main }: Truth): GroundTruth {
  return (settings.find(({ name }) => name === main) ?? settings[0]).groundTruth;
}

async function openGroundTruth(options: BenchmarkOptions): Promise<GroundTruth> {
  const { labelsGroundTruth, readGroundTruth } = await import('../retrieval/ground-truth.js');
  if (options.protocol === 'groundtruth') return readGroundTruth(sourceOf(options));
  const { readManifest } = await import('../data/manifest.js');
  return labelsGroundTruth(await readManifest(sourceOf(options)));
}
