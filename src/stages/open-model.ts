/** @file The engine, and a model on it, as the options of the stages that compute ask for them. */
import { devices, startEngine } from '../backend/index.js';
import { loadModel, readModelFile } from '../data/model-file.js';
import { InputError, messageOf, UsageError } from '../errors.js';
import type { DescriptorModel } from '../models/descriptor.js';
import type { PoolingKind } from '../models/meta.js';
import type { RegionSource } from '../models/region-source.js';
import { ProposalDescriber } from '../rpn/proposal-describer.js';
import { type StageView, silentView } from './context.js';

/** Where a stage computes. */
export interface EngineChoice {
  /** `cpu` (the default), `webgpu`, `cuda` or `tensorflow`. */
  device?: string;
  /** Compute threads. Default: all cores. */
  threads?: number;
}

/** How a model is used on images. */
export interface ModelChoice {
  /** In place of the model's own; whitening that was learned for another pooling is left out. */
  pooling?: PoolingKind;
  /** Exponent of the power law in place of the model's own, 1 for none; whitening learned with another one is left out. */
  power?: number;
  /** Longest side of an image, px; `none` leaves images as they are. Default: the size stored in the model, else at most 1024. */
  size?: number | 'none';
  /** Both sides are rounded to multiples of this, px. Default 1. */
  snap?: number;
}

/** A model, and what describes images by its regions. */
export interface OpenedModel {
  model: DescriptorModel;
  /** What R-MAC pools, as asked for or as the model says; undefined for the grid. */
  regions: RegionSource | undefined;
  /** Where proposals are pooled. */
  proposals: ProposalDescriber | undefined;
  /** The proposals, else the model. */
  describer: DescriptorModel | ProposalDescriber;
  dispose: () => void;
}

/**
 * Starts the engine, keeping at most `maxSessions` compiled graphs (default: its own).
 * @throws UsageError for a device that does not exist, InputError for one that this machine does not have.
 */
export async function openEngine({ device = 'cpu', threads }: EngineChoice, maxSessions?: number): Promise<void> {
  const known = devices.find((name) => name === device);
  if (known === undefined) throw new UsageError(`Unknown --device "${device}". Known: ${devices.join(', ')}.`);
  try {
    await startEngine({ device: known, threads, maxSessions });
  } catch (error) {
    throw new InputError(messageOf(error));
  }
}

/**
 * Loads a model file, with another pooling if asked for. Whitening belongs to the region vectors it was learned on, so
 * one that was learned for another pooling is dropped, with a note.
 */
export async function openModel(
  file: string,
  { pooling: kind, power }: ModelChoice = {},
  view: StageView = silentView,
): Promise<DescriptorModel> {
  if (kind === undefined && power === undefined) return loadModel(file);
  const { meta } = await readModelFile(file);
  const isOther = kind !== undefined && kind !== meta.pooling.kind;
  const isOtherPower = power !== undefined && power !== (meta.pooling.power ?? 1);
  if (!isOther && !isOtherPower) return loadModel(file);
  if (isOther && meta.whitening !== undefined) {
    view.note(`${file}: its whitening was learned for ${meta.pooling.kind} and is left out with --pooling ${kind}.`);
  }
  const changed = { ...(isOther && { kind }), ...(isOtherPower && { power }) };
  return loadModel(file, { pooling: changed, dropWhitening: true });
}

/** The same with what describes by `regions`, or by the model's own. */
export async function openDescriber(
  file: string,
  { regions: given, ...choice }: ModelChoice & { regions?: RegionSource | undefined },
  view: StageView = silentView,
): Promise<OpenedModel> {
  const model = await openModel(file, choice, view);
  const regions = given ?? model.meta.regions;
  try {
    const proposals =
      regions === undefined || regions.proposals === 0 ? undefined : new ProposalDescriber(model, regions);
    const dispose = () => {
      proposals?.dispose();
      model.dispose();
    };
    return { model, regions, proposals, describer: proposals ?? model, dispose };
  } catch (error) {
    model.dispose();
    throw error instanceof InputError ? new InputError(`${file}: ${messageOf(error)}`) : error;
  }
}
