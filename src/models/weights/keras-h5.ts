/**
 * @file Keras `.h5`: what `save_weights` writes (a group per layer at the root) and what `model.save` writes (the same
 * under `model_weights`). The attributes `layer_names` and `weight_names` say which dataset is which tensor. Keras 3's
 * `.weights.h5` is another layout: keras3-h5.ts.
 */
import type { NamedArrays } from '../safetensors.js';
import { Malformed, parsing, shown } from './bytes.js';
import { elementCount, toFloat32 } from './elements.js';
import { Hdf5File, type Hdf5Object } from './hdf5.js';
import { readKeras3 } from './keras3-h5.js';
import type { WeightFile } from './weight-file.js';
import { append } from '../../extremes.js';

/** Reads a Keras weight file in memory. Throws `InputError` on anything malformed. */
export function parseKerasH5(bytes: Uint8Array, source: string): WeightFile {
  return parsing(source, 'a Keras HDF5 file', () => {
    const file = new Hdf5File(bytes);
    let top = file.open(file.root);
    const nested = top.links.get('model_weights');
    if (nested !== undefined) top = file.open(nested);
    if (file.texts(top.attributes.get('backend'))?.[0] === 'theano') {
      throw new Malformed('Keras on Theano wrote it, with every kernel turned round; load and save it with TensorFlow');
    }
    const layers = namesIn(file, top, 'layer_names');
    if (layers === undefined) {
      if (top.links.has('layers')) return readKeras3(file, top);
      throw new Malformed('it has no layer_names, as Keras writes them');
    }
    const tensors: NamedArrays = new Map();
    const dtypes = new Map<string, string>();
    for (const layer of layers) {
      const at = top.links.get(layer);
      if (at === undefined) throw new Malformed(`layer ${shown(layer)} is missing`);
      const group = file.open(at);
      for (const stored of namesIn(file, group, 'weight_names') ?? []) {
        const dataset = follow(file, group, stored);
        const name = tensorName(layer, stored);
        const raw = file.read(dataset);
        if (tensors.has(name)) throw new Malformed(`tensor ${shown(name)} occurs twice`);
        tensors.set(name, { shape: raw.shape, data: toFloat32(raw, elementCount(raw.shape)) });
        dtypes.set(name, raw.type);
      }
    }
    if (tensors.size === 0) throw new Malformed('it holds no weights');
    return { format: 'keras-h5', tensors, dtypes, metadata: {} };
  });
}

/** What Keras 1 called the tensors of a layer (its running_std is a variance). */
const keras1: Readonly<Record<string, string>> = {
  W: 'kernel',
  b: 'bias',
  gamma: 'gamma',
  beta: 'beta',
  running_mean: 'moving_mean',
  running_std: 'moving_variance',
};

/** Keras 1 wrote `conv1_W_1:0` for `conv1/kernel:0`, and both count models in `conv1/kernel_1:0`. */
function tensorName(layer: string, stored: string): string {
  const plain = stored.replace(/:0$/, '').replace(/_\d+$/, '');
  const kind = plain.startsWith(`${layer}_`) ? plain.slice(layer.length + 1) : '';
  return Object.hasOwn(keras1, kind) ? `${layer}/${keras1[kind]}` : plain;
}

/** A list of names; Keras cuts lists of more than 64 kB into `layer_names0`, `layer_names1`, ... */
function namesIn(file: Hdf5File, { attributes }: Hdf5Object, key: string): string[] | undefined {
  const whole = attributes.get(key);
  if (whole !== undefined) return file.texts(whole) ?? (elementCount(whole.shape) === 0 ? [] : undefined);
  const parts: string[] = [];
  for (let i = 0; attributes.has(`${key}${i}`); i++) append(parts, file.texts(attributes.get(`${key}${i}`)) ?? []);
  return parts.length > 0 ? parts : undefined;
}

/** `conv1/conv1/kernel:0`: a name that is a path of groups. */
function follow(file: Hdf5File, group: Hdf5Object, name: string): Hdf5Object {
  const whole = group.links.get(name);
  if (whole !== undefined) return file.open(whole);
  let object = group;
  for (const part of name.split('/')) {
    const at = object.links.get(part);
    if (at === undefined) throw new Malformed(`tensor ${shown(name)} is missing`);
    object = file.open(at);
  }
  return object;
}
