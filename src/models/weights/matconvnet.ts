/**
 * @file MatConvNet networks in `.mat` files: the chain of layers that `vl_simplenn` runs and the graph of `dagnn`. Filters
 * [height, width, in, out] become [out, in, height, width] under torch's suffixes, as the other Caffe-born weights; moments
 * [mean, deviation] become mean and variance at epsilon 1e-5; the average image becomes the preprocessing (RGB).
 */
import type { Preprocessing } from '../meta.js';
import type { NamedArray, NamedArrays } from '../safetensors.js';
import { Malformed, parsing, shown } from './bytes.js';
import { arrayOf, isMatlab5, type MatlabValue, type MatlabVariables, readMatlab5 } from './matlab.js';
import { readMatlab73 } from './matlab73.js';
import type { WeightFile } from './weight-file.js';

/** Deviations of MatConvNet have an epsilon inside; this is the one that our batch norms add again. */
const normEpsilon = 1e-5;

type Struct = ReadonlyMap<string, MatlabValue>;

/** Reads a MatConvNet network in memory. Throws `InputError` on anything malformed. */
export function parseMatconvnet(bytes: Uint8Array, source: string): WeightFile {
  return parsing(source, 'a MatConvNet network', () => {
    const variables = isMatlab5(bytes) ? readMatlab5(bytes) : readMatlab73(bytes);
    const net = networkOf(variables);
    const tensors: NamedArrays = new Map();
    let left = 2 ** 18 + 25 * bytes.byteLength; // values: many layers may name one parameter
    for (const [name, array] of net.has('params') ? dagTensors(net) : simpleTensors(net)) {
      if (tensors.has(name)) throw new Malformed(`tensor ${shown(name)} occurs twice`);
      left -= array.data.length;
      if (left < 0) throw new Malformed('its layers show more values than the file could hold');
      tensors.set(name, array);
    }
    if (tensors.size === 0) throw new Malformed('it holds no layers with weights');
    const dtypes = new Map([...tensors.keys()].map((name) => [name, 'single']));
    return { format: 'matconvnet', tensors, dtypes, metadata: {}, preprocessing: preprocessingOf(net) };
  });
}

/** The network: a struct called net, or the variables themselves. */
function networkOf(variables: MatlabVariables): Struct {
  const net = variables.get('net');
  const found: Struct = net?.kind === 'struct' && net.elements.length > 0 ? net.elements[0] : variables;
  if (!found.has('layers'))
    throw new Malformed(`it has no layers, only ${[...found.keys()].slice(0, 8).map(shown).join(', ')}`);
  return found;
}

function* simpleTensors(net: Struct): Generator<[string, NamedArray]> {
  for (const layer of structsOf(net.get('layers'))) {
    const weights = layer.get('weights');
    const parts =
      weights?.kind === 'cell'
        ? weights.items
        : ['filters', 'biases'].flatMap((key) => (layer.has(key) ? [layer.get(key)!] : []));
    if (parts.some(isFilled)) yield* layerTensors(textOf(layer.get('name')), textOf(layer.get('type')), parts);
  }
}

function* dagTensors(net: Struct): Generator<[string, NamedArray]> {
  const values = new Map(structsOf(net.get('params')).map((param) => [textOf(param.get('name')), param.get('value')]));
  for (const layer of structsOf(net.get('layers'))) {
    const names = layer.get('params');
    const parts = (names?.kind === 'cell' ? names.items : []).map((name) => values.get(textOf(name)));
    const filled = parts.filter((part) => part !== undefined);
    if (filled.some(isFilled)) yield* layerTensors(textOf(layer.get('name')), textOf(layer.get('type')), filled);
  }
}

function* layerTensors(name: string, type: string, parts: readonly MatlabValue[]): Generator<[string, NamedArray]> {
  const [first, second, moments] = parts;
  if (type === 'bnorm' || type === 'dagnn.BatchNorm') {
    yield [`${name}.weight`, flat(arrayOf(first))];
    yield [`${name}.bias`, flat(arrayOf(second))];
    if (moments === undefined || !isFilled(moments)) return;
    const { shape, data } = arrayOf(moments, [1, 0]); // [2, C]
    if (shape[0] !== 2)
      throw new Malformed(`the moments of ${shown(name)} are [${shape.toReversed().join(', ')}], [C, 2] expected`);
    const mean = data.slice(0, shape[1]);
    const variance = data.slice(shape[1]).map((deviation) => Math.max(0, deviation ** 2 - normEpsilon));
    yield [`${name}.running_mean`, flat({ shape, data: mean })];
    yield [`${name}.running_var`, flat({ shape, data: variance })];
    return;
  }
  yield [`${name}.weight`, arrayOf(first, [3, 2, 0, 1])];
  if (second !== undefined && isFilled(second)) yield [`${name}.bias`, flat(arrayOf(second))];
}

/** Mean over the average image, or the average colour; MatConvNet keeps RGB, 0-255. */
function preprocessingOf(net: Struct): Preprocessing | undefined {
  const meta = net.get('meta');
  const holder = meta?.kind === 'struct' ? meta.elements[0] : net;
  const normalization = holder?.get('normalization');
  const average = normalization?.kind === 'struct' ? normalization.elements[0]?.get('averageImage') : undefined;
  if (average === undefined || !isFilled(average)) return undefined;
  const { shape, data } = arrayOf(
    average,
    average.kind === 'array' && average.shape.length === 3 ? [2, 0, 1] : undefined,
  );
  const cells = data.length / 3;
  if (shape.every((n) => n !== 3) || !Number.isInteger(cells)) return undefined;
  const mean = [0, 1, 2].map((c) => data.subarray(c * cells, (c + 1) * cells).reduce((sum, v) => sum + v, 0) / cells);
  return { channels: 'rgb', scale: 1, mean: mean as [number, number, number], std: [1, 1, 1] };
}

/** The structs of a cell or of an array of structs. */
function structsOf(value: MatlabValue | undefined): Struct[] {
  if (value?.kind === 'struct') return value.elements;
  const items = value?.kind === 'cell' ? value.items : [];
  return items.flatMap((item) => (item.kind === 'struct' ? item.elements.slice(0, 1) : []));
}

function isFilled(value: MatlabValue): boolean {
  return value.kind === 'array' && !value.shape.includes(0);
}

function textOf(value: MatlabValue | undefined): string {
  return value?.kind === 'text' ? value.text : '';
}

function flat({ data }: NamedArray): NamedArray {
  return { shape: [data.length], data };
}
