/**
 * @file Published retrieval models beyond their trunk: what pools, projects and whitens in checkpoints of
 * cnnimageretrieval-pytorch ({meta, state_dict}) and deep-image-retrieval ({state_dict, model_options, pca}), and in the
 * caffemodel of Gordo et al. (a shift and an FC layer behind region pooling). What our model cannot compute is refused.
 */
import { InputError } from '../../errors.js';
import type { PoolingOptions, Preprocessing } from '../meta.js';
import type { NamedArray, NamedArrays } from '../safetensors.js';
import { listed } from '../weight-checks.js';
import { fittingPrefixes, withoutPrefix } from '../weight-prefix.js';
import type { PcaWhitening } from '../whitening.js';
import { whiteningOfLinear } from './linear-shift.js';
import { InertObject, pickleText, type PickleValue } from './pickle.js';
import { isArray } from './torch.js';
import type { Checkpoint } from './weight-file.js';
import type { WeightFile } from './weight-file.js';

export interface RetrievalModel {
  system: 'cirtorch' | 'dirtorch' | 'gordo';
  /** The trunk's tensors by torchvision's or Caffe's names. */
  trunk: NamedArrays;
  pooling: Partial<PoolingOptions>;
  preprocessing?: Preprocessing | undefined;
  /** FC with bias between pooling and l2: weight [D, C], bias [D]. */
  projection?: { weight: NamedArray; bias: NamedArray };
  whitening?: PcaWhitening;
  /** Which of the stored whitenings was taken, and which there are. */
  whiteningName?: string | undefined;
}

export interface RetrievalOptions {
  /** Name of a stored whitening, or 'none'. Default: the first one. */
  whitening?: string | undefined;
  /** What stands before the tensors' names. Default: what most of them stand behind. */
  prefix?: string | undefined;
}

/** What the programs of these models call the parts of one. */
const ownNames = /^(features|pool|l?whiten|conv1|bn1|layer\d|fc|adpool)\./;

type Dict = ReadonlyMap<PickleValue, PickleValue>;

/** The retrieval model in a file; undefined when it holds a plain network. */
export function retrievalModelOf(
  file: WeightFile,
  source: string,
  options: RetrievalOptions = {},
): RetrievalModel | undefined {
  const root = file.checkpoint?.root;
  const [found] = fittingPrefixes(file.tensors.keys(), (name) => ownNames.test(name));
  const tensors: NamedArrays = withoutPrefix(file.tensors, options.prefix ?? found?.prefix ?? '');
  if (root instanceof Map && file.checkpoint !== undefined) {
    const meta = dict(root, 'meta');
    if (meta?.has('architecture')) return cirtorch(meta, { tensors, checkpoint: file.checkpoint, source, options });
    if (root.has('model_options') || root.has('pca')) {
      return dirtorch(root, { tensors, checkpoint: file.checkpoint, source, options });
    }
  }
  if ([...tensors.keys()].some((name) => name.endsWith('/pca.weight'))) return gordo(tensors, source, options);
  return undefined;
}

interface Parts {
  tensors: NamedArrays;
  checkpoint: Checkpoint;
  source: string;
  options: RetrievalOptions;
}

const resnetParts = ['conv1', 'bn1', 'relu', 'maxpool', 'layer1', 'layer2', 'layer3', 'layer4'];
const densenetParts = ['conv0', 'norm0', 'relu0', 'pool0', 'denseblock1', 'transition1', 'denseblock2', 'transition2'];
const densenetRest = ['denseblock3', 'transition3', 'denseblock4', 'norm5'];

/** cirtorch wraps a torchvision network's children into `features`, numbered. */
function torchvisionName(architecture: string, name: string): string {
  const [, index, rest] = /^features\.(\d+)\.(.*)$/.exec(name) ?? [];
  if (index === undefined) return name;
  if (architecture.startsWith('resnet')) return `${resnetParts[Number(index)]}.${rest}`;
  if (!architecture.startsWith('densenet')) return name;
  return `features.${[...densenetParts, ...densenetRest][Number(index)]}.${rest}`;
}

