/**
 * @file The network of region proposals (Ren et al. 2015, section 3.1): a 3x3 convolution with ReLU over the trunk's map, then
 * two 1x1 siblings, scores and deltas of the A anchors of each cell. Scores are py-faster-rcnn's 2 A, the first A those of
 * background; what is used of them is the difference, the log-odds of an object.
 */
import * as tf from '@tensorflow/tfjs-core';
import { ownedVariable } from '../backend/index.js';
import type { RpnMeta } from '../models/meta.js';
import { readTensors } from '../models/read-tensors.js';
import type { NamedArrays } from '../models/safetensors.js';
import { rpnShapes } from '../models/rpn-weights.js';
import { anchorsPerCell } from './anchors.js';

/** Standard deviation of new kernels; biases start at 0. */
export const initialDeviation = 0.01;

/** Anything that draws uniformly from [0, 1). */
export interface Uniform {
  next(): number;
}

let created = 0;

/** Weights of a new head over a map of `channels`: kernels from N(0, 0.01), biases 0. */
export function initialRpn(meta: RpnMeta, channels: number, random: Uniform): NamedArrays {
  const arrays: NamedArrays = new Map();
  for (const [name, shape] of rpnShapes(meta, channels)) {
    const data = new Float32Array(shape.reduce((product, n) => product * n, 1));
    if (name.endsWith('/kernel')) for (let i = 0; i < data.length; i++) data[i] = initialDeviation * normal(random);
    arrays.set(name, { shape, data });
  }
  return arrays;
}

/** Standard normal by Box and Muller; 1 - u keeps the logarithm finite. */
function normal(random: Uniform): number {
  return Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
}

export class RpnHead {
  /** By our names, `rpn/...`. */
  readonly variables: ReadonlyMap<string, tf.Variable>;
  private readonly anchors: number;

  /** `weights` as `rpnShapes` names them; others are passed over. The caller disposes of the head. */
  constructor(
    readonly meta: RpnMeta,
    channels: number,
    weights: NamedArrays,
  ) {
    const prefix = `rpn${created++}`; // tfjs variable names are global
    this.anchors = anchorsPerCell(meta.anchors);
    this.variables = new Map(
      [...rpnShapes(meta, channels)].map(([name, shape]) => {
        return [name, ownedVariable(weights.get(name)!.data, shape, `${prefix}/${name}`)];
      }),
    );
  }

  /** Map [1, h, w, C] -> log-odds of an object [h w A] and deltas [h w A, 4] (ty, tx, th, tw), in the order of `anchorGrid`. */
  run(map: tf.Tensor4D): { logOdds: tf.Tensor1D; deltas: tf.Tensor2D } {
    const [n, height, width] = map.shape;
    if (n !== 1) throw new Error(`RpnHead.run: a map of one image expected, got ${n}`);
    const count = height * width * this.anchors;
    const shared = this.convolve(map, 'rpn/conv').relu<tf.Tensor4D>();
    const scores = this.convolve(shared, 'rpn/objectness'); // [1, h, w, 2 A]
    const half = [1, height, width, this.anchors];
    const background = scores.slice([0, 0, 0, 0], half);
    const object = scores.slice([0, 0, 0, this.anchors], half);
    return {
      logOdds: object.sub(background).reshape<tf.Tensor1D>([count]),
      deltas: this.convolve(shared, 'rpn/deltas').reshape<tf.Tensor2D>([count, 4]),
    };
  }

  /** The weights as they are now. */
  toArrays(): Promise<NamedArrays> {
    return readTensors(this.variables);
  }

  dispose(): void {
    tf.dispose([...this.variables.values()]);
  }

  private convolve(x: tf.Tensor4D, layer: string): tf.Tensor4D {
    const kernel = this.variables.get(`${layer}/kernel`) as tf.Variable<tf.Rank.R4>;
    return tf.conv2d(x, kernel, 1, 'same').add(this.variables.get(`${layer}/bias`) as tf.Variable<tf.Rank.R1>);
  }
}
