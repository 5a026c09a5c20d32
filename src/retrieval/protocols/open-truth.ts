/** @file Opens what is measured on: a benchmark's folder, a manifest or a ground-truth file. */
import { readManifest } from '../../data/manifest.js';
import { InputError } from '../../errors.js';
import { type GroundTruth, labelsGroundTruth, readGroundTruth } from '../ground-truth.js';
import type { Benchmark, BenchmarkProtocol, Setting } from './benchmark.js';
import { checkQueryBoxes, openBenchmark } from './open-benchmark.js';
import { isPublished, type TruthSource, truthPath } from './truth-source.js';

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
  protocol: BenchmarkProtocol,
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
  return source.protocol === 'groundtruth'
    ? readGroundTruth(file, source)
    : labelsGroundTruth(await readManifest(file, source));
}

/** The ground truth of the main setting. */
export function mainGroundTruth({ settings, main }: Truth): GroundTruth {
  return (settings.find(({ name }) => name === main) ?? settings[0]).groundTruth;
}
