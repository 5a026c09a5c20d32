/** @file A noisy manifest becomes a match graph, the photographs that belong together, object boxes and a report. */
import { dirname } from 'node:path';
import { type Cleaned, cleanCollection, type CleanOptions, cleanShard, defaultMinInliers } from '../cleaning/clean.js';
import { cleanAdvice } from '../cleaning/clean-advice.js';
import { cleanFiles, writeCleaned } from '../cleaning/clean-outputs.js';
import { CleanStages, type CleaningView, type StageOptions } from '../cleaning/clean-stages.js';
import { type Reason, reasons } from '../cleaning/graph/choose-images.js';
import type { GlobalDescriptors } from '../cleaning/matching/similar-pairs.js';
import { assertWritable } from '../data/files.js';
import { countBy } from '../data/group-by.js';
import { type ImageRecord, readManifest } from '../data/manifest.js';
import { InputError } from '../errors.js';
import { cleanCounts, cleanReport } from '../report/clean-report.js';
import { readDescriptorFolder, type Shard } from '../retrieval/descriptor-folder.js';
import { silentView, type StageContext, type StageProgress, type StageView } from './context.js';

/** What is cleaned, how strictly, and where to. */
export interface CleanStageOptions
  extends Omit<CleanOptions, 'exclude' | 'descriptors' | 'unlabelledNeighbours'>,
    Pick<StageOptions, 'cacheFolder' | 'cacheBytes' | 'describe' | 'workers' | 'overwrite'> {
  manifest: string;
  /** Folder of the results. */
  out: string;
  /** Manifest of photographs that nothing that is kept may overlap. */
  exclude?: string;
  /** Candidates per photograph in other labels and in `exclude`; 0 for none. Default 5, without labels 20. */
  neighbours?: number;
  /** Folder of descriptors that candidates are chosen by. Default: aggregated local features. */
  descriptors?: string;
  /** Write report.html. Default true. */
  report?: boolean;
}

/** What was kept, what was left out, and where it is written. */
export interface CleanSummary {
  out: string;
  /** Paths of what was written. */
  files: ReturnType<typeof cleanFiles>;
  images: number;
  kept: number;
  landmarks: number;
  landmarksBefore: number;
  /** Photographs left out, by reason. */
  removed: Record<Reason, number>;
  pairs: { compared: number; verified: number; kept: number; overlays: number };
  conflicts: number;
  boxes: number;
  diffusion: Cleaned['diffusion'];
  seconds: number;
  /** What other settings would keep. */
  alternatives: Cleaned['alternatives'];
}

/**
 * Cleans a collection; after an interruption the same call continues. Returns what was written, and sentences on what
 * other settings would keep. @throws InputError where results are there already, no photograph can be used, or on the signal.
 */
export async function clean(
  options: CleanStageOptions,
  context: StageContext = {},
): Promise<{ summary: CleanSummary; advice: string[] }> {
  const { manifest, out, neighbours, minInliers = defaultMinInliers, report = true } = options;
  const { view = silentView } = context;
  const startedAt = performance.now();
  const { records, exclude, unlabelled } = await readInputs(options, view);
  const descriptors =
    options.descriptors === undefined ? undefined : await readRows(options.descriptors, [...records, ...exclude]);
  const stages = await openStages(options, context);
  let cleaned: Cleaned;
  try {
    cleaned = await cleanCollection(records, stages, {
      ...options,
      exclude,
      unlabelled,
      unlabelledNeighbours: neighbours,
      descriptors,
    });
    if (report) view.note('Writing the report.');
    const featuresOf = (key: string) => stages.featuresOf(key);
    const page = report ? await cleanReport(cleaned, { featuresOf, minInliers }) : undefined;
    await writeCleaned(out, dirname(manifest), cleaned, page);
  } finally {
    await stages.close();
  }
  const seconds = (performance.now() - startedAt) / 1000;
  return { summary: summaryOf(out, cleaned, seconds), advice: cleanAdvice(cleaned.settings, cleanCounts(cleaned)) };
}

/** What one machine compared. */
export interface CleanedPart {
  out: string;
  /** `index/count`. */
  shard: string;
  photographs: number;
  pairs: number;
}

/** One machine's part of the comparisons; `clean` in the same folder then finds them done. @throws as `clean`. */
export async function cleanPart(
  options: CleanStageOptions & { shard: Shard },
  context: StageContext = {},
): Promise<CleanedPart> {
  const { out, shard } = options;
  const { records, unlabelled } = await readInputs(options, context.view ?? silentView);
  const stages = await openStages(options, context);
  try {
    const done = await cleanShard(records, stages, { shard, unlabelled });
    return { out, shard: `${shard.index}/${shard.count}`, ...done };
  } finally {
    await stages.close();
  }
}

async function readInputs(
  { manifest, out, overwrite = false, unlabelled, ...options }: CleanStageOptions,
  view: StageView,
) {
  assertWritable(cleanFiles(out).clean, { overwrite });
  const records = await readManifest(manifest);
  const exclude = options.exclude === undefined ? [] : await readManifest(options.exclude);
  return { records, exclude, unlabelled: unlabelled || withoutLabels(records, manifest, view) };
}

/** A folder without subfolders gives every photograph a label of its own: such labels mean nothing. */
function withoutLabels(records: readonly ImageRecord[], manifest: string, view: StageView): boolean {
  const alone = records.length > 1 && new Set(records.map(({ landmark }) => landmark)).size === records.length;
  if (alone) {
    view.note(`Every photograph of ${manifest} has a label of its own: they are grouped from scratch (--unlabelled).`);
  }
  return alone;
}

async function readRows(folder: string, records: readonly ImageRecord[]): Promise<GlobalDescriptors> {
  const { ids, dimension, data, failures } = await readDescriptorFolder(folder);
  const rowOf = new Map(ids.map((id, row) => [id, row]));
  const failed = new Set(failures.map(({ id }) => id));
  const rows = new Float32Array(records.length * dimension);
  for (const [i, { id }] of records.entries()) {
    const row = rowOf.get(id);
    if (row !== undefined) rows.set(data.subarray(row * dimension, (row + 1) * dimension), i * dimension);
    else if (!failed.has(id)) {
      throw new InputError(`${folder} has no descriptor of "${id}"; run rmac extract on the same photographs.`);
    }
  }
  return { data: rows, dimension };
}

function openStages(options: CleanStageOptions & { shard?: Shard }, { signal, view = silentView }: StageContext) {
  return CleanStages.open({ ...options, folder: options.out, signal, view: cleaningView(view) });
}

const stageNames = {
  describe: 'local features',
  compare: 'pairs within landmarks',
  'pre-select': 'candidates',
  'compare across': 'candidate pairs',
};

/** Progress of the cleaning's long parts. */
export function cleaningView(view: StageView): CleaningView {
  let progress: StageProgress | undefined;
  return {
    start(stage, total, known) {
      if (total === 0) return;
      progress = view.progress(known === 0 ? stageNames[stage] : `${stageNames[stage]} (${known} kept)`, total);
    },
    update: (done) => progress?.update(done),
    stop() {
      progress?.stop();
      progress = undefined;
    },
  };
}

function summaryOf(out: string, cleaned: Cleaned, seconds: number): CleanSummary {
  const { records, decisions, conflicts, graph, keptEdges, boxes, diffusion, alternatives } = cleaned;
  const removed = countBy(
    decisions.flatMap(({ reason }) => reason ?? []),
    (reason) => reason,
  );
  const kept = decisions.filter(({ landmark }) => landmark !== undefined);
  return {
    out,
    files: cleanFiles(out),
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
    alternatives,
  };
}
