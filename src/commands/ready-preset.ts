/** @file A published system opened on weights and fitted as the command line asks, and what is said of it. */
import { realpath } from 'node:fs/promises';
import { InputError, UsageError } from '../errors.js';
import type { GroundTruth } from '../retrieval/ground-truth.js';
import type { SystemDescriptors } from '../systems/describe-for-system.js';
import type { FitReport, System } from '../systems/system.js';
import { type CommonOptions, interruptSignal, say, startProgress } from './console.js';
import { openEngine } from './open-model.js';
import type { PresetOptions } from './preset-options.js';

/** A system that is ready to describe. */
export interface ReadyPreset {
  system: System;
  /** Fires on Ctrl-C. */
  signal: AbortSignal;
  /** What it learned from, where it learns; `transductive`: from images that are searched, too. */
  fit?: FitReport & { manifest: string; transductive: boolean };
}

/**
 * Starts the engine, opens the preset and fits it. `searched` are the images it will be measured on: a fit on any of them is
 * said to be one. The caller disposes of the system.
 */
export async function readyPreset(
  options: PresetOptions & CommonOptions & { size?: number | 'none'; snap?: number },
  searched: readonly string[] = [],
): Promise<ReadyPreset> {
  const { preset = '', weights = '', size, snap, classifier } = options;
  if (size === 'none') throw new UsageError('--size none: a preset has sides in pixels; give the main one.');
  const { openSystem } = await import('../systems/open-system.js');
  const { architectureFamily, familyOf } = await import('../systems/network-layers.js');
  const { parseSystemName } = await import('../systems/system-name.js');
  const named = parseSystemName(preset); // before the engine starts
  const signal = interruptSignal();
  if (named.preset.settings.fit !== undefined && options.fit === undefined) {
    throw new UsageError(`${named.preset.name} is learned from training images first: --fit MANIFEST.`);
  }
  await openEngine(options);
  const system = await openSystem(preset, { weights, size, snap, classifier });
  try {
    if (
      named.network !== undefined &&
      architectureFamily(named.network).family !== familyOf(system.network.architecture)
    ) {
      say(`${weights} holds ${system.network.architecture}, which is used in place of ${named.network}.`);
    }
    if (options.fit === undefined) return { system, signal };
    if (!system.needsFit) {
      say(`${system.name} learns nothing: --fit is not used.`);
      return { system, signal };
    }
    return { system, signal, fit: await fitOn(system, options.fit, signal, options, searched) };
  } catch (error) {
    system.dispose();
    throw error;
  }
}

async function fitOn(
  system: System,
  manifest: string,
  signal: AbortSignal,
  { fitImages, fitSeed }: PresetOptions,
  searched: readonly string[],
): Promise<NonNullable<ReadyPreset['fit']>> {
  const { readManifest } = await import('../data/manifest.js');
  const { sampleOf } = await import('../retrieval/learn-whitening.js');
  const images = sampleOf(await readManifest(manifest), fitImages, fitSeed);
  const known = new Set(await Promise.all(searched.map(realPath)));
  const own = await Promise.all(images.map(({ path }) => realPath(path)));
  const transductive = own.some((path) => known.has(path));
  if (transductive) say(`${manifest} has images that are searched: what is learned from them is transductive.`);
  const progress = startProgress('fit', images.length);
  try {
    const report = await system.fit(images, { signal, onProgress: (done) => progress.update(done) });
    for (const { id, error } of report.failures.slice(0, 10)) say(`skipped ${id}: ${error}`);
    for (const warning of report.warnings) say(`${system.name}: ${warning}`);
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

/** What `--json` says of it. */
export function presetJson({ system, fit }: Omit<ReadyPreset, 'signal'>) {
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

/** The same as lines of name and value. */
export function presetRows({ system, fit }: ReadyPreset): [string, string][] {
  const vectors = system.vectors('database');
  const { settings, dimension, network } = system;
  return [
    ['system', `${system.name} at ${settings.sides.join(', ')} px`],
    ['maps', settings.maps.map((layer) => network.layers[layer]).join(', ')],
    ['kept per image', `${vectors > 1 ? `${vectors} x ` : ''}${dimension} values, ${system.bytesPerImage} bytes`],
    ...(fit
      ? [
          [
            'fit',
            `${fit.rows} vectors of ${fit.images} images of ${fit.manifest}${fit.transductive ? ', transductive' : ''}`,
          ] as [string, string],
        ]
      : []),
  ];
}

/** Describes a ground truth by the system, with progress; Ctrl-C ends it as a failure. */
export async function describeByPreset(
  { system, signal }: ReadyPreset,
  groundTruth: GroundTruth,
): Promise<SystemDescriptors> {
  const { describeForSystem } = await import('../systems/describe-for-system.js');
  const { imagesToDescribe } = await import('../retrieval/describe-ground-truth.js');
  const progress = startProgress('describe', imagesToDescribe(groundTruth));
  try {
    const described = await describeForSystem(system, groundTruth, {
      signal,
      onProgress: (done) => progress.update(done),
    });
    if (signal.aborted) throw new InputError('Interrupted; nothing is kept.');
    for (const { id, error } of described.failures.slice(0, 10)) say(`skipped ${id}: ${error}`);
    if (described.database.ids.length === 0) {
      throw new InputError(`No image of the database could be described; the first: ${described.failures[0].error}`);
    }
    return described;
  } finally {
    progress.stop();
  }
}
