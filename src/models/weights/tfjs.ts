/**
 * @file TensorFlow.js weights: `model.json` lists shards and what lies in them, the shards lie beside it. Quantised weights
 * are turned back into float32. Paths that lead out of the folder are refused before anything is opened.
 */
import { type NamedArrays } from '../safetensors.js';
import { described, Malformed, parsing, shown, utf8 } from './bytes.js';
import { type ElementType, elementCount, elementSize, toFloat32 } from './elements.js';
import type { WeightFile } from './weight-file.js';

interface Quantization {
  dtype: ElementType;
  /** value = stored * scale + min; absent for float16, which is stored as it is. */
  affine: { scale: number; min: number } | undefined;
}

interface Entry {
  name: string;
  shape: number[];
  dtype: ElementType;
  quantization: Quantization | undefined;
}

/** Shards that are read one behind the other, and the tensors in their bytes. */
export interface ShardGroup {
  paths: string[];
  entries: Entry[];
}

const types: Readonly<Record<string, ElementType>> = {
  float32: 'float32',
  int32: 'int32',
  uint8: 'uint8',
  uint16: 'uint16',
  float16: 'float16',
  bool: 'bool',
};

/** The manifest of a model.json. Throws `InputError` on anything malformed and on paths out of the folder. */
export function parseTfjsManifest(json: Uint8Array, source: string): ShardGroup[] {
  return parsing(source, 'a TensorFlow.js model.json', () => {
    let model: unknown;
    try {
      model = JSON.parse(utf8(json));
    } catch {
      throw new Malformed('it is not JSON');
    }
    const manifest = field(model, 'weightsManifest');
    if (!Array.isArray(manifest)) throw new Malformed('it has no weightsManifest');
    const groups = manifest.map((group: unknown) => {
      const paths = field(group, 'paths');
      const weights = field(group, 'weights');
      if (!Array.isArray(paths) || !Array.isArray(weights)) throw new Malformed('a group has no paths or no weights');
      return { paths: paths.map(checkPath), entries: weights.map(entryOf) };
    });
    const paths = groups.flatMap((group) => group.paths);
    if (new Set(paths).size < paths.length) throw new Malformed('it names a shard twice');
    return groups;
  });
}

/** The tensors, from the groups and the bytes of their shards. */
export function decodeTfjs(groups: readonly ShardGroup[], shards: readonly Uint8Array[][], source: string): WeightFile {
  return parsing(source, 'a TensorFlow.js model', () => {
    const tensors: NamedArrays = new Map();
    const dtypes = new Map<string, string>();
    for (const [i, { entries }] of groups.entries()) {
      const bytes = shards[i].length === 1 ? shards[i][0] : Buffer.concat(shards[i]);
      let at = 0;
      for (const { name, shape, dtype, quantization } of entries) {
        if (tensors.has(name)) throw new Malformed(`tensor ${shown(name)} occurs twice`);
        const type = quantization?.dtype ?? dtype;
        const count = elementCount(shape);
        const data = toFloat32({ bytes: bytes.subarray(at), type }, count);
        at += count * elementSize[type];
        const affine = quantization?.affine;
        if (affine !== undefined) for (let k = 0; k < count; k++) data[k] = data[k] * affine.scale + affine.min;
        tensors.set(name, { shape, data });
        dtypes.set(name, type);
      }
      if (at !== bytes.byteLength)
        throw new Malformed(`${bytes.byteLength - at} bytes of its shards belong to no tensor`);
    }
    if (tensors.size === 0) throw new Malformed('it holds no weights');
    return { format: 'tfjs', tensors, dtypes, metadata: {} };
  });
}

function entryOf(value: unknown): Entry {
  const name = field(value, 'name');
  if (typeof name !== 'string') throw new Malformed('a tensor has no name');
  const shape = field(value, 'shape');
  if (!Array.isArray(shape)) throw new Malformed(`tensor ${shown(name)} has no shape`);
  elementCount(shape as number[]);
  const quantization = field(value, 'quantization');
  return {
    name,
    shape: shape as number[],
    dtype: typeOf(field(value, 'dtype'), name),
    quantization: quantization === undefined ? undefined : quantizationOf(quantization, name),
  };
}

function quantizationOf(value: unknown, name: string): Quantization {
  const dtype = typeOf(field(value, 'dtype'), name);
  if (dtype === 'float16') return { dtype, affine: undefined };
  const [scale, min] = [field(value, 'scale'), field(value, 'min')];
  if (typeof scale !== 'number' || typeof min !== 'number' || !dtype.startsWith('uint')) {
    throw new Malformed(`tensor ${shown(name)} is quantised in an unknown way`);
  }
  return { dtype, affine: { scale, min } };
}

function typeOf(value: unknown, name: string): ElementType {
  if (typeof value === 'string' && Object.hasOwn(types, value)) return types[value];
  throw new Malformed(`tensor ${shown(name)} has the type ${described(value)}`);
}

/** A file beside model.json or below it, nothing else. */
function checkPath(path: unknown): string {
  const parts = typeof path === 'string' ? path.split('/') : [];
  if (parts.length === 0 || parts.some((part) => !/^[\w][\w .@=+-]*$/.test(part))) {
    throw new Malformed(`the shard ${described(path)} is no file beside it`);
  }
  return path as string;
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}
