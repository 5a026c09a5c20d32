/**
 * @file Published weights -> a model's meta and weights: find the layout by the names, rename, reorder kernels, check
 * every tensor, and say in one error what does not fit.
 */
import { InputError } from '../errors.js';
import { transposed } from '../linear/rows.js';
import { isWhole, type Layer, type Parameter, parametersOf, torchPreprocessing, type Trunk } from './architecture.js';
import { architectureNamed, architectures, defaultMeta, trunkFor } from './architectures.js';
import type { ModelMeta, PoolingOptions, Preprocessing } from './meta.js';
import type { NamedArray, NamedArrays } from './safetensors.js';
import { listed, problemOf } from './weight-checks.js';
import { isClassifierHead, isOfTraining, plainName, sourceNames, type WeightLayout } from './weight-names.js';
import { type FittingPrefix, fittingPrefixes, withoutPrefix } from './weight-prefix.js';

export interface ImportOptions {
  architecture: string;
  /** Our layer name or an alias. Default: the architecture's last feature map. */
  cut?: string | undefined;
  pooling?: Partial<PoolingOptions>;
  imageSize?: number | undefined;
  provenance?: string | undefined;
  /** Pixel arithmetic that the file states. Default: that of its layout. */
  preprocessing?: Preprocessing | undefined;
  /** What stands before the network's names. Default: what most of them stand behind. */
  prefix?: string | undefined;
}

export interface ImportedWeights {
  meta: ModelMeta;
  weights: NamedArrays;
  layout: WeightLayout;
  /** What stood before the network's names. */
  prefix: string;
  /** Tensors that are not under the prefix, left out. */
  outside: string[];
  /** Tensors left out on purpose: the classifier. */
  head: string[];
  /** Tensors left out because they lie behind the cut. */
  behindCut: string[];
}

/** Converts tensors as a framework saved them. `source` names the file in the `InputError` that lists what does not fit. */
export function importWeights(tensors: NamedArrays, source: string, options: ImportOptions): ImportedWeights {
  const { architecture: name, cut, prefix: asked, ...rest } = options;
  const architecture = architectureNamed(name);
  const trunk = trunkFor({ architecture: name, cut, pooling: rest.pooling });
  const byPlainName = new Map([...tensors].map(([key, array]) => [plainName(key), array]));
  const all = parametersOf(architecture.layers);
  const prefixes = prefixesOf(name, all, byPlainName.keys());
  const prefix = asked ?? prefixes[0]?.prefix ?? '';
  const bySourceName = withoutPrefix(byPlainName, prefix);
  const layout = detectLayout(name, all, { tensors: byPlainName, network: bySourceName, source });
  const equal = prefixes.filter(({ names }) => names === prefixes[0].names);
  if (asked === undefined && equal.length > 1) {
    throw new InputError(
      `${source} holds ${name} ${equal.length} times, behind ${listed(equal.map((each) => JSON.stringify(each.prefix)))}: ` +
        'say which with --prefix.',
    );
  }
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
  const unknown = extra.filter((key) => !known.has(key) && !isClassifierHead(key) && !isOfTraining(key));
  if (unknown.length > 0) problems.push(`unknown: ${listed(unknown)}`);
  if (problems.length > 0)
    throw new InputError(`${source} does not fit ${name} cut at ${trunk.cut}: ${problems.join('; ')}.`);

  return {
    meta: metaFor(name, cut, layout, rest),
    weights,
    layout,
    prefix,
    outside: [...byPlainName.keys()].filter((key) => !key.startsWith(prefix)),
    head: extra.filter((key) => !known.has(key) && isClassifierHead(key)),
    behindCut: extra.filter((key) => known.has(key)),
  };
}

