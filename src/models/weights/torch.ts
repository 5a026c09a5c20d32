/**
 * @file PyTorch checkpoints, `.pth` and `.pt`: the zip form (torch 1.6 and newer) and the older stream of pickles with raw
 * storages behind them. What is found: the state_dict, its tensors as float32, and the rest of the checkpoint as plain data.
 */
import type { NamedArray, NamedArrays } from '../safetensors.js';
import { ByteReader, latin1, Malformed, parsing, utf8 } from './bytes.js';
import { columnMajorStrides, elementCount, elementSize, gather } from './elements.js';
import { pickleText, type PickleValue, readPickle, PickleTuple } from './pickle.js';
import { NumpyArray, type StorageReference, TensorReference, torchRules } from './torch-names.js';
import type { Checkpoint, WeightFile } from './weight-file.js';
import { ZipArchive } from './zip.js';

/** `\x80\x02` and LONG1 with torch's magic number 0x1950a86a20f9469cfc6c. */
const legacyMagic = [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];

/** A pickle that torch.save of before 1.6 wrote. */
export function isLegacyTorch(bytes: Uint8Array): boolean {
  return legacyMagic.every((byte, i) => bytes[i] === byte);
}

/** Dicts in dicts that are searched for tensors. */
const deepestState = 4;

/** Keys under which training programs put the weights. */
const stateKeys = ['state_dict', 'model_state_dict', 'model', 'net', 'weights'];

/** Reads a checkpoint in memory. Throws `InputError` on anything malformed, and on a pickle that asks to call something. */
export function parseTorch(bytes: Uint8Array, source: string): WeightFile {
  return parsing(source, 'a PyTorch checkpoint', () => {
    const checkpoint = isLegacyTorch(bytes) ? readLegacy(bytes) : readZip(bytes);
    const tensors: NamedArrays = new Map();
    const dtypes = new Map<string, string>();
    let left = bytes.byteLength; // values: what many views of one storage may add up to
    for (const [name, value] of stateOf(checkpoint.root)) {
      left -= elementCount(value.shape);
      if (left < 0) throw new Malformed('its tensors show more values than the file holds');
      tensors.set(name, checkpoint.read(value));
      dtypes.set(name, value instanceof TensorReference ? value.storage.type : (value.type?.type ?? 'object'));
    }
    return { format: 'pytorch', tensors, dtypes, metadata: {}, checkpoint };
  });
}

type State = [name: string, tensor: TensorReference | NumpyArray][];

/**
 * The tensors of the state_dict by name: under one of the usual keys, or else the dict with the most of them, wherever it
 * is. Of several such dicts (a student and its teacher) all are taken, behind their keys.
 */
function stateOf(root: PickleValue): State {
  if (!(root instanceof Map)) throw new Malformed('it holds no state_dict (a dict of tensors by name)');
  const usual = stateKeys.map((key) => tensorsOf(root.get(key))).find((state) => state.length > 0);
  if (usual !== undefined) return usual;
  const states: { path: string; state: State }[] = [];
  const seen = new Set<PickleValue>([root]);
  const queue: { path: string; value: PickleValue; depth: number }[] = [{ path: '', value: root, depth: 0 }];
  for (const { path, value, depth } of queue) {
    const state = tensorsOf(value);
    if (state.length > 0) states.push({ path, state });
    for (const [key, inner] of value as Map<PickleValue, PickleValue>) {
      if (depth === deepestState || !(inner instanceof Map) || seen.has(inner)) continue;
      seen.add(inner);
      queue.push({ path: `${path}${String(key)}.`, value: inner, depth: depth + 1 });
    }
  }
  const most = states.reduce((best, { state }) => Math.max(best, state.length), 0);
  const largest = states.filter(({ state }) => state.length === most);
  if (largest.length === 0) throw new Malformed('it holds no state_dict (a dict of tensors by name)');
  if (largest.length === 1) return largest[0].state;
  return largest.flatMap(({ path, state }) => state.map(([name, tensor]): State[number] => [path + name, tensor]));
}