function cirtorch(meta: Dict, { tensors, checkpoint, source, options }: Parts): RetrievalModel {
  const architecture = pickleText(meta.get('architecture'));
  const kind = pickleText(meta.get('pooling'));
  const trunk: NamedArrays = new Map();
  for (const [name, array] of tensors) {
    if (name.startsWith('features.')) trunk.set(torchvisionName(architecture, name), array);
  }
  if (tensors.has('lwhiten.weight')) refuse(source, 'whitens every cell of the map before pooling (local whitening)');
  const regional = tensors.has('pool.whiten.weight');
  if (regional && kind !== 'mac') refuse(source, `pools regions by ${kind}; regions of maxima (mac) can be read`);
  const rmac = { kind: 'rmac', levels: 3, wholeImage: true, precision: 'f32' } as const;
  const model: RetrievalModel = {
    system: 'cirtorch',
    trunk,
    pooling: regional || kind === 'rmac' ? rmac : poolingOf(kind, tensors.get('pool.p'), source),
    preprocessing: preprocessingOf(meta),
  };
  const stored = dict(meta, 'Lw') ?? new Map<PickleValue, PickleValue>();
  const learned = [...stored].flatMap(([set, scales]) =>
    scales instanceof Map ? [...scales.keys()].map((scale) => `${pickleText(set)}/${pickleText(scale)}`) : [],
  );
  const own = regional ? 'pool.whiten' : tensors.has('whiten.weight') ? 'whiten' : undefined;
  const name = choose([...(own === undefined ? [] : [own]), ...learned], { source, options });
  if (name === undefined) {
    if (regional)
      refuse(source, 'whitens its regions, which --whitening none leaves out of the sum it was trained with');
    return model;
  }
  if (regional && name !== own) refuse(source, 'whitens its regions and then the sum, and one whitening can be read');
  if (kind === 'rmac') refuse(source, 'whitens the sum of its regions; --whitening none reads it without');
  if (name === own) return { ...model, whitening: linear(tensors, own, source), whiteningName: name };
  const at = name.lastIndexOf('/');
  const scales = stored.get(name.slice(0, at)) as Dict;
  const learnt = scales.get(name.slice(at + 1));
  const [m, p] = learnt instanceof Map ? [learnt.get('m'), learnt.get('P')] : [];
  if (!isArray(m) || !isArray(p)) refuse(source, `has a whitening ${name} without m and P`);
  const [mean, matrix] = [checkpoint.read(m), checkpoint.read(p)];
  return {
    ...model,
    whitening: { mean: mean.data, components: matrix.data, dimension: matrix.shape[0] },
    whiteningName: name,
  };
}

/** The exponent that deep-image-retrieval's test program divides the variances by. */
const dirtorchPower = 0.25;

function dirtorch(root: Dict, { tensors, checkpoint, source, options }: Parts): RetrievalModel {
  const settings = dict(root, 'model_options') ?? new Map<PickleValue, PickleValue>();
  if (Number(pickleText(settings.get('center_bias') ?? 0)) > 0)
    refuse(source, 'weights the centre of the map (center_bias)');
  const kinds: Record<string, string> = { max: 'mac', avg: 'spoc' };
  const stated = settings.get('pooling');
  const pooling = typeof stated === 'string' ? stated : 'gem';
  const head = ['fc.weight', 'fc.bias', 'adpool.p'];
  const trunk: NamedArrays = new Map([...tensors].filter(([name]) => !head.includes(name)));
  const model: RetrievalModel = {
    system: 'dirtorch',
    trunk,
    pooling: poolingOf(
      kinds[pooling] ?? (pooling.startsWith('gem') ? 'gem' : pooling),
      tensors.get('adpool.p'),
      source,
    ),
    preprocessing: preprocessingOf(dict(root, 'preprocess')),
  };
  const [weight, bias] = [tensors.get('fc.weight'), tensors.get('fc.bias')];
  const projects = weight !== undefined && bias !== undefined && settings.get('without_fc') !== true;
  const stored = dict(root, 'pca') ?? new Map<PickleValue, PickleValue>();
  const name = choose([...stored.keys()].map(pickleText), { source, options });
  if (projects && settings.get('norm_features') === true) {
    if (name !== undefined)
      refuse(source, 'normalises before and after its FC layer; --whitening none reads it without PCA');
    return { ...model, whitening: linear(tensors, 'fc', source), whiteningName: 'fc' };
  }
  if (projects) model.projection = { weight, bias };
  return name === undefined
    ? model
    : { ...model, whitening: sklearnPca(stored.get(name), { checkpoint, source }), whiteningName: name };
}

