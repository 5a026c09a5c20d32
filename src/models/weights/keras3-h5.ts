/**
 * @file Keras 3 `.weights.h5` (keras/src/saving/saving_lib.py): groups `layers/<class>`, `<class>_1`, ..., models inside a
 * model in the same way below; in each a group `vars` with the layer's name as attribute and its tensors as 0, 1, ..., trained
 * ones first. What each is follows from the layer's class.
 */
import type { NamedArrays } from '../safetensors.js';
import { Malformed, shown } from './bytes.js';
import { elementCount, toFloat32 } from './elements.js';
import type { Hdf5File, Hdf5Object } from './hdf5.js';
import type { WeightFile } from './weight-file.js';

/** Tensors of a layer in the order of `vars`. */
const kindsOfClass: Readonly<Record<string, readonly string[]>> = {
  conv2d: ['kernel', 'bias'],
  depthwise_conv2d: ['kernel', 'bias'],
  dense: ['kernel', 'bias'],
  batch_normalization: ['gamma', 'beta', 'moving_mean', 'moving_variance'],
};

/** Models in models: deeper is no network. */
const deepest = 8;

/** Throws `Malformed` when the file does not say which tensor is which. */
export function readKeras3(file: Hdf5File, root: Hdf5Object): WeightFile {
  const tensors: NamedArrays = new Map();
  const dtypes = new Map<string, string>();
  readLayers(root, 0);
  if (tensors.size === 0) throw new Malformed('it holds no weights');
  return { format: 'keras-h5', tensors, dtypes, metadata: {} };

  function readLayers(model: Hdf5Object, depth: number): void {
    const at = model.links.get('layers');
    if (at === undefined) return;
    if (depth === deepest) throw new Malformed('its models are nested too deep');
    for (const [path, layerAt] of file.open(at).links) {
      const layer = file.open(layerAt);
      const variables = layer.links.get('vars');
      if (variables !== undefined) readVariables(path, file.open(variables));
      readLayers(layer, depth + 1);
    }
  }

  function readVariables(path: string, variables: Hdf5Object): void {
    const count = variables.links.size;
    if (count === 0) return;
    const name = file.texts(variables.attributes.get('name'))?.[0];
    if (name === undefined) {
      throw new Malformed(
        `it is a Keras 3 .weights.h5 that does not name its layers (${shown(path)} has no attribute "name"); load it with Keras and save it as model.save("model.h5")`,
      );
    }
    const kinds = kindsOfClass[path.replace(/_\d+$/, '')] ?? [];
    if (kinds.includes('gamma') && count !== kinds.length) {
      throw new Malformed(`batch norm ${shown(name)} has ${count} tensors in place of ${kinds.join(', ')}`);
    }
    for (let i = 0; i < count; i++) {
      const at = variables.links.get(String(i));
      if (at === undefined) throw new Malformed(`layer ${shown(name)} lacks its tensor ${i}`);
      const dataset = file.open(at);
      if (dataset.attributes.has('dtype'))
        throw new Malformed(`layer ${shown(name)} is in bfloat16, stored as other bytes`);
      const key = `${name}/${kinds[i] ?? i}`;
      if (tensors.has(key)) throw new Malformed(`tensor ${shown(key)} occurs twice`);
      const raw = file.read(dataset);
      tensors.set(key, { shape: raw.shape, data: toFloat32(raw, elementCount(raw.shape)) });
      dtypes.set(key, raw.type);
    }
  }
}
