/** @file What a name in a comparison stands for: a model file, or a preset on the weights that fit it. */
import { existsSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { readModelFile } from '../data/model-file.js';
import { sha256OfFile } from '../data/sha256.js';
import { UsageError } from '../errors.js';
import type { AveragePrecisionRule } from '../retrieval/average-precision.js';
import type { TruthSource } from '../retrieval/protocols/truth-source.js';
import { architectureFamily, familyOf } from '../systems/network-layers.js';
import { parseSystemName } from '../systems/system-name.js';
import type { EngineChoice, ModelChoice } from './open-model.js';
import type { FitChoice } from './open-preset.js';

/** A system of a comparison. */
export interface NamedSystem {
  /** What the table calls it. */
  name: string;
  /** Where it is kept. */
  file: string;
  /** What its figures depend on. */
  key: string;
  /** How `evaluate` measures it. */
  given: { model: string } | { preset: string; weights: string; model?: never };
}

/** What every system of a comparison is measured with. */
export interface SharedChoice extends TruthSource, EngineChoice, FitChoice, Pick<ModelChoice, 'size' | 'snap'> {
  /** The rule behind mAP. Default `trapezoid`. */
  ap?: AveragePrecisionRule;
}

/** @throws UsageError for what is neither a file nor a preset, for a preset without weights, and for a system that is listed twice. */
export async function namedSystems(
  systems: readonly string[],
  context: SharedChoice & { weights: readonly string[] },
): Promise<NamedSystem[]> {
  const sums = new Map<string, Promise<string>>();
  /** Each file is read once. */
  const sum = (file: string | undefined): Promise<string> | undefined => {
    if (file === undefined) return undefined;
    const found = sums.get(file) ?? sha256OfFile(file);
    sums.set(file, found);
    return found;
  };
  const truth = context.groundtruth ?? context.manifest;
  const networks = systems.every((system) => existsSync(system)) ? [] : await networksOf(context.weights);
  const { protocol, data, size, snap, ap = 'trapezoid', fitImages, fitSeed = 0 } = context;
  const entries: NamedSystem[] = [];
  for (const system of systems) {
    const given = existsSync(system) ? { model: system } : presetOn(system, networks);
    const name = 'preset' in given ? given.preset : modelName(system);
    if (entries.some((other) => other.name === name)) throw new UsageError(`${system} is listed twice, as ${name}.`);
    const key = JSON.stringify({
      protocol,
      data,
      size,
      snap,
      ap,
      truth: holdsBytes(truth) ? await sum(truth) : truth, // a folder is known by its name
      network: await sum('preset' in given ? given.weights : given.model),
      ...('preset' in given && {
        preset: given.preset,
        fit: await sum(context.fit),
        fitImages,
        fitSeed,
        classifier: await sum(context.classifier),
      }),
    });
    entries.push({ name, file: `${name.replaceAll(/[^\w@.-]+/g, '_')}.json`, key, given });
  }
  return entries;
}

function holdsBytes(path: string | undefined): boolean {
  return path !== undefined && (statSync(path, { throwIfNoEntry: false })?.isFile() ?? false);
}

/** "runs/a/model.safetensors" -> "a/model", "densenet121.safetensors" -> "densenet121". */
function modelName(file: string): string {
  const name = basename(file, '.safetensors');
  const folder = basename(dirname(file));
  return ['model', 'best'].includes(name) && !['', '.', '..'].includes(folder) ? `${folder}/${name}` : name;
}

interface NetworkFile {
  file: string;
  family: string;
}

async function networksOf(weights: readonly string[]): Promise<NetworkFile[]> {
  const networks: NetworkFile[] = [];
  for (const file of weights) networks.push({ file, family: familyOf((await readModelFile(file)).meta.architecture) });
  return networks;
}

/** The first weights whose network the preset names; without a network in its name, those of its paper, else the first. */
function presetOn(system: string, networks: readonly NetworkFile[]): Exclude<NamedSystem['given'], { model: string }> {
  const { preset, network } = parseSystemName(system);
  if (networks.length === 0) {
    throw new UsageError(
      `${system}: no such file, and as a preset it needs --weights FILE: a model file of rmac weights import.`,
    );
  }
  const wanted: readonly string[] =
    network === undefined ? Object.keys(preset.networks) : [architectureFamily(network).family];
  const fitting = networks.find(({ family }) => wanted.includes(family));
  if (fitting === undefined && network !== undefined) {
    throw new UsageError(
      `${system}: none of --weights has a ${network}; they have ${networks.map(({ family }) => family).join(', ')}.`,
    );
  }
  const { file, family } = fitting ?? networks[0];
  return { preset: `${preset.name}@${network ?? family}`, weights: file };
}
