/**
 * @file What a PyTorch checkpoint may mention: the functions that rebuild tensors and NumPy arrays, storages, ordered
 * dicts, and a few classes kept as inert bags of attributes (scikit-learn's PCA of retrieval checkpoints).
 */
import { described, Malformed } from './bytes.js';
import { type ElementType, elementCount } from './elements.js';
import {
  type AllowedName,
  InertObject,
  type PickleRules,
  pickleText,
  type PickleValue,
  PickleTuple,
} from './pickle.js';

/** Elements on their own, which tensors are views of. */
export interface StorageReference {
  type: ElementType;
  key: string;
  /** Elements that the pickle claims. */
  count: number;
}

export class TensorReference {
  constructor(
    readonly storage: StorageReference,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}
}

export class NumpyType {
  littleEndian = true;
  constructor(readonly type: ElementType) {}
}

/** A NumPy array, or a scalar when the shape is []. */
export class NumpyArray {
  shape: number[] = [];
  type: NumpyType | undefined;
  columnMajor = false;
  bytes = new Uint8Array();
}

const storageTypes: Readonly<Record<string, ElementType>> = {
  DoubleStorage: 'float64',
  FloatStorage: 'float32',
  HalfStorage: 'float16',
  BFloat16Storage: 'bfloat16',
  LongStorage: 'int64',
  IntStorage: 'int32',
  ShortStorage: 'int16',
  CharStorage: 'int8',
  ByteStorage: 'uint8',
  BoolStorage: 'bool',
};

class StorageClass {
  constructor(readonly type: ElementType) {}
}

const numpyTypes: Readonly<Record<string, ElementType>> = {
  f8: 'float64',
  f4: 'float32',
  f2: 'float16',
  i8: 'int64',
  i4: 'int32',
  i2: 'int16',
  i1: 'int8',
  u8: 'uint64',
  u4: 'uint32',
  u2: 'uint16',
  u1: 'uint8',
  b1: 'bool',
};

/** Classes whose attributes are kept and whose methods do not exist here. */
const inertClasses = new Set([
  'argparse.Namespace',
  'sklearn.decomposition.pca.PCA',
  'sklearn.decomposition._pca.PCA',
  'sklearn.decomposition.PCA',
]);

const rebuildTensor: AllowedName = {
  call: ([storage, offset, shape, strides]) => {
    if (!isStorage(storage)) throw new Malformed('a tensor has no storage');
    return new TensorReference(storage, count(offset), counts(shape), counts(strides));
  },
};

const numpyPrefix = /^numpy\.(?:_core|core)\.multiarray\./;

const names: Readonly<Record<string, AllowedName>> = {
  'collections.OrderedDict': { call: ([items]) => ordered(items) },
  'torch._utils._rebuild_tensor_v2': rebuildTensor,
  'torch._utils._rebuild_tensor': rebuildTensor,
  'torch._utils._rebuild_parameter': { call: ([tensor]) => tensor },
  'torch.Size': { call: ([items]) => items },
  '_codecs.encode': { call: ([text]) => encodeLatin1(text) },
  // protocol 2 of Python 3 has no instruction for bytes: encode makes them, and an empty one is bytes()
  '__builtin__.bytes': { call: noBytes },
  'builtins.bytes': { call: noBytes },
  'numpy.ndarray': {},
  'numpy.dtype': { call: ([name]) => numpyType(name) },
  'copy_reg._reconstructor': { call: ([name]) => inert(name) },
  'copyreg._reconstructor': { call: ([name]) => inert(name) },
  '__builtin__.object': {},
  'builtins.object': {},
};

function find(name: string): AllowedName | undefined {
  if (Object.hasOwn(names, name)) return names[name];
  const storage = /^torch\.(?:cuda\.)?(\w+Storage)$/.exec(name)?.[1];
  if (storage !== undefined && Object.hasOwn(storageTypes, storage)) {
    return { value: new StorageClass(storageTypes[storage]) };
  }
  if (numpyPrefix.test(name)) {
    const tail = name.replace(numpyPrefix, '');
    if (tail === '_reconstruct') return { call: () => new NumpyArray() };
    if (tail === 'scalar') return { call: ([type, bytes]) => numpyScalar(type, bytes) };
  }
  if (inertClasses.has(name)) return { call: () => new InertObject(name), value: name };
  if (/^torch\.(?:float|int|uint|bool|half|double|long|bfloat)\w*$/.test(name)) return { value: name };
  return undefined;
}

