/** @file Explains why two photographs match. */
import { assertWritable, writeFileAtomic } from '../data/files.js';
import { type Box, type ImageRecord, readManifest } from '../data/manifest.js';
import { InputError, UsageError } from '../errors.js';
import { innerProduct } from '../linear/rows.js';
import type { DescriptorModel } from '../models/descriptor.js';
import { drawExplanation } from '../report/draw-explanation.js';
import { describeImages, sizingFor } from '../retrieval/describe.js';
import { sampleOf } from '../retrieval/learn-whitening.js';
import { type Explanation, explainPair, mapPhotograph } from '../retrieval/localization/explain-pair.js';
import { type ScaleFigures, scaleFigures, shareBelow } from '../retrieval/similarity-scale.js';
import { packageTrunk } from '../run/run-start.js';
import { type StageContext, silentView } from './context.js';
import { type EngineChoice, type ModelChoice, openEngine, openModel } from './open-model.js';

export interface ExplainStageOptions extends EngineChoice, ModelChoice {
  /** The photographs. */
  a: string;
  b: string;
  /** Model file. Default: the small trunk of checkpoints/. */
  model?: string;
  /** The part of A to look for, px of the upright photograph. Default: all of it. */
  box?: Box;
  /** Common components to show. Default 5. */
  components?: number;
  /** Manifest of several landmarks, to say where the similarity lies among those of unrelated photographs. */
  among?: string;
  /** PNG file to draw both photographs into, side by side with the patches and boxes. */
  draw?: string;
  /** Replace an existing drawing. */
  overwrite?: boolean;
}

/** Pairs of different landmarks, and the share of them that are less similar. */
export interface UnrelatedSimilarity extends ScaleFigures {
  pairs: number;
  below: number;
}

/** What two photographs have in common, and where. */
export interface ExplainStageResult extends Explanation {
  /** With `among`. */
  unrelated?: UnrelatedSimilarity;
}

/** Finds the strongest common components of two photographs, and draws them where asked. @throws UsageError, InputError naming a file. */
export async function explain(options: ExplainStageOptions, context: StageContext = {}): Promise<ExplainStageResult> {
  const { a, b, draw, among, components = 5 } = options;
  if (draw !== undefined) {
    if (!/\.png$/i.test(draw)) throw new UsageError(`--draw: a name that ends in .png expected, got "${draw}".`);
    assertWritable(draw, options);
  }
  await openEngine(options);
  const model = await openModel(options.model ?? packageTrunk, options, context.view);
  try {
    const sizing = sizingFor(model.meta, options);
    const [first, second] = [await mapPhotograph(a, model, sizing), await mapPhotograph(b, model, sizing)];
    const result: ExplainStageResult = explainPair(first, second, { ...options, components });
    if (among !== undefined) result.unrelated = await scaleOf(result.similarity, among, model, options, context);
    if (draw !== undefined) await writeFileAtomic(draw, await drawExplanation(first, second, result), options);
    return result;
  } finally {
    model.dispose();
  }
}

/** Photographs of `among` that show the scale, at most: some 30,000 pairs. */
export const comparedPhotographs = 256;

/** Where a similarity lies among those of photographs of different landmarks (and groups). */
async function scaleOf(
  similarity: number,
  manifest: string,
  model: DescriptorModel,
  choice: ModelChoice,
  context: StageContext,
): Promise<UnrelatedSimilarity> {
  const { view = silentView } = context;
  const records = sampleOf(await readManifest(manifest), comparedPhotographs);
  const progress = view.progress('describe', records.length);
  const settings = {
    sizing: sizingFor(model.meta, choice),
    signal: context.signal,
    onProgress: (done: number) => progress.update(done),
  };
  const found: { record: ImageRecord; descriptor: Float32Array }[] = [];
  try {
    for await (const result of describeImages(model, records, (record) => record, settings)) {
      if ('error' in result) view.note(`skipped ${result.item.id}: ${result.error.message}`);
      else found.push({ record: result.item, descriptor: result.descriptor });
    }
  } finally {
    progress.stop();
  }
  const pairs = found.flatMap(({ record: a, descriptor }, i) =>
    found
      .slice(i + 1)
      .filter(({ record: b }) => a.landmark !== b.landmark && (a.group === undefined || a.group !== b.group))
      .map((other) => innerProduct(descriptor, other.descriptor)),
  );
  const scale = Float32Array.from(pairs).sort();
  const figures = scaleFigures(scale);
  if (figures === undefined) {
    throw new InputError(
      `--among ${manifest}: no two photographs of different landmarks; name a manifest with several.`,
    );
  }
  return { pairs: scale.length, below: shareBelow(scale, similarity), ...figures };
}
