/** @file The stage that trains the trunk of a descriptor model by classification of landmarks. */
import { join } from 'node:path';
import { type ImageRecord, readManifest } from '../data/manifest.js';
import { checkpointFiles } from '../run/checkpoint.js';
import { RunFolder } from '../run/run-folder.js';
import { classesOf, labelsOf } from '../train/classify/classes.js';
import { classifierFile } from '../train/classify/classifier-file.js';
import { type ClassifierStart, newClassifier } from '../train/classify/classifier-start.js';
import {
  assertSides,
  type ClassifyConfig,
  changeableOnResume,
  classifyConfigSchema,
} from '../train/classify/classify-config.js';
import { type ClassifyDryRun, classifyDryRun } from '../train/classify/classify-dry-run.js';
import { ClassifyTrainer, topOne } from '../train/classify/classify-trainer.js';
import { imprint } from '../train/classify/imprint.js';
import { type HeldBack, holdBack } from '../train/finish.js';
import { measureClasses } from '../train/classify/measure-classes.js';
import { withViews } from '../train/views/training-record.js';
import { openViews } from '../train/views/view-generator.js';
import type { StageContext } from './context.js';
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

/** `val`: labelled manifest (.jsonl) for top-1 and top-5. */
export interface TrainClassifyOptions extends TrainOptions {
  /** `classifier.safetensors` of an earlier run of the same classes, or a published fc6 and fc7. Default: a new head. */
  classifier?: string | undefined;
}

/** What a run would do and cost. */
export interface ClassifyEstimate extends ClassifyDryRun {
  /** Form of the head. */
  head: string;
  config: ClassifyConfig;
}

const words: ReportWords = {
  update: ({ top1, epoch }) => `right ${Math.round(100 * (top1 as number))} %  epoch ${(epoch as number).toFixed(1)}`,
  measure: ({ top5, valLoss, valUnreadable }) =>
    `, top-5 ${(top5 as number).toFixed(4)}, loss ${(valLoss as number).toFixed(4)}` +
    (valUnreadable === 0 ? '' : `, ${valUnreadable as number} unreadable`),
};

/** Trains in a run folder, or goes on there. */
export function trainClassify(
  options: TrainClassifyOptions,
  context: StageContext = {},
): Promise<TrainResult | SeedsResult> {
  return trainSeeded({ criterion: topOne, settings, run: runClassify }, options, context);
}

/** Measures what a run would do and cost on a few of its images; writes nothing. `given`: images in the place of the manifest's. */
export async function estimateClassify(
  options: TrainClassifyOptions,
  given?: readonly ImageRecord[],
): Promise<ClassifyEstimate> {
  const { classes, held, records, views, validation, config } = await readWork({ ...options, resume: false }, given);
  await openEngine(options);
  const start = await newClassifier(initFile(options), { classes, config, classifier: options.classifier });
  try {
    const validationImages = validation?.records.length ?? 0;
    const heldBack = held.heldBack.length;
    const estimate = await classifyDryRun(start, records, { config, validationImages, heldBack, views });
    return { ...estimate, head: start.head.layout.kind, config };
  } finally {
    start.model.dispose();
    start.head.dispose();
  }
}

/** One run. `given`: images in the place of the manifest's. */
export async function runClassify(
  options: TrainClassifyOptions,
  context: RunContext,
  given?: readonly ImageRecord[],
): Promise<TrainResult> {
  const folder = new RunFolder(options.run);
  if (options.resume !== true && context.group.leads) folder.assertNew();
  return trainJob(await prepareClassify(options, context, given), folder, options, context);
}

/** Reads what is to be done; throws where settings and data do not fit. */
export async function prepareClassify(
  options: TrainClassifyOptions,
  { view, group }: RunContext,
  given?: readonly ImageRecord[],
): Promise<TrainJob> {
  const { classes, held, records, views, validation, config } = await readWork(options, given);
  const opened = ({ model, head, random }: ClassifierStart, working: Working): OpenedTrainer => {
    const measure = async () => {
      const onProgress = working('measure');
      const measured = await measureClasses({ model, head }, validation!, {
        config,
        signal: group.asked,
        group,
        onProgress,
      });
      if (measured === undefined) return undefined;
      const { top1, ...figures } = measured;
      return { value: top1, figures };
    };
    return {
      trainer: new ClassifyTrainer({ model, head, records, views, config, random, measure: validation && measure }),
      dispose() {
        model.dispose();
        head.dispose();
      },
    };
  };
  return {
    config,
    schema: classifyConfigSchema,
    words,
    finish: { ...held, config },
    async start({ init, classifier }, working, begun) {
      const start = await newClassifier(init, { classes, config, classifier });
      await begun();
      if (start.head.layout.kind === 'cosine' && classifier === undefined) {
        await imprint(start, { records, labels: labelsOf(records, classes, 'The manifest') }, config);
      }
      if (start.hadWhitening) {
        view.note(
          `${init}: its whitening was learned on the features before training and is left out; see rmac whiten.`,
        );
      }
      return opened(start, working);
    },
    async reopen(checkpoint, working) {
      const [model, classifier] = [checkpointFiles.model, classifierFile].map((name) => join(checkpoint, name));
      return opened(await newClassifier(model, { classes, config, classifier }), working);
    },
    resultOf(summary, place, measured) {
      const { first: firstTop1, whitened: _, last: top1, ...rest } = summary;
      return { ...place, classes: classes.length, ...rest, firstTop1, top1, top5: measured?.top5 };
    },
  };
}

async function settings(options: TrainOptions, folder: RunFolder): Promise<ClassifyConfig> {
  return settingsOf(options, folder, { schema: classifyConfigSchema, changeable: changeableOnResume });
}

async function readWork(options: TrainOptions, given?: readonly ImageRecord[]) {
  const config = await settings(options, new RunFolder(options.run));
  assertSides(config);
  const held: HeldBack = holdBack([...(given ?? (await readManifest(options.manifest, options)))], config);
  const [records, views] = [withViews(held.train, config.views), await openViews(config.views, held.train)];
  const classes = classesOf(records);
  const measured = options.val === undefined ? undefined : await readManifest(options.val, options);
  const validation = measured && { records: measured, labels: labelsOf(measured, classes, options.val!) };
  return { config, held, records, views, classes, validation };
}
