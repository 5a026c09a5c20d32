/**
 * @file What turns a feature map into class scores while a trunk is trained by classification; no part of the descriptor model.
 *
 * `fc`: the network's own fully connected layers with dropout behind each (Simonyan and Zisserman 2015; Krizhevsky et al. 2012
 * as Caffe computes it): last pooling, fc6, ReLU, dropout, fc7, ReLU, dropout, classes. `pooled`: average over the map, classes.
 * `cosine`: the same without lengths, so that what is learned is what SPoC descriptors are compared by (Qi et al. 2018, section 3.1).
 */
import * as tf from '@tensorflow/tfjs-core';
import { ownedVariable } from '../../backend/index.js';
import { InputError, UsageError } from '../../errors.js';
import { cutTrunk, mapLength, type PoolLayer } from '../../models/architecture.js';
import { architectureNamed } from '../../models/architectures.js';
import { explicitPadding } from '../../models/backbone.js';
import type { ModelMeta } from '../../models/meta.js';
import { l2Normalize } from '../../models/normalize.js';
import { readTensors } from '../../models/read-tensors.js';
import type { NamedArray, NamedArrays } from '../../models/safetensors.js';
import { RandomStream } from '../random.js';

/** Forms of a head. */
export const headKinds = ['fc', 'pooled', 'cosine'] as const;
export type HeadKind = (typeof headKinds)[number];

export interface HeadLayout {
  kind: HeadKind;
  /** In the order of the scores. */
  classes: readonly string[];
  /** Share of the outputs that is dropped behind each hidden layer (`fc`), or of the pooled feature. */
  dropout: number;
  /** The pooling between the map and fc6, where the model is cut before it. */
  lastPool?: PoolLayer;
  /** Of `cosine`: what cosines are multiplied with. */
  cosineScale?: number | undefined;
  /** Inputs of each layer; the last entry is the number of classes. `fc`: [h w C, 4096, 4096, K]; the others: [C, K]. */
  widths: readonly number[];
}

/** Name of the weights of the classes, [C, K]. */
export const classKernel = 'classifier/classes/kernel';

/** Outputs of fc6 and fc7. */
const hiddenWidth = 4096;

/** Networks with fully connected layers, by name, and the pooling before these. */
const ownLayers: Readonly<Record<string, string>> = {
  vgg16: 'pool5',
  vgg19: 'pool5',
  alexnet: 'pool5',
  'alexnet-tv': 'pool5',
};

export interface HeadOptions {
  head: HeadKind | 'auto';
  dropout: number | 'auto';
  cropSize: number;
  cosineScale?: number;
}

/** The layers of a head for this model. Throws `UsageError` where the network has no fully connected layers, or is cut before their input. */
export function headLayout(
  meta: Pick<ModelMeta, 'architecture' | 'cut'>,
  classes: readonly string[],
  { head, dropout, cropSize, cosineScale }: HeadOptions,
): HeadLayout {
  const architecture = architectureNamed(meta.architecture);
  const trunk = cutTrunk(architecture, meta.cut);
  const poolName = ownLayers[meta.architecture];
  const whole = poolName !== undefined && [architecture.defaultCut, poolName].includes(trunk.cut);
  const kind = head === 'auto' ? (whole ? 'fc' : 'pooled') : head;
  const share = dropout === 'auto' ? (kind === 'fc' ? 0.5 : 0) : dropout;
  const side = mapLength(trunk, cropSize);
  if (side < 1) throw new UsageError(`cropSize ${cropSize} is too small for ${meta.architecture}.`);
  if (kind !== 'fc') {
    const widths = [trunk.channels, classes.length];
    return { kind, classes, dropout: share, ...(kind === 'cosine' && { cosineScale }), widths };
  }
  if (!whole) {
    throw new UsageError(
      `head: fc needs a network with fully connected layers (${Object.keys(ownLayers).join(', ')}), whole up to its last convolution; ` +
        `this is ${meta.architecture} cut at ${trunk.cut}. Use head: pooled.`,
    );
  }
  const pool = architecture.layers.find(({ name }) => name === poolName) as PoolLayer;
  const lastPool = trunk.cut === poolName ? undefined : pool;
  const cells = mapLength(cutTrunk(architecture, poolName), cropSize);
  if (cells < 1)
    throw new UsageError(`cropSize ${cropSize} is too small for the last pooling of ${meta.architecture}.`);
  const widths = [cells * cells * trunk.channels, hiddenWidth, hiddenWidth, classes.length];
  return { kind, classes, dropout: share, ...(lastPool && { lastPool }), widths };
}

/** Names and shapes of a head's weights. */
export function headShapes({ kind, widths }: Pick<HeadLayout, 'kind' | 'widths'>): Map<string, number[]> {
  const names = kind === 'fc' ? ['fc6', 'fc7', 'classes'] : ['classes'];
  return new Map(
    names.flatMap((name, i): [string, number[]][] => [
      [`classifier/${name}/kernel`, [widths[i], widths[i + 1]]],
      ...(kind === 'cosine' ? [] : [[`classifier/${name}/bias`, [widths[i + 1]]] satisfies [string, number[]]]),
    ]),
  );
}

/**
 * First weights, as bvlc_alexnet's training definition has them: fc6 and fc7 normal with deviation 0.005 and bias 0.1, the
 * classes normal with 0.01 and bias 0. Small on purpose: Caffe's networks feed fc6 with values in the tens. What is in `known`
 * is taken from there, and not drawn.
 */