/** The tensors that a dict has itself. */
function tensorsOf(value: PickleValue): State {
  if (!(value instanceof Map)) return [];
  return [...(value as Map<PickleValue, PickleValue>)].filter(
    (entry): entry is State[number] => typeof entry[0] === 'string' && isArray(entry[1]),
  );
}

export function isArray(value: PickleValue): value is TensorReference | NumpyArray {
  return value instanceof TensorReference || value instanceof NumpyArray;
}

function readZip(bytes: Uint8Array): Checkpoint {
  const archive = new ZipArchive(bytes);
  const pickle = archive.names.find((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickle === undefined) throw new Malformed('the archive has no data.pkl');
  const folder = pickle.slice(0, -'data.pkl'.length);
  const order = archive.read(`${folder}byteorder`);
  const littleEndian = order === undefined || utf8(order).trim() !== 'big';
  const root = readPickle(
    new ByteReader(archive.read(pickle)!),
    torchRules((reference) => reference),
  );
  return checkpointOf(root, littleEndian, ({ key }) => archive.read(`${folder}data/${key}`));
}

/** Magic number, protocol, machine, the pickle, the keys of its storages, then each storage behind its element count. */
function readLegacy(bytes: Uint8Array): Checkpoint {
  const reader = new ByteReader(bytes);
  const storages = new Map<string, StorageReference>();
  const parts = new Map<string, { key: string; offset: number }>();
  const plain = torchRules((reference) => reference);
  readPickle(reader, plain);
  readPickle(reader, plain);
  const machine = readPickle(reader, plain);
  if (machine instanceof Map && machine.get('little_endian') === false) {
    throw new Malformed('a big-endian machine wrote it; load and save it with a newer torch');
  }
  const root = readPickle(
    reader,
    torchRules((reference, id) => {
      storages.set(reference.key, reference);
      const view = id.items[5];
      if (!(view instanceof PickleTuple)) return reference;
      const part = `${reference.key}/${pickleText(view.items[0])}`; // a slice of another storage, as torch before 1.0 wrote
      parts.set(part, { key: reference.key, offset: Number(view.items[1]) });
      return { ...reference, key: part, count: Number(view.items[2]) };
    }),
  );
  const keys = readPickle(reader, plain);
  if (!Array.isArray(keys)) throw new Malformed('the list of storages is missing');
  const contents = new Map<string, Uint8Array>();
  for (const key of keys.map(pickleText)) {
    const storage = storages.get(key);
    if (storage === undefined || contents.has(key)) throw new Malformed('the list of storages is broken');
    const stored = reader.u64();
    if (stored !== storage.count) throw new Malformed(`a storage has ${stored} values, ${storage.count} expected`);
    contents.set(key, reader.take(stored * elementSize[storage.type]));
  }
  return checkpointOf(root, true, ({ key, type, count }) => {
    const part = parts.get(key);
    if (part === undefined) return contents.get(key);
    const size = elementSize[type];
    return contents.get(part.key)?.subarray(part.offset * size, (part.offset + count) * size);
  });
}

function checkpointOf(
  root: PickleValue,
  littleEndian: boolean,
  contentOf: (storage: StorageReference) => Uint8Array | undefined,
): Checkpoint {
  return {
    root,
    read(value) {
      if (value instanceof NumpyArray) return readNumpy(value);
      const { storage, offset, shape, strides } = value;
      const bytes = contentOf(storage);
      if (bytes === undefined)
        throw new Malformed(`storage ${latin1(Buffer.from(storage.key.slice(0, 40)))} is missing`);
      return gather({ bytes, type: storage.type, littleEndian }, { shape, strides, offset });
    },
  };
}

/** A NumPy array of a pickle as float32. */
export function readNumpy({ bytes, type, shape, columnMajor }: NumpyArray): NamedArray {
  if (type === undefined) throw new Malformed('a NumPy array has no type');
  const strides = columnMajor ? columnMajorStrides(shape) : columnMajorStrides(shape.toReversed()).toReversed();
  return gather({ bytes, type: type.type, littleEndian: type.littleEndian }, { shape, strides });
}
