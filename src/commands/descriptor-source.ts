/** @file What `rmac extract` takes descriptors from: a model, or a system of the literature. */
import type { ImageSizing } from '../data/images.js';
import { UsageError } from '../errors.js';
import { type RegionSource, regionsText } from '../models/region-source.js';
import { type CommonOptions, interruptSignal, say } from './console.js';
import { type ModelOptions, openEngine, openModel } from './open-model.js';
import type { PresetOptions } from './preset-options.js';
import { presetJson, readyPreset } from './ready-preset.js';
import { describerFor } from './regions-option.js';

export interface SourceOptions extends CommonOptions, ModelOptions, PresetOptions {
  model?: string;
  regions?: RegionSource;
}

/** What describes the images, and what its descriptors depend on. */
export interface DescriptorSource {
  describer: Parameters<typeof import('../retrieval/extract.js').extractDescriptors>[0];
  sizing?: ImageSizing;
  settings: Record<string, string>;
  /** For meta.json. */
  meta: Record<string, unknown>;
  /** Fires on Ctrl-C. */
  signal: AbortSignal;
  dispose: () => void;
}

export async function modelSource(options: SourceOptions): Promise<DescriptorSource> {
  const { model: modelFile = '', regions } = options;
  const { sha256OfFile } = await import('../data/sha256.js');
  const { sizingFor } = await import('../retrieval/describe.js');
  const modelChecksum = await sha256OfFile(modelFile);
  await openEngine(options);
  const model = await openModel(modelFile, options);
  const { meta } = model;
  const describer = await describerFor(model, modelFile, regions);
  const sizing = sizingFor(meta, options);
  return {
    describer,
    sizing,
    settings: {
      model: modelChecksum,
      pooling: JSON.stringify(meta.pooling),
      size: `${sizing.upscale === false ? 'at most ' : ''}${sizing.longest}`,
      regions: regionsText(regions ?? meta.regions),
    },
    meta: { model: meta },
    signal: interruptSignal(),
    dispose: () => {
      describer.dispose();
      model.dispose();
    },
  };
}

export async function presetSource(
  options: SourceOptions,
  items: readonly { path: string }[],
): Promise<DescriptorSource> {
  const { weights = '', fit, classifier } = options;
  const { sha256OfFile } = await import('../data/sha256.js');
  const { describeFilesBySystem } = await import('../systems/describe-for-system.js');
  const ready = await readyPreset(
    options,
    items.map(({ path }) => path),
  );
  const { system } = ready;
  if (system.vectors('database') !== 1) {
    const count = system.vectors('database');
    system.dispose();
    throw new UsageError(
      `${system.name} keeps ${count} vectors per image; extract writes one. Use rmac evaluate --preset.`,
    );
  }
  const { distance } = system.settings;
  if (distance === 'manhattan' || distance === 'layers') {
    say(
      `${system.name} is searched by another distance (${distance}) than the dot product of rmac evaluate --descriptors.`,
    );
  }
  const sum = async (file: string | undefined) => (file === undefined ? 'none' : sha256OfFile(file));
  return {
    describer: {
      dimension: system.dimension,
      describeFiles: (waiting, work) => describeFilesBySystem(system, waiting, work),
    },
    settings: {
      system: system.name,
      systemSettings: JSON.stringify(system.settings),
      weights: await sha256OfFile(weights),
      fit: `${await sum(fit)} ${options.fitImages ?? 'all'} ${options.fitSeed}`,
      classifier: await sum(classifier),
    },
    meta: { system: presetJson(ready) },
    signal: ready.signal,
    dispose: () => system.dispose(),
  };
}
