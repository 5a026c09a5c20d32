/** @file A model's trunk by the names and with the axes of another framework: the inverse of the import, bit for bit. */
import { InputError } from '../errors.js';
import { transposed } from '../linear/rows.js';
import { cutTrunk, parametersOf } from './architecture.js';
import { architectureNamed } from './architectures.js';
import type { ModelMeta } from './meta.js';
import type { NamedArray, NamedArrays } from './safetensors.js';
import { sourceTensors, type WeightLayout } from './weight-names.js';

export interface ExportedWeights {
  tensors: NamedArrays;
  /** Tensors that a plain network has no place for: GeM's exponent, projection, whitening. */
  leftOut: string[];
}

/** Throws `InputError` when the architecture has no such names, or only for some of its tensors. */
export function exportWeights(meta: ModelMeta, weights: NamedArrays, naming: WeightLayout): ExportedWeights {
  const { architecture, cut } = meta;
  const parameters = parametersOf(cutTrunk(architectureNamed(architecture), cut).layers);
  const tensors: NamedArrays = new Map();
  for (const parameter of parameters) {
    const source = sourceTensors(architecture, parameter, naming)[0];
    if (source === undefined)
      throw new InputError(`${architecture} has no ${naming} names (${parameter.name} has none).`);
    const { name, ones: [before, behind] = [0, 0] } = source;
    const array = weights.get(parameter.name)!;
    const axes = (count: number) => new Array<number>(count).fill(1);
    tensors.set(
      name,
      parameter.kind === 'kernel'
        ? kernelFor(array, naming, name)
        : { ...array, shape: [...axes(before), ...array.shape, ...axes(behind)] },
    );
  }
  const ours = new Set(parameters.map(({ name }) => name));
  return { tensors, leftOut: [...weights.keys()].filter((name) => !ours.has(name)) };
}

/**
 * [height, width, in, out] -> torch's and Caffe's [out, in, height, width], [in, out] -> [out, in]; Keras has our order, and [height, width, in, 1]
 * where every channel is convolved alone.
 */
function kernelFor(array: NamedArray, naming: WeightLayout, name: string): NamedArray {
  if (naming === 'rmac') return array;
  if (naming === 'keras') {
    const [h, w, , channels] = array.shape;
    return name.endsWith('/depthwise_kernel') ? { ...array, shape: [h, w, channels, 1] } : array;
  }
  if (array.shape.length === 2) {
    const [inputs, outputs] = array.shape as [number, number];
    return { shape: [outputs, inputs], data: transposed(array.data, outputs) };
  }
  const [height, width, input, out] = array.shape as [number, number, number, number];
  const data = new Float32Array(array.data.length);
  let to = 0;
  for (let o = 0; o < out; o++) {
    for (let i = 0; i < input; i++) {
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) data[to++] = array.data[((y * width + x) * input + i) * out + o];
      }
    }
  }
  return { shape: [out, input, height, width], data };
}