/** (x - mean) . components' / variance^p of a scikit-learn PCA. */
function sklearnPca(
  value: PickleValue,
  { checkpoint, source }: { checkpoint: Checkpoint; source: string },
): PcaWhitening {
  const read = (key: string) => {
    const array = value instanceof InertObject ? value.attributes.get(key) : undefined;
    return isArray(array) ? checkpoint.read(array) : undefined;
  };
  const [mean, components, variance] = ['mean_', 'components_', 'explained_variance_'].map(read);
  if (mean === undefined || components === undefined) refuse(source, 'has a PCA without mean_ and components_');
  const [dimension, channels] = components.shape;
  const whitens = value instanceof InertObject && value.attributes.get('whiten') === true && variance !== undefined;
  const scaled = whitens
    ? components.data.map((v, i) => v / variance.data[Math.floor(i / channels)] ** dirtorchPower)
    : components.data;
  return { mean: mean.data, components: scaled, dimension };
}

/** Scale "centered" (1 and a shift), then InnerProduct "pca": W (g x + s) + b. */
function gordo(tensors: NamedArrays, source: string, options: RetrievalOptions): RetrievalModel {
  const matrixName = [...tensors.keys()].find((name) => name.endsWith('/pca.weight'))!;
  const prefix = matrixName.slice(0, -'/pca.weight'.length);
  const trunk: NamedArrays = new Map([...tensors].filter(([name]) => !name.startsWith(`${prefix}/`)));
  const model: RetrievalModel = {
    system: 'gordo',
    trunk,
    pooling: { kind: 'rmac', levels: 2, plane: 'image', precision: 'f32' },
  };
  const name = choose([prefix], { source, options });
  if (name === undefined) return model;
  const { mean, components, dimension } = linear(tensors, `${prefix}/pca`, source);
  const channels = mean.length;
  const gamma = tensors.get(`${prefix}/centered.weight`)?.data ?? new Float32Array(channels).fill(1);
  const beta = tensors.get(`${prefix}/centered.bias`)?.data ?? new Float32Array(channels);
  if (gamma.length !== channels || beta.length !== channels || gamma.includes(0)) {
    refuse(source, `has a ${prefix}/centered layer that does not fit its PCA`);
  }
  return {
    ...model,
    whitening: {
      mean: Float64Array.from(gamma, (g, c) => -(beta[c] - mean[c]) / g),
      components: components.map((v, i) => v * gamma[i % channels]),
      dimension,
    },
    whiteningName: name,
  };
}

function linear(tensors: NamedArrays, name: string, source: string): PcaWhitening {
  const weight = tensors.get(`${name}.weight`);
  if (weight?.shape.length !== 2) refuse(source, `has no matrix ${name}.weight`);
  const [dimension, channels] = weight.shape;
  const bias = tensors.get(`${name}.bias`)?.data ?? new Float32Array(dimension);
  if (bias.length !== dimension) refuse(source, `has ${bias.length} values in ${name}.bias, ${dimension} expected`);
  return whiteningOfLinear(weight.data, bias, { channels, source });
}

function poolingOf(kind: string, p: NamedArray | undefined, source: string): Partial<PoolingOptions> {
  if (kind === 'mac' || kind === 'spoc') return { kind };
  if (kind !== 'gem') refuse(source, `pools by ${JSON.stringify(kind)}; mac, spoc, gem or rmac can be read`);
  if (p !== undefined && p.data.length !== 1) refuse(source, 'has an exponent of GeM for each channel');
  const exponent = p?.data[0] ?? 3;
  if (!(exponent > 0 && Number.isFinite(exponent))) refuse(source, `has the exponent ${exponent} of GeM`);
  return { kind, p: exponent };
}

function preprocessingOf(holder: Dict | undefined): Preprocessing | undefined {
  const triple = (key: string) => {
    const values = holder?.get(key);
    return Array.isArray(values) &&
      values.length === 3 &&
      values.every((v) => typeof v === 'number' && Number.isFinite(v))
      ? (values as [number, number, number])
      : undefined;
  };
  const [mean, std] = [triple('mean'), triple('std')];
  return mean && std?.every((v) => v > 0) ? { channels: 'rgb', scale: 1 / 255, mean, std } : undefined;
}

/** The whitening that was asked for, or the first one; undefined for none. */
function choose(names: readonly string[], { source, options }: { source: string; options: RetrievalOptions }) {
  const { whitening } = options;
  if (whitening === 'none') return undefined;
  if (whitening === undefined || names.includes(whitening)) return whitening ?? names[0];
  throw new InputError(
    `${source} has no whitening "${whitening}". Stored: ${names.length > 0 ? listed(names) : 'none'}.`,
  );
}

function dict(holder: Dict, key: string): Dict | undefined {
  const value = holder.get(key);
  return value instanceof Map ? value : undefined;
}

function refuse(source: string, what: string): never {
  throw new InputError(`${source} ${what}; this model cannot be read.`);
}
