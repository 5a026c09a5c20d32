/** @file How well a model's grid and proposals find the boxes of a manifest. */
import { assertWritable, writeFileAtomic } from '../data/files.js';
import { evenly } from '../data/evenly.js';
import { readManifest } from '../data/manifest.js';
import { InputError } from '../errors.js';
import { type RegionExample, regionsReport } from '../report/regions-report.js';
import { measureRegions } from '../rpn/measure-regions.js';
import { curveOverlaps } from '../rpn/region-statistics.js';
import { boxedRecords } from '../train/proposals/boxed-images.js';
import { type StageContext, silentView } from './context.js';
import { type EngineChoice, openEngine, openModel } from './open-model.js';

export interface RegionsStageOptions extends EngineChoice {
  /** Manifest with boxes, of photographs the proposals were not trained on. */
  manifest: string;
  /** Model file; of one without proposals the grid alone is measured. */
  model: string;
  /** Numbers of proposals, ascending. Default 16, 32, 64, 128 and 256. */
  proposals?: readonly number[];
  /** Longest side of an image, px. Default: the size stored in the model, else 320. */
  size?: number;
  /** HTML page to write: recall curves, coverage maps, photographs with their regions. */
  report?: string;
  /** Photographs shown in it, evenly from the manifest. Default 6. */
  examples?: number;
  /** Replace an existing page. */
  overwrite?: boolean;
}

/** How well each kind of regions finds the boxes. */
export type RegionsStageResult = Awaited<ReturnType<typeof measureModelRegions>>;

/** @throws InputError where the manifest has no boxes or nothing could be measured. */
export async function measureModelRegions(options: RegionsStageOptions, context: StageContext = {}) {
  const { manifest, proposals: counts = [16, 32, 64, 128, 256], report, examples: shownExamples = 6 } = options;
  const { view = silentView } = context;
  if (report !== undefined) assertWritable(report, options);
  const all = await readManifest(manifest);
  const records = boxedRecords(all, manifest);
  await openEngine(options);
  const model = await openModel(options.model);
  const imageSize = options.size ?? model.meta.imageSize ?? 320;
  const proposes = model.meta.rpn !== undefined;
  if (!proposes) view.note(`${options.model} has no region proposals; the grid alone is measured.`);
  const shown = new Set(evenly(records, report === undefined ? 0 : shownExamples).map(({ id }) => id));
  const examples: RegionExample[] = [];
  const progress = view.progress('measure', records.length);
  const { signal } = context;
  const measured = await measureRegions(model, records, {
    imageSize,
    counts,
    signal,
    onProgress: (done) => progress.update(done),
    onImage: ({ id, path }, regions, box, image) => {
      if (shown.has(id)) examples.push({ id, path, regions, box, image });
    },
  }).finally(() => {
    progress.stop();
    model.dispose();
  });
  if (signal?.aborted) throw new InputError('Interrupted; nothing was written.');
  const { photographs, boxShare, failures } = measured;
  for (const { error } of failures.slice(0, 10)) view.note(`skipped ${error}`);
  const figures = measured.kinds.map((kind) => kind.figures());
  if (report !== undefined) {
    const title = proposes ? 'Region proposals against the rigid grid' : 'The rigid grid';
    await writeFileAtomic(report, await regionsReport(measured, { title, figures, examples }), options);
  }
  return {
    photographs,
    withoutBox: all.length - records.length,
    failures,
    imageSize,
    boxShare,
    overlaps: curveOverlaps,
    regions: figures,
    ...(report !== undefined && { report }),
  };
}
