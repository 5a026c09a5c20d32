/** @file Model files: safetensors with the project's tensor names, and the model's meta as JSON in the metadata. */
import { readFile, whyUnreadable } from './read-file.js';
import { InputError, messageOf } from '../errors.js';
import { DescriptorModel, exponentName } from '../models/descriptor.js';
import { encodeMeta, metadataKey, type ModelMeta, parseMeta, type PoolingOptions } from '../models/meta.js';
import { encodeSafetensors, type NamedArrays, parseSafetensors } from '../models/safetensors.js';
import { withoutWhitening } from '../models/whitening.js';
import { assertWritable, type WriteOptions, writeFileAtomic } from './files.js';

export interface LoadOverrides {
  /** Pooling options that replace the stored ones. */
  pooling?: Partial<PoolingOptions>;
  /** Leave the whitening out. */
  dropWhitening?: boolean;
}

/** What a model file is written from. */
export type StorableModel = Pick<DescriptorModel, 'meta' | 'toArrays'>;

/** What a model file holds. */
export interface StoredModel {
  meta: ModelMeta;
  weights: NamedArrays;
}

/** Reads a model file onto the engine; the caller disposes of the model. Throws `InputError` for anything else. */
export async function loadModel(file: string, overrides: LoadOverrides = {}): Promise<DescriptorModel> {
  const stored = await readModelFile(file);
  let { meta, weights } = overrides.dropWhitening ? withoutWhitening(stored.meta, stored.weights) : stored;
  if (overrides.pooling !== undefined) {
    const pooling = { ...meta.pooling, ...overrides.pooling };
    if (pooling.kind !== 'gem' || overrides.pooling.p !== undefined) {
      weights = new Map(weights);
      weights.delete(exponentName); // the new options say where p starts
    }
    const { regions, ...rest } = meta;
    meta = { ...rest, pooling, ...(pooling.kind === 'rmac' && regions && { regions }) }; // proposals are R-MAC's
  }
  try {
    return DescriptorModel.create(meta, weights);
  } catch (error) {
    throw error instanceof InputError ? new InputError(`${file}: ${messageOf(error)}`) : error;
  }
}

/** The contents of a model file without building the model. */
export async function readModelFile(file: string): Promise<StoredModel> {
  const { tensors, metadata } = parseSafetensors(await readBytes(file), file);
  const text = metadata[metadataKey];
  if (text === undefined) {
    throw new InputError(
      `${file} holds weights but no model (no "${metadataKey}" metadata). Convert it first: rmac weights import ${file} --arch NAME --out model.safetensors`,
    );
  }
  return { meta: parseMeta(text, file), weights: tensors };
}

/** The bytes of a file that must exist. */
export async function readBytes(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new InputError(`Cannot read ${file}: ${whyUnreadable(file, error)}`);
  }
}

/** Writes the model as it is now. Equal models give equal bytes. */
export async function saveModel(file: string, model: StorableModel, options: WriteOptions = {}): Promise<void> {
  assertWritable(file, options);
  await writeModelFile(file, { meta: model.meta, weights: await model.toArrays() }, options);
}

/** Writes meta and weights. A trained GeM exponent also becomes the one the meta states. */
export async function writeModelFile(
  file: string,
  { meta, weights }: StoredModel,
  options: WriteOptions = {},
): Promise<void> {
  await writeFileAtomic(file, encodeModelFile(meta, weights), options);
}

/** The bytes of a model file. */
export function encodeModelFile(meta: ModelMeta, weights: NamedArrays): Uint8Array {
  const p = weights.get(exponentName)?.data[0];
  const stated = p === undefined ? meta : { ...meta, pooling: { ...meta.pooling, p } };
  return encodeSafetensors(weights, { [metadataKey]: encodeMeta(stated) });
}
