/** @file The stage that fine-tunes a descriptor model by a ranking loss, where the settings ask for it after a classification. */
import { join } from 'node:path';
import { settingsList } from '../config.js';
import { type ImageRecord, readManifest } from '../data/manifest.js';
import { UsageError } from '../errors.js';
import type { DescriptorModel } from '../models/descriptor.js';
import { type Describer, sizingFor } from '../retrieval/describe.js';
import { imagesToDescribe } from '../retrieval/describe-ground-truth.js';
import type { GroundTruth } from '../retrieval/ground-truth.js';
import type { RpnHead } from '../rpn/head.js';
import { ProposalDescriber } from '../rpn/proposal-describer.js';
import { checkpointFiles } from '../run/checkpoint.js';
import { RunFolder } from '../run/run-folder.js';
import type { AddedWhitening } from '../run/run-records.js';
import { assertFinish } from '../train/finish-config.js';
import { type HeldBack, holdBack } from '../train/finish.js';
import { measureMap, readValidation } from '../train/ranking/measure.js';
import { type RankingDryRun, rankingDryRun, summarizeSet } from '../train/ranking/ranking-dry-run.js';
import { headFor, loadForTraining, whitened } from '../train/ranking/ranking-start.js';
import { assertTriplets, meanAveragePrecision, RankingTrainer } from '../train/ranking/ranking-trainer.js';
import { changeableOnResume, type TripletConfig, tripletConfigSchema } from '../train/ranking/triplet-config.js';
import { eachByItself, type TrainingRecord, withViews } from '../train/views/training-record.js';
import { openViews, type ViewGenerator } from '../train/views/view-generator.js';
import { type StageContext, type StageProgress, type StageView, silentView } from './context.js';
import { openEngine } from './open-model.js';
import { type ClassifyEstimate, estimateClassify, prepareClassify, runClassify } from './train-classify.js';
import type { ReportWords } from './train-report.js';
import {
  type OpenedTrainer,
  type RunContext,
  type TrainJob,
  type TrainResult,
  threadsOf,
  trainJob,
  type Working,
} from './train-run.js';
import { type SeedsResult, trainSeeded } from './train-seeds.js';
import { initFile, onlyWriter, settingsOf, startFiles, type TrainOptions, writeBeginning } from './train-settings.js';

/** `val`: ground truth (.json) or labelled manifest (.jsonl) for the mAP. */
export type TrainTripletOptions = TrainOptions;

/** What a run would do and cost; with a classification before it, `etaSeconds` is of both. */
export interface TripletEstimate extends RankingDryRun {
  classify?: ClassifyEstimate;
  ranking?: RankingDryRun;
  config: TripletConfig;
}

interface Work extends HeldBack {
  config: TripletConfig;
  /** Those that are trained on, and those that are generated from them. */
  records: TrainingRecord[];
  views: ViewGenerator | undefined;
  validation: GroundTruth | undefined;
  threads?: number | undefined;
}

const words: ReportWords = { update: ({ active }) => `active ${Math.round(100 * (active as number))} %` };

/** Trains in a run folder, or goes on there. */
export function trainTriplet(
  options: TrainTripletOptions,
  context: StageContext = {},
): Promise<TrainResult | SeedsResult> {
  return trainSeeded({ criterion: meanAveragePrecision, settings, run: runTriplet }, options, context);
}

/** Measures what a run would do and cost on a few of its images; writes nothing. */
export async function estimateTriplet(
  options: TrainTripletOptions,
  { view = silentView }: StageContext = {},
): Promise<TripletEstimate> {
  const work = await readWork({ ...options, resume: false }, view);
  const { config, records, views, validation } = work;
  const classify = config.classify && (await estimateClassify(classifyOptions(options, config), work.train));
  await openEngine(options, graphsOf(config));
  const model = await loadForTraining(initFile(options), config);
  const head = headFor(model, config);
  try {
    const validationImages = validation === undefined ? 0 : imagesToDescribe(validation);
    const ranking = await rankingDryRun(model, records, {
      config,
      validationImages,
      head,
      heldBack: work.heldBack.length,
      views,
    });
    if (classify === undefined) return { ...ranking, config };
    return { ...ranking, etaSeconds: classify.etaSeconds + ranking.etaSeconds, classify, ranking, config };
  } finally {
    head?.dispose();
    model.dispose();
  }
}

/** A ranking; where the settings ask for it a classification first, then the ranking from its last model. */
async function runTriplet(options: TrainTripletOptions, context: RunContext): Promise<TrainResult> {
  const { view, group } = context;
  const folder = new RunFolder(options.run);
  if (options.resume !== true && group.leads) folder.assertNew();
  const work = await readWork(options, view);
  const { config } = work;
  const job = rankingJob({ ...work, threads: threadsOf(options, group) }, context);
  if (config.classify === undefined || (await folder.latestCheckpoint()) !== undefined) {
    return trainJob(job, folder, options, context);
  }
  const files = await startFiles(options, folder, view);
  const first = { ...classifyOptions(options, config), init: files.init, resume: true };
  // What is wrong with the settings of either is said before the first begins.
  await prepareClassify(first, context, work.train);
  await openEngine(options, graphsOf(config));
  (await loadForTraining(files.init, config)).dispose();
  if (group.leads) await writeBeginning(folder, config, files);
  view.note(`First the classification, in ${folder.classify}`);
  const classify = await onlyWriter(first.run, () => runClassify(first, context, work.train), group);
  if (classify.stopped !== 'finished') return classify;
  view.note(`Then the ranking, in ${folder.path}`);
  const init = new RunFolder(folder.classify).model;
  return { ...(await trainJob(job, folder, options, context, { init })), classify };
}

