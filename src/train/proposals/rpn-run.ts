/** @file Training proposals in a run folder: its models are the model it began with, whole, and the proposals. */
import { join } from 'node:path';
import { z } from 'zod';
import { readModelFile, type StorableModel } from '../../data/model-file.js';
import { InputError, messageOf } from '../../errors.js';
import { DescriptorModel } from '../../models/descriptor.js';
import type { ModelMeta, RpnMeta } from '../../models/meta.js';
import { rpnShapes } from '../../models/rpn-weights.js';
import type { NamedArrays } from '../../models/safetensors.js';
import { landmarkAnchors } from '../../rpn/anchors.js';
import { initialRpn, RpnHead } from '../../rpn/head.js';
import { checkpointFiles, loopStateShape, readCheckpoint } from '../../run/checkpoint.js';
import { fitRpn, type FitRpnOptions, type RpnRecord, type RpnState } from './fit-rpn.js';
import type { ProposalRecall } from './measure-rpn.js';
import { type RandomState, RandomStream } from '../random.js';
import { recordRun, type RunNotes } from '../record-run.js';
import { type RpnConfig, rpnConfigSchema } from './rpn-config.js';
import type { RunFolder } from '../../run/run-folder.js';

const count = z.int().min(0);

const stateSchema: z.ZodType<RpnState> = z.strictObject({
  ...loopStateShape,
  images: z.string(),
  epoch: z.strictObject({ random: loopStateShape.random, drawn: count }).optional(),
  best: z.strictObject({ step: count, recall: z.number() }).optional(),
});

/** Trunk and head, and where the run stands. The caller disposes of both. */
export interface RpnStart {
  model: DescriptorModel;
  head: RpnHead;
  /** Where the stream stands after the head was drawn. */
  random?: RandomState;
  resume?: { state: RpnState; momentum: NamedArrays };
  /** `new`: the file had no proposals; `continued`: it had these; `replaced`: it had others, of other anchors or channels. */
  origin: 'new' | 'continued' | 'replaced';
}

/** A new run's model and head. */
export async function newRpn(init: string, config: RpnConfig): Promise<RpnStart> {
  const { meta, weights } = await readModelFile(init);
  const model = createModel(init, { ...meta, imageSize: config.imageSize }, weights);
  const { base, scales } = landmarkAnchors(config.imageSize, config.anchorShares);
  const rpn: RpnMeta = {
    anchors: { base, scales: [...scales], ratios: config.anchorRatios, clip: config.border === 'clip' },
    channels: config.channels,
  };
  const random = new RandomStream(config.seed);
  const continued = JSON.stringify(meta.rpn) === JSON.stringify(rpn);
  const head = new RpnHead(rpn, model.channels, continued ? model.rpnWeights : initialRpn(rpn, model.channels, random));
  const origin = continued ? 'continued' : meta.rpn === undefined ? 'new' : 'replaced';
  return { model, head, random: random.state(), origin };
}

/** Model, head and state of the run's newest checkpoint; undefined where there is none. */
export async function openRpnCheckpoint(folder: RunFolder): Promise<RpnStart | undefined> {
  const checkpoint = await folder.latestCheckpoint();
  if (checkpoint === undefined) return undefined;
  const resume = await readCheckpoint(checkpoint, stateSchema);
  const file = join(checkpoint, checkpointFiles.model);
  const { meta, weights } = await readModelFile(file);
  if (meta.rpn === undefined) throw new InputError(`${file} has no proposals; it is not of a run of train rpn.`);
  const model = createModel(file, meta, weights);
  return { model, head: new RpnHead(meta.rpn, model.channels, model.rpnWeights), resume, origin: 'continued' };
}

/** The model with the head as it is now in place of the proposals it had. */
export function withProposals(model: DescriptorModel, head: RpnHead): StorableModel {
  return {
    meta: { ...model.meta, rpn: head.meta },
    toArrays: async () => {
      const arrays = await model.toArrays();
      for (const name of model.rpnWeights.keys()) arrays.delete(name);
      for (const [name, array] of await head.toArrays()) arrays.set(name, array);
      return arrays;
    },
  };
}

/** `fitRpn` with its results in `folder`. Yields what it appends to the log. */
export function runRpn(
  folder: RunFolder,
  {
    model,
    measure,
    manifest,
    scalars,
    ...options
  }: Omit<FitRpnOptions, 'stride' | 'measure' | 'onBest' | 'save'> & {
    model: DescriptorModel;
    measure?: () => Promise<ProposalRecall | undefined>;
  } & RunNotes,
): AsyncGenerator<RpnRecord> {
  return recordRun<RpnState, 'recall', RpnRecord>(folder, {
    model: withProposals(model, options.head),
    trained: rpnShapes(options.head.meta, model.channels).keys(),
    schema: rpnConfigSchema,
    config: options.config,
    resumed: options.resume?.state,
    measure,
    manifest,
    scalars,
    fit: (hooks) => fitRpn({ ...options, ...hooks, stride: model.stride }),
  });
}

function createModel(file: string, meta: ModelMeta, weights: NamedArrays): DescriptorModel {
  try {
    return DescriptorModel.create(meta, weights);
  } catch (error) {
    throw error instanceof InputError ? new InputError(`${file}: ${messageOf(error)}`) : error;
  }
}
