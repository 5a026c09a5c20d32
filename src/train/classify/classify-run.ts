/** @file Classification training in a run folder: the descriptor model as any trainer leaves it, and the head beside it. */
import { join } from 'node:path';
import { z } from 'zod';
import type { ImageRecord } from '../../data/manifest.js';
import { readModelFile } from '../../data/model-file.js';
import { InputError, messageOf } from '../../errors.js';
import { DescriptorModel } from '../../models/descriptor.js';
import type { NamedArrays } from '../../models/safetensors.js';
import { withoutWhitening } from '../../models/whitening.js';
import { checkpointFiles, loopStateShape, readCheckpoint } from '../../run/checkpoint.js';
import { classifierFile, encodeClassifier, readClassifier } from './classifier-file.js';
import { ClassifierHead, headLayout, initialHead } from './classifier-head.js';
import { type ClassifyConfig, classifyConfigSchema } from './classify-config.js';
import { type ClassifyRecord, type ClassifyState, fitClassifier, type FitClassifierOptions } from './fit-classifier.js';
import type { ClassAccuracy } from './measure-classes.js';
import { type RandomState, RandomStream } from '../random.js';
import { recordRun, type RunNotes } from '../record-run.js';
import type { RunFolder } from '../../run/run-folder.js';

const count = z.int().min(0);

const stateSchema: z.ZodType<ClassifyState> = z.strictObject({
  ...loopStateShape,
  images: z.string(),
  epoch: z.strictObject({ random: loopStateShape.random, drawn: count }).optional(),
  best: z.strictObject({ step: count, top1: z.number() }).optional(),
});

/** Trunk and head, and where the run stands. The caller disposes of both. */
export interface ClassifierStart {
  model: DescriptorModel;
  head: ClassifierHead;
  /** Where the stream stands after the head was drawn. */
  random?: RandomState;
  resume?: { state: ClassifyState; momentum: NamedArrays };
  /** The model had a whitening, which was left out: it was learned on the features of before. */
  hadWhitening: boolean;
}

/** A new run's model and head; `classifier`: file of a head, or of a published network's fc6 and fc7, to continue from. */
export async function newClassifier(
  init: string,
  { classes, config, classifier }: { classes: readonly string[]; config: ClassifyConfig; classifier?: string },
): Promise<ClassifierStart> {
  const { model, hadWhitening } = await openTrunk(init, config);
  try {
    const layout = headLayout(model.meta, classes, config);
    const random = new RandomStream(config.seed);
    const known = classifier && (await readClassifier(classifier, layout, model.meta.architecture));
    const weights = initialHead(layout, random, known || undefined);
    return { model, head: new ClassifierHead(layout, weights, classifier), random: random.state(), hadWhitening };
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** Model, head and state of the run's newest checkpoint; undefined where there is none. */
export async function openClassifierCheckpoint(
  folder: RunFolder,
  { classes, config }: { classes: readonly string[]; config: ClassifyConfig },
): Promise<ClassifierStart | undefined> {
  const checkpoint = await folder.latestCheckpoint();
  if (checkpoint === undefined) return undefined;
  const resume = await readCheckpoint(checkpoint, stateSchema);
  const classifier = join(checkpoint, classifierFile);
  return { ...(await newClassifier(join(checkpoint, checkpointFiles.model), { classes, config, classifier })), resume };
}

/** `fitClassifier` with its results in `folder`. Yields what it appends to the log. */
export function runClassifier(
  folder: RunFolder,
  {
    model,
    head,
    measure,
    manifest,
    scalars,
    ...options
  }: RunNotes &
    Pick<FitClassifierOptions, 'resume' | 'random' | 'signal' | 'timeout'> & {
      model: DescriptorModel;
      head: ClassifierHead;
      records: readonly ImageRecord[];
      config: ClassifyConfig;
      measure?: () => Promise<ClassAccuracy | undefined>;
    },
): AsyncGenerator<ClassifyRecord> {
  return recordRun<ClassifyState, 'top1', ClassifyRecord>(folder, {
    model,
    trained: model.trainable(options.config.freeze).keys(),
    schema: classifyConfigSchema,
    config: options.config,
    resumed: options.resume?.state,
    measure,
    manifest,
    scalars,
    files: async () => new Map([[classifierFile, encodeClassifier(head.layout, await head.toArrays())]]),
    fit: (hooks) => fitClassifier({ ...options, ...hooks, model, head }),
  });
}

async function openTrunk(
  file: string,
  { freeze }: ClassifyConfig,
): Promise<{ model: DescriptorModel; hadWhitening: boolean }> {
  const stored = await readModelFile(file);
  const hadWhitening = stored.meta.whitening !== undefined;
  const { meta, weights } = hadWhitening ? withoutWhitening(stored.meta, stored.weights) : stored;
  let model: DescriptorModel;
  try {
    model = DescriptorModel.create(meta, weights);
  } catch (error) {
    throw error instanceof InputError ? new InputError(`${file}: ${messageOf(error)}`) : error;
  }
  try {
    model.trainableTrunk(freeze); // throws on an unknown stage
  } catch (error) {
    model.dispose();
    throw error;
  }
  return { model, hadWhitening };
}
