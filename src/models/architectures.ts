/** @file The trunks by name, and the meta and starting weights that belong to them. */
import seedrandom from 'seedrandom';
import { InputError, UsageError } from '../errors.js';
import { alexnet, alexnetTorchvision } from './alexnet.js';
import { type Architecture, cutTrunk, parametersOf, resolveLayer, type Trunk } from './architecture.js';
import { convnexts } from './convnext.js';
import { densenet121, densenet169, densenet201 } from './densenet.js';
import { efficientnets } from './efficientnet.js';
import { defaultPooling, type ModelMeta, type PoolingOptions } from './meta.js';
import { mobilenet, mobilenetV2 } from './mobilenet.js';
import { resnets } from './resnet.js';
import type { NamedArrays } from './safetensors.js';
import { rmacSmall } from './small.js';
import { vgg16, vgg19 } from './vgg.js';
import { visionTransformers } from './vit.js';

/** The networks by their name, the value of `--arch` (docs/networks.md). */
export const architectures: ReadonlyMap<string, Architecture> = new Map(
  [
    alexnet,
    alexnetTorchvision,
    ...convnexts,
    densenet121,
    densenet169,
    densenet201,
    ...efficientnets,
    mobilenet,
    mobilenetV2,
    ...resnets,
    vgg16,
    vgg19,
    ...visionTransformers,
    rmacSmall,
  ].map((a) => [a.name, a]),
);

/** Networks of one name differ in strides, padding, biases and preprocessing. */
const architectureNames =
  "alexnet is Caffe's, mobilenet Keras', resnet50 that of Keras up to 2.1; -tv is torchvision (PyTorch), -keras tf.keras, -caffe Caffe.";

/** The name that this is a spelling of, else torchvision's of those that begin so, else the first of them. */
function nearestName(name: string, known: readonly string[]): string | undefined {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  const wanted = plain(name);
  const begun = known.filter((one) => wanted !== '' && plain(one).startsWith(wanted));
  return begun.find((one) => plain(one) === wanted) ?? begun.find((one) => one.endsWith('-tv')) ?? begun[0];
}

/** The architecture of that name. Throws `UsageError` listing the known ones. */
export function architectureNamed(name: string): Architecture {
  const architecture = architectures.get(name);
  if (architecture === undefined) {
    const known = [...architectures.keys()];
    const meant = nearestName(name, known);
    throw new UsageError(
      `Unknown architecture "${name}". ${meant === undefined ? '' : `Did you mean ${meant}? `}Known: ${known.join(', ')}. ${architectureNames}`,
    );
  }
  return architecture;
}

/** What of an architecture a model runs: up to its cut, or to the class token that it pools. Throws `InputError` where there is none. */
export function trunkFor({
  architecture: name,
  cut,
  pooling,
}: {
  architecture: string;
  cut?: string | undefined;
  pooling?: Partial<PoolingOptions> | undefined;
}): Trunk {
  const architecture = architectureNamed(name);
  const { classToken } = architecture;
  if (pooling?.kind !== 'cls') return cutTrunk(architecture, cut);
  if (classToken === undefined) {
    throw new InputError(`${name} has no class token: pooling cls is of vision transformers (vit-..., dinov2-...).`);
  }
  const whole = [architecture.defaultCut, classToken].includes(resolveLayer(architecture, cut ?? classToken));
  if (whole) return cutTrunk(architecture, classToken);
  throw new InputError(`Pooling cls takes the class token behind the whole ${name}: leave --cut ${cut} out.`);
}

/** Meta of an architecture with its own preprocessing and default pooling; `cut` may be an alias. */
export function defaultMeta(
  name: string,
  { cut, pooling, ...rest }: Partial<Omit<ModelMeta, 'pooling'>> & { pooling?: Partial<PoolingOptions> } = {},
): ModelMeta {
  const architecture = architectureNamed(name);
  return {
    preprocessing: architecture.preprocessing,
    ...rest,
    architecture: name,
    cut: cutTrunk(architecture, cut).cut,
    pooling: { ...defaultPooling, ...pooling },
  };
}

/**
 * Seeded He-normal weights for training from scratch: kernel ~ N(0, 2 / fan-in), mean 0, variance 1, gamma 1, beta 0,
 * and gamma 0 at the end of residual branches, so that the depth does not multiply the variance. Same seed, same bytes.
 */
export function initialWeights(name: string, seed: number, cut?: string): NamedArrays {
  const { layers } = cutTrunk(architectureNamed(name), cut);
  const branchEnds = new Set(layers.flatMap((layer) => (layer.op === 'add' ? [layer.inputs[0]] : [])));
  const weights: NamedArrays = new Map();
  for (const { name: key, kind, layer, shape } of parametersOf(layers)) {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
    if (kind === 'kernel') fillNormal(data, Math.sqrt((2 * shape.at(-1)!) / data.length), `${seed}/${key}`);
    else if (kind === 'class' || kind === 'registers' || kind === 'position') fillNormal(data, 0.02, `${seed}/${key}`);
    else if (kind === 'variance') data.fill(1);
    else if (kind === 'gamma' && !branchEnds.has(layer)) data.fill(1);
    weights.set(key, { shape, data });
  }
  return weights;
}

/** Box-Muller; two uniforms per value keep it simple. */
function fillNormal(data: Float32Array, deviation: number, seed: string): void {
  const random = seedrandom(seed);
  for (let i = 0; i < data.length; i++) {
    data[i] = deviation * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  }
}