/** Preprocessing belongs to the architecture (Keras, Caffe); torchvision trains every network on the same input. */
function metaFor(
  name: string,
  cut: string | undefined,
  layout: WeightLayout,
  { pooling, imageSize, provenance, preprocessing }: Omit<ImportOptions, 'architecture' | 'cut'>,
): ModelMeta {
  const { filter } = architectureNamed(name).preprocessing;
  return defaultMeta(name, {
    cut,
    ...(pooling && { pooling }),
    ...(layout === 'torchvision' && { preprocessing: { ...torchPreprocessing, ...(filter && { filter }) } }),
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
  { tensors, network, source }: { tensors: NamedArrays; network: NamedArrays; source: string },
): WeightLayout {
  const { layout, found } = bestLayout(architecture, parameters, network);
  if (found > 0 && 2 * found >= relevantNames(network)) return layout;
  const expected = layouts.flatMap((each) => sourceNames(architecture, parameters[0], each).slice(0, 1));
  const others = fittingArchitectures(tensors);
  const guess =
    others.length > 0 ? `; the names are those of --arch ${others.map(({ name }) => name).join(' or ')}` : '';
  throw new InputError(
    `${source} holds no weights of ${architecture}: its tensors are ${listed([...tensors.keys()])}, and ${expected.join(' or ')} was expected${guess}.`,
  );
}

/**
 * The architectures whose names these are: of those that explain at least half of what is under a prefix of their own, those
 * that explain most, and of these the smallest.
 */
export function fittingArchitectures(tensors: NamedArrays): { name: string; prefix: string }[] {
  const plain = new Map([...tensors].map(([key, array]) => [plainName(key), array]));
  const fitting = [...architectures.values()].flatMap(({ name, layers }) => {
    const parameters = parametersOf(layers);
    const prefix = prefixesOf(name, parameters, plain.keys())[0]?.prefix ?? '';
    const network = withoutPrefix(plain, prefix);
    const { found } = bestLayout(name, parameters, network);
    return found > 0 && 2 * found >= relevantNames(network)
      ? [{ name, prefix, found, missing: parameters.length - found }]
      : [];
  });
  const [best] = fitting.toSorted((a, b) => b.found - a.found || a.missing - b.missing);
  return fitting
    .filter(({ found, missing }) => found === best.found && missing === best.missing)
    .map(({ name, prefix }) => ({ name, prefix }));
}

function prefixesOf(architecture: string, parameters: readonly Parameter[], names: Iterable<string>): FittingPrefix[] {
  const known = new Set(
    parameters.flatMap((each) => layouts.flatMap((layout) => sourceNames(architecture, each, layout))),
  );
  return fittingPrefixes(names, (name) => known.has(name));
}

/** Tensors that a trunk may explain. */
function relevantNames(tensors: NamedArrays): number {
  return [...tensors.keys()].filter((name) => !isClassifierHead(name) && !isOfTraining(name)).length;
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
 * Our order of axes: torch's and Caffe's [out, in, height, width] -> [height, width, in, out] and [out, in] -> [in, out], Keras'
 * depthwise [height, width, in, 1] -> [height, width, 1, in]; axes of one element before and behind a vector go.
 */
function canonical(array: NamedArray, { kind, shape }: Parameter, layout: WeightLayout): NamedArray {
  if (layout === 'rmac') return array;
  if (kind !== 'kernel') {
    const { shape: given, data: values } = array;
    if (kind === 'position' && given.at(-2) === shape[0] - 1 && given.at(-1) === shape[1]) {
      const data = new Float32Array(shape[0] * shape[1]); // timm has added the class token's to the class token
      data.set(values, shape[1]);
      return { shape, data };
    }
    const fits = array.shape.filter((extent) => extent !== 1).join() === shape.filter((extent) => extent !== 1).join();
    return fits ? { ...array, shape } : array;
  }
  if (array.shape.length === 2 && layout !== 'keras') {
    const [out, input] = array.shape as [number, number];
    return { shape: [input, out], data: transposed(array.data, input) };
  }
  if (array.shape.length !== 4) return array;
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
  const last = layers.slice(0, incomplete).findLast(isWhole);
  return last === undefined || last.name === trunk.cut ? '' : ` (complete up to ${last.name}: pass --cut ${last.name})`;
}
