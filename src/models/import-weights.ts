/**
 * @file Published weights -> a model's meta and weights: find the layout by the names, rename, reorder kernels, check
 * every tensor, and say in one error what does not fit.
 */
import { InputError } from '../errors.js';
import { cutTrunk, type Layer, type Parameter, parametersOf, torchPreprocessing, type Trunk } from './architecture.js';
import { architectureNamed, architectures, defaultMeta } from './architectures.js';
import type { ModelMeta, PoolingOptions, Preprocessing } from './meta.js';
import type { NamedArray, NamedArrays } from './safetensors.js';
import { listed, problemOf } from './weight-checks.js';
import { isClassifierHead, isCounter, plainName, sourceNames, type WeightLayout } from './weight-names.js';

export interface ImportOptions {
  architecture: string;
  /** Our layer name or an alias. Default: the architecture's last feature map. */
  cut?: string | undefined;
  pooling?: Partial<PoolingOptions>;
  imageSize?: number | undefined;
  provenance?: string | undefined;
  /** Pixel arithmetic that the file states. Default: that of its layout. */
  preprocessing?: Preprocessing | undefined;
}

export interface ImportedWeights {
  meta: ModelMeta;
  weights: NamedArrays;
  layout: WeightLayout;
  /** Tensors left out on purpose: the classifier. */
  head: string[];
  /** Tensors left out because they lie behind the cut. */
  behindCut: string[];
}

/** Converts tensors as a framework saved them. `source` names the file in the `InputError` that lists what does not fit. */
export function importWeights(tensors: NamedArrays, source: string, options: ImportOptions): ImportedWeights {
  const { architecture: name, cut, ...rest } = options;
  const architecture = architectureNamed(name);
  const trunk = cutTrunk(architecture, cut);
  const bySourceName = new Map([...tensors].map(([key, array]) => [plainName(key), array]));
  const all = parametersOf(architecture.layers);
  const layout = detectLayout(name, all, bySourceName, source);
  const find = (parameter: Parameter) => sourceNames(name, parameter, layout).find((key) => bySourceName.has(key));

  const weights: NamedArrays = new Map();
  const problems: string[] = [];
  const missing: string[] = [];
  for (const parameter of parametersOf(trunk.layers)) {
    const key = find(parameter);
    if (key === undefined) {
      missing.push(sourceNames(name, parameter, layout)[0] ?? parameter.name);
      continue;
    }
    const array = canonical(bySourceName.get(key)!, parameter, layout);
    const problem = problemOf(array, parameter.shape, parameter.kind);
    if (problem === undefined) weights.set(parameter.name, array);
    else problems.push(`${key} ${problem}`);
  }
  if (missing.length > 0) problems.unshift(`missing: ${listed(missing)}${cutHint(architecture.layers, trunk, find)}`);

  const ours = new Set(trunk.layers.map((layer) => layer.name));
  const known = new Map(
    all.flatMap((parameter) => sourceNames(name, parameter, layout).map((key) => [key, parameter.layer])),
  );
  const extra = [...bySourceName.keys()].filter((key) => !ours.has(known.get(key) ?? ''));
  const unknown = extra.filter((key) => !known.has(key) && !isClassifierHead(key) && !isCounter(key));
  if (unknown.length > 0) problems.push(`unknown: ${listed(unknown)}`);
  if (problems.length > 0)
    throw new InputError(`${source} does not fit ${name} cut at ${trunk.cut}: ${problems.join('; ')}.`);

  return {
    meta: metaFor(name, trunk, layout, rest),
    weights,
    layout,
    head: extra.filter(isClassifierHead),
    behindCut: extra.filter((key) => known.has(key)),
  };
}

/** Preprocessing belongs to the architecture (Keras, Caffe); torchvision trains every network on the same input. */
function metaFor(
  name: string,
  trunk: Trunk,
  layout: WeightLayout,
  { pooling, imageSize, provenance, preprocessing }: Omit<ImportOptions, 'architecture' | 'cut'>,
): ModelMeta {
  return defaultMeta(name, {
    cut: trunk.cut,
    ...(pooling && { pooling }),
    ...(layout === 'torchvision' && { preprocessing: torchPreprocessing }),
    ...((layout === 'torchvision' || layout === 'caffe') && { normEpsilon: 1e-5 }),
    ...(preprocessing && { preprocessing }),
    ...(imageSize !== undefined && { imageSize }),
    ...(provenance !== undefined && { provenance }),
  });
}

const layouts = ['keras', 'torchvision', 'caffe', 'rmac'] as const;

/** The layout most of whose names occur; one that explains less than half of the file is another network. */
function detectLayout(
  architecture: string,
  parameters: readonly Parameter[],
  tensors: NamedArrays,
  source: string,
): WeightLayout {
  const { layout, found } = bestLayout(architecture, parameters, tensors);
  const relevant = [...tensors.keys()].filter((name) => !isClassifierHead(name) && !isCounter(name));
  if (found > 0 && 2 * found >= relevant.length) return layout;
  const expected = layouts.flatMap((each) => sourceNames(architecture, parameters[0], each).slice(0, 1));
  const others = [...architectures.values()].filter(
    ({ name, layers }) => 2 * bestLayout(name, parametersOf(layers), tensors).found >= Math.max(relevant.length, 1),
  );
  const guess =
    others.length > 0 ? `; the names are those of --arch ${others.map(({ name }) => name).join(' or ')}` : '';
  throw new InputError(
    `${source} holds no weights of ${architecture}: its tensors are ${listed([...tensors.keys()])}, and ${expected.join(' or ')} was expected${guess}.`,
  );
}

function bestLayout(architecture: string, parameters: readonly Parameter[], tensors: NamedArrays) {
  return layouts
    .map((layout) => ({
      layout,
      found: parameters.filter((p) => sourceNames(architecture, p, layout).some((key) => tensors.has(key))).length,
    }))
    .reduce((a, b) => (b.found > a.found ? b : a));
}

/**
 * Our order of axes: torch's and Caffe's [out, in, height, width] -> [height, width, in, out], Keras' depthwise
 * [height, width, in, 1] -> [height, width, 1, in].
 */
function canonical(array: NamedArray, { kind, shape }: Parameter, layout: WeightLayout): NamedArray {
  if (layout === 'rmac' || kind !== 'kernel' || array.shape.length !== 4) return array;
  if (layout === 'keras') {
    const [h, w, inChannels, multiplier] = array.shape;
    return shape[2] === 1 ? { ...array, shape: [h, w, 1, inChannels * multiplier] } : array;
  }
  const [out, input, height, width] = array.shape as [number, number, number, number];
  const data = new Float32Array(array.data.length);
  let to = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let i = 0; i < input; i++) {
        for (let o = 0; o < out; o++) data[to++] = array.data[((o * input + i) * height + y) * width + x]!;
      }
    }
  }
  return { shape: [height, width, input, out], data };
}

/** For a partial file: the last layer whose parameters are all there. */
function cutHint(layers: readonly Layer[], trunk: Trunk, find: (parameter: Parameter) => string | undefined): string {
  const incomplete = layers.findIndex((layer) =>
    parametersOf([layer]).some((parameter) => find(parameter) === undefined),
  );
  const last = layers
    .slice(0, incomplete)
    .findLast((layer) => layer.op !== 'norm' && !/\/(conv\d|shortcut)$/.test(layer.name));
  return last === undefined || last.name === trunk.cut ? '' : ` (complete up to ${last.name}: pass --cut ${last.name})`;
}
