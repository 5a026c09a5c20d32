/** @file What a name in `rmac compare --models` stands for: a model file, or a preset on the weights that fit it. */
import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { UsageError } from '../errors.js';
import type { AveragePrecisionRule } from '../retrieval/average-precision.js';
import type { BenchmarkOptions } from './benchmark-options.js';
import type { CommonOptions } from './console.js';

export interface ComparedArguments {
  /** What the table calls it. */
  name: string;
  /** Where it is kept. */
  file: string;
  /** What its figures depend on. */
  key: string;
  /** The options of `rmac evaluate` it stands for. */
  given: { model: string } | { preset: string; weights: string; model?: never };
}

/** What every system of a comparison is measured with. */
export interface SharedOptions extends BenchmarkOptions, CommonOptions {
  fit?: string;
  fitImages?: number;
  fitSeed: number;
  classifier?: string;
  size?: number | 'none';
  snap?: number;
  ap: AveragePrecisionRule;
}

/** @throws UsageError for what is neither a file nor a preset, and for a preset without weights. */
export async function systemArguments(
  system: string,
  context: SharedOptions & { weights: readonly string[] },
): Promise<ComparedArguments> {
  const given = existsSync(system) ? { model: system } : await presetArguments(system, context.weights);
  const name = 'preset' in given ? given.preset : modelName(system);
  const { checksum } = await import('../retrieval/extract.js');
  const { protocol, data, size, snap, ap } = context;
  const sum = async (file: string | undefined) => (file === undefined ? undefined : checksum(file));
  const truth = context.groundtruth ?? context.manifest;
  const key = JSON.stringify({
    protocol,
    data,
    size,
    snap,
    ap,
    truth: truth === undefined || !existsSync(truth) ? truth : await sumOfFile(truth, checksum),
    network: await checksum('preset' in given ? given.weights : given.model),
    ...('preset' in given && {
      preset: given.preset,
      fit: await sum(context.fit),
      fitImages: context.fitImages,
      fitSeed: context.fitSeed,
      classifier: await sum(context.classifier),
    }),
  });
  return { name, file: `${name.replaceAll(/[^\w@.-]+/g, '_')}.json`, key, given };
}

/** A folder of ground truth is known by its name. */
async function sumOfFile(path: string, checksum: (file: string) => Promise<string>): Promise<string> {
  const { stat } = await import('node:fs/promises');
  return (await stat(path)).isFile() ? checksum(path) : path;
}

/** "runs/a/model.safetensors" -> "a/model", "densenet121.safetensors" -> "densenet121". */
function modelName(file: string): string {
  const name = basename(file, '.safetensors');
  const folder = basename(dirname(file));
  return ['model', 'best'].includes(name) && !['', '.', '..'].includes(folder) ? `${folder}/${name}` : name;
}

/** The first weights whose network the preset names; without a network in its name, those of its paper, else the first. */
async function presetArguments(
  system: string,
  weights: readonly string[],
): Promise<{ preset: string; weights: string; model?: never }> {
  const { parseSystemName } = await import('../systems/system-name.js');
  const { architectureFamily, familyOf } = await import('../systems/network-layers.js');
  const { readModelFile } = await import('../data/model-file.js');
  const { preset, network } = parseSystemName(system);
  if (weights.length === 0) {
    throw new UsageError(
      `${system}: no such file, and as a preset it needs --weights FILE: a model file of rmac weights import.`,
    );
  }
  const wanted = network === undefined ? Object.keys(preset.networks) : [architectureFamily(network).family];
  const families = await Promise.all(
    weights.map(async (file) => ({ file, family: familyOf((await readModelFile(file)).meta.architecture) })),
  );
  const fitting = families.find(({ family }) => wanted.includes(family));
  if (fitting === undefined && network !== undefined) {
    throw new UsageError(
      `${system}: none of --weights has a ${network}; they have ${families.map(({ family }) => family).join(', ')}.`,
    );
  }
  const { file, family } = fitting ?? families[0];
  return { preset: `${preset.name}@${network ?? family}`, weights: file };
}
