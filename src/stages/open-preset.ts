/** @file A published system opened on weights and fitted as asked, and what is said of it. */
import { realpath } from 'node:fs/promises';
import { readManifest } from '../data/manifest.js';
import { InputError, UsageError } from '../errors.js';
import { imagesToDescribe } from '../retrieval/describe-ground-truth.js';
import type { GroundTruth } from '../retrieval/ground-truth.js';
import { sampleOf } from '../retrieval/learn-whitening.js';
import { describeForSystem, type SystemDescriptors } from '../systems/describe-for-system.js';
import { architectureFamily, familyOf } from '../systems/network-layers.js';
import { openSystem } from '../systems/open-system.js';
import { parseSystemName } from '../systems/system-name.js';
import type { FitReport, System } from '../systems/system.js';
import { type StageContext, silentView } from './context.js';
import { assertAnyDescribed, noteFailures } from './failures.js';
import { type EngineChoice, type ModelChoice, openEngine } from './open-model.js';

/** What published systems learn from. */
export interface FitChoice {
  /** Manifest that whitening or feature selection is learned on. */
  fit?: string;
  /** Learn from this many of its images, drawn at random. Default: all. */
  fitImages?: number;
  /** Of that draw. Default 0. */
  fitSeed?: number;
  /** Weight file with the network's fully connected layer, for presets that mask by class. */
  classifier?: string;
}

/** Which published system, on which weights. */
export interface PresetChoice extends FitChoice {
  /** `<preset>[@<network>]`. */
  preset?: string;
  /** Model file with its network. */
  weights?: string;
}

/** A system that is ready to describe. */
export interface ReadyPreset {
  system: System;
  /** What it learned from, where it learns; `transductive`: from images that are searched, too. */
  fit?: FitReport & { manifest: string; transductive: boolean };
}

/** @throws UsageError for options that need a preset, and a preset without its weights. */
export function checkPreset({ preset, weights, fit, fitImages, classifier }: PresetChoice): void {
  if (preset !== undefined && weights === undefined) {
    throw new UsageError('--preset needs --weights FILE: a model file of rmac weights import.');
  }
  if (preset === undefined && [weights, fit, fitImages, classifier].some((value) => value !== undefined)) {
    throw new UsageError('--weights, --fit, --fit-images and --classifier go with --preset.');
  }
}

/**
 * Starts the engine, opens the preset and fits it. `searched` are the images it will be measured on: a fit on any of them is
 * said to be one. The caller disposes of the system.
 */
export async function openPreset(
  options: PresetChoice & EngineChoice & Pick<ModelChoice, 'size' | 'snap'>,
  searched: readonly string[],
  context: StageContext,
): Promise<ReadyPreset> {
  const { preset = '', weights = '', size, snap, classifier } = options;
  const { view = silentView } = context;
  if (size === 'none') throw new UsageError('--size none: a preset has sides in pixels; give the main one.');
  const named = parseSystemName(preset); // before the engine starts
  if (named.preset.settings.fit !== undefined && options.fit === undefined) {
    throw new UsageError(`${named.preset.name} is learned from training images first: --fit MANIFEST.`);
  }
  await openEngine(options);
  const system = await openSystem(preset, { weights, size, snap, classifier });
  try {
    const { architecture } = system.network;
    if (named.network !== undefined && architectureFamily(named.network).family !== familyOf(architecture)) {
      view.note(`${weights} holds ${architecture}, which is used in place of ${named.network}.`);
    }
    if (options.fit === undefined) return { system };
    if (!system.needsFit) {
      view.note(`${system.name} learns nothing: --fit is not used.`);
      return { system };
    }
    return { system, fit: await fitOn(system, options.fit, options, searched, context) };
  } catch (error) {
    system.dispose();
    throw error;
  }
}

async function fitOn(
  system: System,
  manifest: string,
  { fitImages, fitSeed = 0 }: FitChoice,
  searched: readonly string[],
  { signal, view = silentView }: StageContext,
): Promise<NonNullable<ReadyPreset['fit']>> {
  const images = sampleOf(await readManifest(manifest), fitImages, fitSeed);
  const known = new Set(await Promise.all(searched.map(realPath)));
  const own = await Promise.all(images.map(({ path }) => realPath(path)));
  const transductive = own.some((path) => known.has(path));
  if (transductive) view.note(`${manifest} has images that are searched: what is learned from them is transductive.`);
  const progress = view.progress('fit', images.length);
  try {
    const report = await system.fit(images, { signal, onProgress: (done) => progress.update(done) });
    noteFailures(view, report.failures);
    for (const warning of report.warnings) view.note(`${system.name}: ${warning}`);
    return { ...report, manifest, transductive };
  } finally {
    progress.stop();
  }
}

async function realPath(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    return path; // describing it says what is wrong
  }
}

/** The system as plain data. */
export function presetSummary({ system, fit }: ReadyPreset) {
  const { name, preset, network, settings, dimension, bytesPerImage } = system;
  const learned = fit && {
    manifest: fit.manifest,
    images: fit.images,
    rows: fit.rows,
    transductive: fit.transductive,
    failures: fit.failures,
    warnings: fit.warnings,
  };
  return { name, source: preset.source, network, settings, dimension, bytesPerImage, ...(learned && { fit: learned }) };
}

export type PresetSummary = ReturnType<typeof presetSummary>;

/** Describes a ground truth by the system, with progress; an interruption ends it as a failure. */
export async function describeByPreset(
  system: System,
  groundTruth: GroundTruth,
  { signal, view = silentView }: StageContext,
): Promise<SystemDescriptors> {
  const progress = view.progress('describe', imagesToDescribe(groundTruth));
  try {
    const described = await describeForSystem(system, groundTruth, {
      signal,
      onProgress: (done) => progress.update(done),
    });
    if (signal?.aborted) throw new InputError('Interrupted; nothing is kept.');
    assertAnyDescribed(view, described);
    return described;
  } finally {
    progress.stop();
  }
}
