/** @file The stage that trains a region proposal network on the frozen trunk of a descriptor model. */
import { join } from 'node:path';
import { readManifest } from '../data/manifest.js';
import { checkpointFiles } from '../run/checkpoint.js';
import { RunFolder } from '../run/run-folder.js';
import { BoxedImages, boxedRecords } from '../train/proposals/boxed-images.js';
import { measureRpn } from '../train/proposals/measure-rpn.js';
import { ProposalsTrainer, recallCriterion } from '../train/proposals/proposals-trainer.js';
import { assertOverlaps, changeableOnResume, type RpnConfig, rpnConfigSchema } from '../train/proposals/rpn-config.js';
import { type RpnDryRun, rpnDryRun } from '../train/proposals/rpn-dry-run.js';
import { newRpn, type RpnStart, storedRpn } from '../train/proposals/rpn-start.js';
import { type StageContext, type StageView, silentView } from './context.js';
import { openEngine } from './open-model.js';
import type { ReportWords } from './train-report.js';
import {
  type OpenedTrainer,
  type RunContext,
  type TrainJob,
  type TrainResult,
  trainJob,
  type Working,
} from './train-run.js';
import { type SeedsResult, trainSeeded } from './train-seeds.js';
import { initFile, settingsOf, type TrainOptions } from './train-settings.js';

/** `val`: manifest (.jsonl) with boxes for recall. */
export type TrainRpnOptions = TrainOptions;

/** What a run would do and cost. */
export interface RpnEstimate extends RpnDryRun {
  config: RpnConfig;
}

const words: ReportWords = {
  update: ({ objectness, boxes, positives }) =>
    `log ${(objectness as number).toFixed(3)}  boxes ${(boxes as number).toFixed(3)}  positives ${(positives as number).toFixed(0)}`,
  measure: ({ recall50, recall70, valUnreadable }) =>
    `, at 0.5 ${(recall50 as number).toFixed(4)}, at 0.7 ${(recall70 as number).toFixed(4)}` +
    (valUnreadable === 0 ? '' : `, ${valUnreadable as number} unusable`),
};

/** Trains in a run folder, or goes on there. */
export function trainRpn(options: TrainRpnOptions, context: StageContext = {}): Promise<TrainResult | SeedsResult> {
  return trainSeeded({ criterion: recallCriterion, settings, run: runRpn }, options, context);
}

/** Measures what a run would do and cost on a few of its images; writes nothing. */
export async function estimateRpn(
  options: TrainRpnOptions,
  { view = silentView }: StageContext = {},
): Promise<RpnEstimate> {
  const { records, withoutBox, config } = await readWork({ ...options, resume: false }, view);
  await openEngine(options);
  const { model, head } = await newRpn(initFile(options), config);
  try {
    const images = imagesOf(model, config);
    return { ...(await rpnDryRun({ model, head, images }, records, { config, withoutBox })), config };
  } finally {
    model.dispose();
    head.dispose();
  }
}

async function runRpn(options: TrainRpnOptions, context: RunContext): Promise<TrainResult> {
  const folder = new RunFolder(options.run);
  if (options.resume !== true && context.group.leads) folder.assertNew();
  return trainJob(await prepareRpn(options, context), folder, options, context);
}

async function prepareRpn(options: TrainRpnOptions, { view, group }: RunContext): Promise<TrainJob> {
  const { records, withoutBox, validation, config } = await readWork(options, view);
  const opened = (
    { model, head, random }: Pick<RpnStart, 'model' | 'head'> & Partial<RpnStart>,
    working: Working,
  ): OpenedTrainer => {
    // One budget: the photographs of --val are read again at every measurement.
    const images = imagesOf(model, config);
    const measure = async () => {
      const { stride } = model;
      const measuring = {
        stride,
        proposals: config.proposals,
        signal: group.asked,
        group,
        onProgress: working('measure'),
      };
      const measured = await measureRpn(head, images, validation!, measuring);
      if (measured === undefined) return undefined;
      const { recall, ...figures } = measured;
      return { value: recall, figures };
    };
    return {
      trainer: new ProposalsTrainer({ model, head, images, records, config, random, measure: validation && measure }),
      dispose() {
        model.dispose();
        head.dispose();
      },
    };
  };
  return {
    config,
    schema: rpnConfigSchema,
    words,
    async start({ init }, working, begun) {
      const start = await newRpn(init, config);
      await begun();
      if (start.origin === 'continued') view.note(`${init}: training goes on from the proposals it has.`);
      if (start.origin === 'replaced') {
        view.note(`${init}: its proposals have other anchors or channels and are replaced.`);
      }
      return opened(start, working);
    },
    reopen: async (checkpoint, working) => opened(await storedRpn(join(checkpoint, checkpointFiles.model)), working),
    resultOf(summary, place) {
      const { first: firstRecall, whitened: _, last: recall, ...rest } = summary;
      return { ...place, ...rest, firstRecall, recall, withoutBox };
    },
  };
}

async function settings(options: TrainOptions, folder: RunFolder): Promise<RpnConfig> {
  return settingsOf(options, folder, { schema: rpnConfigSchema, changeable: changeableOnResume });
}

async function readWork(options: TrainRpnOptions, view: StageView) {
  const config = await settings(options, new RunFolder(options.run));
  assertOverlaps(config);
  const all = await readManifest(options.manifest, options);
  const records = boxedRecords(all, options.manifest);
  const withoutBox = all.length - records.length;
  if (withoutBox > 0) {
    view.note(`${options.manifest}: ${withoutBox} of ${all.length} records have no box and are left out.`);
  }
  const validation =
    options.val === undefined ? undefined : boxedRecords(await readManifest(options.val, options), options.val);
  return { config, records, withoutBox, validation };
}

function imagesOf(model: RpnStart['model'], { imageSize, cacheMegabytes }: RpnConfig): BoxedImages {
  return new BoxedImages(model, { imageSize, cacheBytes: cacheMegabytes * 1e6 });
}