/** The rules for checkpoints of torch.save; `storage` sees every storage that the pickle mentions. */
export function torchRules(storage: (reference: StorageReference, id: PickleTuple) => StorageReference): PickleRules {
  return {
    find,
    persistent(id) {
      if (!(id instanceof PickleTuple) || id.items[0] !== 'storage')
        throw new Malformed('a persistent id is no storage');
      const [, type, key, , size] = id.items;
      if (!(type instanceof StorageClass)) throw new Malformed('a storage has no known type');
      return storage({ type: type.type, key: pickleText(key), count: count(size) }, id);
    },
    build(object, state) {
      if (object instanceof NumpyArray) return setArray(object, state);
      if (object instanceof NumpyType) {
        const order = state instanceof PickleTuple ? state.items[1] : undefined;
        object.littleEndian = order !== '>';
        return;
      }
      throw new Malformed('the pickle sets a state where there is none');
    },
  };
}

function setArray(array: NumpyArray, state: PickleValue): void {
  const items = state instanceof PickleTuple ? state.items : [];
  const [, shape, type, columnMajor, content] = items;
  if (items.length !== 5 || !(type instanceof NumpyType)) throw new Malformed('a NumPy array has no plain contents');
  array.shape = counts(shape);
  array.type = type;
  array.columnMajor = columnMajor === true;
  array.bytes = storageBytes(content);
  elementCount(array.shape);
}

function numpyScalar(type: PickleValue, content: PickleValue): NumpyArray {
  if (!(type instanceof NumpyType)) throw new Malformed('a NumPy number has no type');
  const array = new NumpyArray();
  array.type = type;
  array.bytes = storageBytes(content);
  return array;
}

function numpyType(name: PickleValue): NumpyType {
  const code = typeof name === 'string' ? name.replace(/^[<>=|]/, '') : '';
  if (!Object.hasOwn(numpyTypes, code)) throw new Malformed(`a NumPy array has the type ${described(name)}`);
  const type = new NumpyType(numpyTypes[code]);
  if (typeof name === 'string' && name.startsWith('>')) type.littleEndian = false;
  return type;
}

function ordered(items: PickleValue): Map<PickleValue, PickleValue> {
  const map = new Map<PickleValue, PickleValue>();
  if (items === undefined) return map;
  if (!Array.isArray(items)) throw new Malformed('an OrderedDict is made of what is no list');
  for (const item of items as PickleValue[]) {
    const pair = item instanceof PickleTuple ? item.items : item;
    if (!Array.isArray(pair) || pair.length !== 2) throw new Malformed('an OrderedDict is made of what are no pairs');
    map.set(pair[0], pair[1]);
  }
  return map;
}

/** `_reconstructor(class, object, None)`: how Python 2 pickled plain objects. */
function inert(name: PickleValue): InertObject {
  if (typeof name !== 'string' || !inertClasses.has(name)) throw new Malformed('the pickle makes an unknown object');
  return new InertObject(name);
}

function encodeLatin1(text: PickleValue): Uint8Array {
  if (typeof text !== 'string') throw new Malformed('bytes are made of what is no text');
  return Buffer.from(text, 'latin1');
}

function noBytes(args: readonly PickleValue[]): Uint8Array {
  if (args.length > 0) throw new Malformed('bytes are made of something');
  return new Uint8Array();
}

function storageBytes(content: PickleValue): Uint8Array<ArrayBuffer> {
  if (content instanceof Uint8Array) return content as Uint8Array<ArrayBuffer>;
  if (typeof content === 'string') return Buffer.from(content, 'latin1'); // a str of Python 2
  throw new Malformed('a NumPy array has no bytes');
}

function isStorage(value: PickleValue): value is StorageReference {
  return typeof value === 'object' && value !== null && 'key' in value && 'type' in value && 'count' in value;
}

function count(value: PickleValue): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new Malformed(`a tensor has the size ${described(value)}`);
  }
  return value;
}

function counts(value: PickleValue): number[] {
  const items = value instanceof PickleTuple ? value.items : value;
  if (!Array.isArray(items) || items.length > 32) throw new Malformed('a tensor has no shape');
  return items.map(count);
}
