/** @file What is measured on: the protocol, a benchmark's folder, a manifest or a ground-truth file. */
import { readManifest } from '../../data/manifest.js';
import { InputError, UsageError } from '../../errors.js';
import { type GroundTruth, labelsGroundTruth, readGroundTruth } from '../ground-truth.js';
import { type Benchmark, benchmarkProtocols, type Setting } from './benchmark.js';
import { checkQueryBoxes, openBenchmark } from './open-benchmark.js';

export const protocols = ['labels', 'groundtruth', ...benchmarkProtocols] as const;
export type Protocol = (typeof protocols)[number];

/** Where the truth is. */
export interface TruthSource {
  /** Which queries, which positives (docs/protocols.md). */
  protocol: Protocol;
  /** A benchmark's folder: its images and its ground truth. */
  data?: string;
  /** Manifest, for `labels`. */
  manifest?: string;
  /** JSON file, for `groundtruth`; or the ground truth of a benchmark that lies apart from `data`. */
  groundtruth?: string;
  /** Holidays: list of turns, or folder of upright images. */
  upright?: string;
}

/** What is right, in one or several settings (easy, medium, hard) of the same queries and database. */
export interface Truth {
  settings: readonly Setting[];
  /** The setting behind the one figure of a result. */
  main: string;
  benchmark?: Benchmark;
}

type PublishedProtocol = Benchmark['protocol'];

/** Whether the protocol is of a published benchmark, whose files have its own layout and ids. */
export function isPublished(protocol: Protocol): protocol is PublishedProtocol {
  return protocol !== 'labels' && protocol !== 'groundtruth';
}

/** @throws UsageError where the parts do not fit together; `images`: whether images will be described. */
export function checkTruthSource(source: TruthSource, images: boolean): void {
  const { protocol, data, manifest, groundtruth, upright } = source;
  if (isPublished(protocol)) {
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
export function truthPath({ manifest, groundtruth, data }: TruthSource): string {
  return manifest ?? groundtruth ?? data ?? '';
}

/**
 * Opens the ground truth. `images`: whether images will be described; `ids`: ids that are known of the database where a
 * benchmark's folder is not given. @throws InputError if there is nothing to measure.
 */
export async function openTruth(
  source: TruthSource,
  known: { images: boolean; ids?: readonly string[] | undefined },
): Promise<Truth> {
  const { protocol } = source;
  const truth = isPublished(protocol)
    ? await openPublished(protocol, source, known)
    : { settings: [{ name: 'all', groundTruth: await openOwn(source) }], main: 'all' };
  if (!truth.settings.some(({ groundTruth }) => groundTruth.queries.some(({ positives }) => positives.length > 0))) {
    throw new InputError(`${truthPath(source)}: no query has positives, so there is nothing to measure.`);
  }
  return truth;
}

async function openPublished(
  protocol: PublishedProtocol,
  source: TruthSource,
  { images, ids }: { images: boolean; ids?: readonly string[] | undefined },
): Promise<Truth> {
  const benchmark = await openBenchmark(protocol, { ...source, ids });
  const { settings, main, hasImages } = benchmark;
  if (images) {
    if (!hasImages) throw new InputError(`${source.data} has no images; put them into ${source.data}/images.`);
    await checkQueryBoxes(settings[0].groundTruth.queries);
  }
  return { settings, main, benchmark };
}

async function openOwn(source: TruthSource): Promise<GroundTruth> {
  const file = truthPath(source);
  return source.protocol === 'groundtruth' ? readGroundTruth(file) : labelsGroundTruth(await readManifest(file));
}

/** The ground truth of the main setting. */
export function mainGroundTruth({ settings, main }: Truth): GroundTruth {
  return (settings.find(({ name }) => name === main) ?? settings[0]).groundTruth;
}
