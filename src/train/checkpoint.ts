/**
 * @file Complete states of a run: `checkpoints/step-NNNNNN/` holds the model, the momentum (safetensors) and `state.json`. The
 * folder is written under another name and renamed, so one that has its name is whole.
 */
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../data/files.js';
import { encodeModel, readBytes } from '../data/model-file.js';
import { InputError, messageOf } from '../errors.js';
import type { ModelMeta } from '../models/meta.js';
import { encodeSafetensors, type NamedArrays, parseSafetensors } from '../models/safetensors.js';
import type { TripletState } from './fit-triplets.js';

export const checkpointFiles = {
  model: 'model.safetensors',
  momentum: 'momentum.safetensors',
  state: 'state.json',
} as const;

export interface CheckpointContents {
  meta: ModelMeta;
  weights: NamedArrays;
  momentum: NamedArrays;
  state: TripletState;
  /** The resolved configuration. */
  config: Readonly<Record<string, unknown>>;
}

/** Writes one checkpoint under `folder`, then removes all but the newest `keep`. Returns the model file's bytes. */
export async function writeCheckpoint(
  folder: string,
  { meta, weights, momentum, state, config }: CheckpointContents,
  { keep }: { keep: number },
): Promise<Uint8Array> {
  const model = encodeModel(meta, weights);
  const name = `step-${String(state.step).padStart(6, '0')}`;
  const target = join(folder, name);
  const json = encodeState(state, config);
  if (existsSync(target)) {
    // The same step has the same weights; what a measurement found may be new.
    await writeFileAtomic(join(target, checkpointFiles.state), json, { overwrite: true });
    return model;
  }
  const temporary = join(folder, `.${name}.tmp`);
  try {
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary, { recursive: true });
    await writeFileAtomic(join(temporary, checkpointFiles.model), model);
    await writeFileAtomic(join(temporary, checkpointFiles.momentum), encodeSafetensors(momentum, {}));
    await writeFileAtomic(join(temporary, checkpointFiles.state), json);
    await rename(temporary, target);
    await flushFolder(folder);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error instanceof InputError ? error : new InputError(`Cannot write ${target}: ${messageOf(error)}`);
  }
  const names = await checkpointNames(folder);
  for (const old of names.slice(0, Math.max(0, names.length - keep))) await rm(join(folder, old), { recursive: true });
  return model;
}

/** Folder of the newest whole checkpoint under `folder`. */
export async function latestCheckpoint(folder: string): Promise<string | undefined> {
  const newest = (await checkpointNames(folder)).at(-1);
  return newest === undefined ? undefined : join(folder, newest);
}

/** Reads what `writeCheckpoint` wrote besides the model. */
export async function readCheckpoint(checkpoint: string): Promise<{ state: TripletState; momentum: NamedArrays }> {
  const momentumFile = join(checkpoint, checkpointFiles.momentum);
  const momentum = parseSafetensors(await readBytes(momentumFile), momentumFile).tensors;
  const stateFile = join(checkpoint, checkpointFiles.state);
  return { momentum, state: parseState(new TextDecoder().decode(await readBytes(stateFile)), stateFile) };
}

/** Whole checkpoints, oldest first. */
async function checkpointNames(folder: string): Promise<string[]> {
  if (!existsSync(folder)) return [];
  const names = (await readdir(folder)).filter((name) => /^step-\d{6,}$/.test(name));
  return names.sort((a, b) => Number(a.slice(5)) - Number(b.slice(5)));
}

/** The rename itself must survive a power cut before older checkpoints are removed. */
async function flushFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return; // folders cannot be opened there
  const handle = await open(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const count = z.int().min(0);
const ids = z.array(z.string());

const minedSchema = z.strictObject({
  triplets: z.array(count).transform((values) => Int32Array.from(values)),
  losses: z.array(z.number()).transform((values) => Float64Array.from(values)),
  offsets: z.array(count).transform((values) => Int32Array.from(values)),
  withLoss: count,
  possible: count,
  single: count,
  hardestSimilarity: z.number(),
});

const miningSchema = z
  .strictObject({ pool: ids, triplets: minedSchema, drawn: count })
  .refine(({ pool, triplets: { triplets, losses, offsets } }) => {
    const rising = offsets.every((offset, i) => offset <= losses.length && (i === 0 || offset > offsets[i - 1]));
    const whole = triplets.length === 3 * losses.length && offsets[0] === 0 && offsets.at(-1) === losses.length;
    return rising && whole && triplets.every((position) => position < pool.length);
  }, 'its triplets do not fit together');

const stateSchema = z.strictObject({
  step: count,
  random: z.strictObject({
    i: z.int().min(0).max(255),
    j: z.int().min(0).max(255),
    S: z.array(z.int().min(0).max(255)).length(256),
  }),
  mining: miningSchema.optional(),
  unreadable: ids,
  measuredStep: z.int().min(-1),
  best: z.strictObject({ step: count, map: z.number() }).optional(),
});

const fileSchema = z.strictObject({
  format: z.literal(1, 'format 1'),
  state: stateSchema,
  config: z.record(z.string(), z.unknown()),
});

/** JSON of a state. Numbers survive exactly: a double has one shortest decimal form. */
export function encodeState(state: TripletState, config: Readonly<Record<string, unknown>>): string {
  const replacer = (_: string, value: unknown) =>
    value instanceof Int32Array || value instanceof Float64Array ? Array.from(value) : value;
  return `${JSON.stringify({ format: 1, state, config }, replacer)}\n`;
}

/** Parses what `encodeState` wrote. Throws `InputError` for anything else. */
export function parseState(text: string, source: string): TripletState {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InputError(`${source} is not JSON; remove its folder to continue from the checkpoint before.`);
  }
  const result = fileSchema.safeParse(value);
  if (!result.success) {
    const { path, message } = result.error.issues[0];
    throw new InputError(
      `${source}: ${path.join('.') || 'top level'}: ${message}; remove its folder to continue from the checkpoint before.`,
    );
  }
  return result.data.state;
}
