/**
 * @file Complete states of a run: `checkpoints/step-NNNNNN/` holds the model, the momentum (safetensors), `state.json` and what
 * else the trainer needs. The folder is written under another name and renamed, so one that has its name is whole.
 */
import { existsSync } from 'node:fs';
import { open, readdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { makeFolder, removeLeftover, temporaryBeside, writeFileAtomic } from '../data/files.js';
import { encodeModelFile, readBytes } from '../data/model-file.js';
import { InputError, messageOf, systemErrorLine } from '../errors.js';
import type { ModelMeta } from '../models/meta.js';
import { encodeSafetensors, type NamedArrays, parseSafetensors } from '../models/safetensors.js';

export const checkpointFiles = {
  model: 'model.safetensors',
  momentum: 'momentum.safetensors',
  state: 'state.json',
} as const;

export interface CheckpointContents {
  meta: ModelMeta;
  weights: NamedArrays;
  momentum: NamedArrays;
  state: { step: number };
  /** The resolved configuration. */
  config: Readonly<Record<string, unknown>>;
  /** Other files, by name. */
  files?: ReadonlyMap<string, Uint8Array>;
}

/** Writes one checkpoint under `folder`, then removes all but the newest `keep`. Returns the model file's bytes. */
export async function writeCheckpoint(
  folder: string,
  { meta, weights, momentum, state, config, files = new Map() }: CheckpointContents,
  { keep }: { keep: number },
): Promise<Uint8Array> {
  const model = encodeModelFile(meta, weights);
  const name = `step-${String(state.step).padStart(6, '0')}`;
  const target = join(folder, name);
  const json = encodeState(state, config);
  if (existsSync(target)) {
    // The same step has the same weights; what a measurement found may be new.
    await writeFileAtomic(join(target, checkpointFiles.state), json, { overwrite: true });
    return model;
  }
  const temporary = temporaryBeside(target);
  try {
    await makeFolder(temporary);
    await writeFileAtomic(join(temporary, checkpointFiles.model), model);
    await writeFileAtomic(join(temporary, checkpointFiles.momentum), encodeSafetensors(momentum, {}));
    await writeFileAtomic(join(temporary, checkpointFiles.state), json);
    for (const [file, bytes] of files) await writeFileAtomic(join(temporary, file), bytes);
    await rename(temporary, target);
    await flushFolder(folder);
  } catch (error) {
    await removeLeftover(temporary);
    throw error instanceof InputError
      ? error
      : new InputError(`Cannot write ${target}: ${systemErrorLine(error) ?? messageOf(error)}`);
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

/**
 * Reads what `writeCheckpoint` wrote besides the model and the other files. `restore` is given the trainer's own part of the state,
 * and throws zod's error for what is none.
 */
export async function readCheckpoint(
  checkpoint: string,
  restore: (own: unknown) => void,
): Promise<{ state: RunState; momentum: NamedArrays }> {
  const momentumFile = join(checkpoint, checkpointFiles.momentum);
  const momentum = parseSafetensors(await readBytes(momentumFile), momentumFile).tensors;
  const stateFile = join(checkpoint, checkpointFiles.state);
  const text = new TextDecoder().decode(await readBytes(stateFile));
  return { momentum, state: parseRunState(text, stateFile, restore) };
}

/** Whole checkpoints, oldest first. */
async function checkpointNames(folder: string): Promise<string[]> {
  if (!existsSync(folder)) return [];
  const names = (await readdir(folder)).filter((name) => /^step-\d{6,}$/.test(name));
  return names.sort((a, b) => stepOf(a) - stepOf(b));
}

/** Finished updates of the state in a checkpoint's folder. */
export function stepOf(checkpoint: string): number {
  return Number(basename(checkpoint).slice('step-'.length));
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

const byte = z.int().min(0).max(255);

/** State of a random stream (train/random.ts). */
export const randomStateSchema = z.strictObject({
  i: byte,
  j: byte,
  // ARC4 that has a number twice runs in a circle that may hold no number below the bound it draws for.
  S: z
    .array(byte)
    .length(256)
    .refine((S) => new Set(S).size === 256, 'each number from 0 to 255 once'),
});

const count = z.int().min(0);

/** What every run's state has; the rest is the trainer's own. */
const runStateSchema = z.looseObject({
  /** Finished updates. */
  step: count,
  random: randomStateSchema,
  /** Ids of images that could not be read so far: never drawn again. */
  unreadable: z.array(z.string()),
  /** The last measurement's update, and the best one so far with the criterion under its key. */
  measuredStep: z.int().min(-1),
  best: z.object({ step: count }).catchall(z.number()).optional(),
});

/** Everything besides the weights and the momentum that the next update depends on, JSON-ready. */
export type RunState = z.output<typeof runStateSchema>;

const fileSchema = z.strictObject({
  format: z.literal(1, 'format 1'),
  state: z.unknown(),
  config: z.record(z.string(), z.unknown()),
});

/**
 * JSON of a state. Numbers survive exactly: a double has one shortest decimal form. Names are in alphabetical order, so that a run that
 * was continued, whose state was read back, leaves the bytes of one that was not.
 */
export function encodeState(state: object, config: Readonly<Record<string, unknown>>): string {
  const replacer = (_: string, value: unknown) => {
    if (value instanceof Int32Array || value instanceof Float64Array) return Array.from(value);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  };
  return `${JSON.stringify({ format: 1, state, config }, replacer)}\n`;
}

/** Parses what `encodeState` wrote. Throws `InputError` for anything that is not a state of this schema. */
export function parseState<State>(text: string, source: string, schema: z.ZodType<State>): State {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InputError(`${source} is not JSON; remove its folder to continue from the checkpoint before.`);
  }
  return naming(source, [], () => fileSchema.extend({ state: schema }).parse(value).state);
}

/** The same for a run's state, whose own part `restore` takes over. */
export function parseRunState(text: string, source: string, restore: (own: unknown) => void): RunState {
  const state = parseState(text, source, runStateSchema);
  const own = Object.fromEntries(Object.entries(state).filter(([key]) => !(key in runStateSchema.shape)));
  naming(source, ['state'], () => restore(own));
  return state;
}

/** zod's error at `path` of a file as one line that names it. */
function naming<T>(source: string, path: readonly string[], parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    const [issue] = error.issues;
    throw new InputError(
      `${source}: ${[...path, ...issue.path].join('.') || 'top level'}: ${issue.message}; remove its folder to continue from the checkpoint before.`,
    );
  }
}