export function initialHead(layout: HeadLayout, random: RandomStream, known: NamedArrays = new Map()): NamedArrays {
  const arrays: NamedArrays = new Map();
  for (const [name, shape] of headShapes(layout)) {
    const given = known.get(name);
    if (given !== undefined) {
      arrays.set(name, given);
      continue;
    }
    const data = new Float32Array(shape.reduce((a, b) => a * b));
    const hidden = !name.includes('/classes/');
    if (name.endsWith('/kernel')) fillNormal(data, hidden ? 0.005 : 0.01, random);
    else if (hidden) data.fill(0.1);
    arrays.set(name, { shape, data });
  }
  return arrays;
}

/** Box-Muller. */
function fillNormal(data: Float32Array, deviation: number, random: RandomStream): void {
  for (let i = 0; i < data.length; i += 2) {
    const radius = deviation * Math.sqrt(-2 * Math.log(1 - random.next()));
    const angle = 2 * Math.PI * random.next();
    data[i] = radius * Math.cos(angle);
    if (i + 1 < data.length) data[i + 1] = radius * Math.sin(angle);
  }
}

/** Factors of one image's dropout, [length]: 0 with probability `share`, else 1 / (1 - share), so that the mean stays. */
export function dropoutMask(length: number, share: number, random: RandomStream): Float32Array {
  const kept = 1 / (1 - share);
  return Float32Array.from({ length }, () => (random.next() < share ? 0 : kept));
}

let created = 0;

/** The layers between the feature map and the scores of the classes. The caller disposes of it. */
export class ClassifierHead {
  /** By our names. */
  readonly variables: ReadonlyMap<string, tf.Variable>;

  /** Takes `weights` over: nobody may change the arrays afterwards. Throws `InputError` naming what is missing or misshapen. */
  constructor(
    readonly layout: HeadLayout,
    weights: NamedArrays,
    source = 'classifier',
  ) {
    const variables = new Map<string, tf.Variable>();
    for (const [name, shape] of headShapes(layout)) {
      const array = weights.get(name);
      if (array === undefined || array.shape.join() !== shape.join() || !array.data.every(Number.isFinite)) {
        tf.dispose([...variables.values()]);
        throw new InputError(`${source}: no finite ${name} of shape [${shape.join(', ')}]${foundShape(array)}.`);
      }
      variables.set(name, ownedVariable(array.data, shape, `head${created}/${name}`));
    }
    created++;
    this.variables = variables;
  }

  /** Factors of what is dropped from N images, [N, length], in the order of the layers. An image's depend on its seed alone. */
  dropoutMasks(seeds: readonly number[]): { values: Float32Array; shape: [number, number] }[] {
    const { kind, widths, dropout } = this.layout;
    if (dropout === 0) return [];
    const streams = seeds.map((seed) => new RandomStream(seed));
    return (kind === 'fc' ? widths.slice(1, -1) : widths.slice(0, 1)).map((length) => {
      const values = new Float32Array(seeds.length * length);
      streams.forEach((stream, i) => values.set(dropoutMask(length, dropout, stream), i * length));
      return { values, shape: [seeds.length, length] };
    });
  }

  /** Map [N, h, w, C] -> scores [N, K]. `masks`: `dropoutMasks` as tensors; without, nothing is dropped. */
  scores(map: tf.Tensor4D, masks: readonly tf.Tensor[] = []): tf.Tensor2D {
    const { kind, lastPool, widths, cosineScale = 1 } = this.layout;
    return tf.tidy(() => {
      let dropped = 0;
      const drop = (x: tf.Tensor2D): tf.Tensor2D => {
        const mask = masks[dropped++];
        return mask === undefined ? x : x.mul(mask);
      };
      if (kind !== 'fc') {
        const feature = drop(map.mean<tf.Tensor2D>([1, 2]));
        if (kind === 'pooled') return this.dense(feature, 'classes');
        const kernel = this.variables.get(classKernel) as tf.Variable<tf.Rank.R2>;
        const directions = l2Normalize(kernel.transpose<tf.Tensor2D>());
        return l2Normalize(feature).matMul(directions, false, true).mul<tf.Tensor2D>(cosineScale);
      }
      const last =
        lastPool === undefined ? map : tf.maxPool(map, lastPool.size, lastPool.stride, explicitPadding(lastPool, map));
      const flat = last.reshape<tf.Tensor2D>([map.shape[0], widths[0]]); // rows, columns, channels
      const six = drop(this.dense(flat, 'fc6').relu());
      const seven = drop(this.dense(six, 'fc7').relu());
      return this.dense(seven, 'classes');
    });
  }

  /** All weights, read from the device. */
  toArrays(): Promise<NamedArrays> {
    return readTensors(this.variables);
  }

  /** Frees the weights. */
  dispose(): void {
    tf.dispose([...this.variables.values()]);
  }

  private dense(x: tf.Tensor2D, layer: string): tf.Tensor2D {
    const kernel = this.variables.get(`classifier/${layer}/kernel`) as tf.Variable<tf.Rank.R2>;
    const bias = this.variables.get(`classifier/${layer}/bias`) as tf.Variable<tf.Rank.R1>;
    return x.matMul(kernel).add(bias);
  }
}

function foundShape(array: NamedArray | undefined): string {
  return array === undefined ? '' : `, got [${array.shape.join(', ')}]`;
}