function rankingJob(
  { config, train, heldBack, records, views, validation, threads }: Work,
  { view, group }: RunContext,
): TrainJob {
  // as training sees images, so that no shape is added
  const mapOf = async (model: DescriptorModel, head: RpnHead | undefined) => {
    const sizing = sizingFor(model.meta, { size: config.imageSize, snap: model.stride });
    const map =
      validation && (await measureMap(describerNow(model, head), validation, { sizing, signal: group.asked, group }));
    return map === undefined ? undefined : { value: map, figures: {} };
  };
  const opened = (model: DescriptorModel, working: Working, whitening?: AddedWhitening): OpenedTrainer => {
    const head = headFor(model, config);
    const measure = validation && (() => mapOf(model, head));
    const trainer = { model, head, records, views, config, measure, onMining: working('describe pool') };
    return {
      trainer: new RankingTrainer(trainer),
      whitening,
      remark:
        validation &&
        `mAP is that of rmac evaluate --size ${config.imageSize} --snap ${model.stride}: images as training sees them.`,
      dispose() {
        head?.dispose();
        model.dispose();
      },
    };
  };
  return {
    config,
    schema: tripletConfigSchema,
    words,
    maxSessions: graphsOf(config),
    finish: { train, heldBack, config, validation },
    async start({ init }, working, begun) {
      const model = await loadForTraining(init, config);
      await begun();
      if (config.whitenDimension === 0) return opened(model, working);
      if (model.meta.whitening !== undefined) {
        view.note(
          `The model keeps its whitening of ${model.meta.whitening.dimension} dimensions; whitenDimension is for models without one.`,
        );
        return opened(model, working);
      }
      const head = headFor(model, config);
      const asGiven = await mapOf(model, head).finally(() => head?.dispose());
      if (asGiven !== undefined) view.note(`as given: mAP ${asGiven.value.toFixed(4)}`);
      const learned = await addWhitening(model, train, { config, view, group, threads });
      const { dimension } = learned.model;
      const mapAsGiven = asGiven && { mapAsGiven: asGiven.value };
      return opened(learned.model, working, { dimension, warnings: learned.warnings, ...mapAsGiven });
    },
    async reopen(checkpoint, working) {
      const file = join(checkpoint, checkpointFiles.model);
      return opened(await loadForTraining(file, { ...config, whitenDimension: 0 }), working);
    },
    resultOf(summary, place) {
      const { first: firstMap, whitened: whitenedMap, last: map, ...rest } = summary;
      return { ...place, ...rest, firstMap, whitenedMap, map };
    },
  };
}

async function addWhitening(
  model: DescriptorModel,
  records: readonly ImageRecord[],
  { view, ...from }: RunContext & { config: TripletConfig; threads: number | undefined },
): ReturnType<typeof whitened> {
  let progress: StageProgress | undefined;
  const learned = await whitened(model, records, {
    ...from,
    onProgress: (done, total) => (progress ??= view.progress('learn whitening', total)).update(done),
  }).finally(() => progress?.stop());
  const { dimension } = learned.model;
  view.note(
    `A whitening to ${dimension} values was learned on the training set and put into the model (whitenDimension).`,
  );
  for (const warning of learned.warnings) view.note(warning);
  return learned;
}

/** What `val` is measured with: model and proposals as they are at the time. */
function describerNow(model: DescriptorModel, head: RpnHead | undefined): Describer {
  const { regions } = model.meta;
  return head === undefined || regions === undefined ? model : new ProposalDescriber(model, { ...regions, head });
}

async function settings(options: TrainOptions, folder: RunFolder): Promise<TripletConfig> {
  return settingsOf(options, folder, { schema: tripletConfigSchema, changeable: changeableOnResume });
}

async function readWork(options: TrainTripletOptions, view: StageView): Promise<Work> {
  const config = await settings(options, new RunFolder(options.run));
  assertFinish(config);
  const held = holdBack(await readManifest(options.manifest, options), config);
  if (config.positives === 'photograph' && config.views === undefined) {
    throw new UsageError('positives: photograph needs photographs that are generated: add a section "views".');
  }
  const labelled = config.positives === 'photograph' ? eachByItself(held.train) : held.train;
  const [records, views] = [withViews(labelled, config.views), await openViews(config.views, held.train)];
  assertTriplets(records);
  const { landmarksWithOnePhoto } = summarizeSet(records);
  if (landmarksWithOnePhoto > 0) {
    view.note(
      `${landmarksWithOnePhoto} of the landmarks have one photograph: they are never queries or positives, only negatives.`,
    );
  }
  const validation = options.val === undefined ? undefined : await readValidation(options.val, options);
  return { config, ...held, records, views, validation };
}

/** The options of the classification that a ranking begins with: a run in a folder of its own. It is not measured. */
function classifyOptions(options: TrainTripletOptions, { classify, seed }: TripletConfig): TrainTripletOptions {
  const place = {
    run: new RunFolder(options.run).classify,
    config: undefined,
    set: settingsList(classify ?? {}),
    seed,
  };
  return { ...options, ...place, seeds: undefined, val: undefined };
}

/** Blocks are many small graphs for every image shape; what they may take together stays bounded by the engine. */
function graphsOf({ recomputeActivations }: TripletConfig): number | undefined {
  return recomputeActivations ? 1024 : undefined;
}
