/**
 * @file A trunk with weights: runs its layers, stage by stage. The statistics of batch norms are constants, and
 * they are folded into the convolution when it runs, y = conv(x, W s) + (beta + (bias - mean) s) with
 * s = gamma / sqrt(variance + epsilon), as differentiable arithmetic, so W, gamma, beta and bias all get gradients. What
 * does not change between runs is computed once by the engine, so folding costs nothing while the weights stay.
 */
import * as tf from '@tensorflow/tfjs-core';
import { applyMatrix, gelu, layerNorm, ownedVariable } from '../backend/index.js';
import {
  type ConvLayer,
  imageInput,
  type Layer,
  type LayerActivation,
  type NormLayer,
  outputSizes,
  paddingOf,
  parametersOf,
  type Trunk,
  type WindowLayer,
} from './architecture.js';
import { type Block, recomputationBlocks } from './blocks.js';
import type { NamedArray, NamedArrays } from './safetensors.js';
import { attend, placeTokens } from './tokens.js';

interface NormStatistics {
  mean: NamedArray;
  variance: NamedArray;
  /** [C] -mean on the device. */
  minusMean: tf.Tensor1D;
  /** [C] 1 / sqrt(variance + epsilon) on the device. */
  inverseDeviation: tf.Tensor1D;
}

export class Backbone {
  /** Trainable tensors by our name. */
  readonly variables = new Map<string, tf.Variable>();
  private readonly stageOfVariable = new Map<string, string>();
  private readonly norms = new Map<string, NormStatistics>();

  /** `weights` must hold every parameter of the trunk in its shape; `variablePrefix` makes names unique among models. */
  constructor(
    readonly trunk: Trunk,
    weights: NamedArrays,
    { epsilon, variablePrefix }: { epsilon: number; variablePrefix: string },
  ) {
    for (const { name, kind, layer, stage, shape } of parametersOf(trunk.layers)) {
      const { data } = weights.get(name)!;
      if (kind === 'mean') continue; // with its variance, below
      if (kind === 'variance') {
        const mean = weights.get(`${layer}/mean`)!;
        this.norms.set(layer, {
          mean,
          variance: weights.get(name)!,
          minusMean: tf.keep(tf.tensor1d(mean.data.map((v) => -v))),
          inverseDeviation: tf.keep(tf.tensor1d(data.map((v) => 1 / Math.sqrt(v + epsilon)))),
        });
        continue;
      }
      this.variables.set(name, ownedVariable(data, shape, `${variablePrefix}/${name}`));
      this.stageOfVariable.set(name, stage);
    }
  }

  /** Variables of the stages from index `from` on. */
  variablesFrom(from: number): Map<string, tf.Variable> {
    const stages = new Set(this.trunk.stages.slice(from));
    return new Map([...this.variables].filter(([name]) => stages.has(this.stageOfVariable.get(name)!)));
  }

  /** Frozen statistics by name (`<layer>/mean`, `<layer>/variance`). */
  statistics(): NamedArrays {
    const arrays: NamedArrays = new Map();
    for (const [layer, { mean, variance }] of this.norms)
      arrays.set(`${layer}/mean`, mean).set(`${layer}/variance`, variance);
    return arrays;
  }

  /**
   * Runs the stages `from` (index, inclusive) to `to` (exclusive) on the output of stage `from - 1`, or on the
   * preprocessed image.
   */
  run(x: tf.Tensor4D, { from = 0, to = this.trunk.stages.length } = {}): tf.Tensor4D {
    if (from >= to) return x.clone();
    return this.runBlock(x, this.stagesAsBlock(from, to));
  }

  /** The stages from index `from` on in blocks for recomputation. */
  blocksFrom(from: number): Block[] {
    const { input, layers } = this.stagesAsBlock(from, this.trunk.stages.length);
    return recomputationBlocks(layers, { input, sizes: outputSizes(this.trunk) });
  }

  /** Variables of a block's layers. */
  variablesOf({ layers }: Block): Map<string, tf.Variable> {
    const names = new Set(parametersOf(layers).map(({ name }) => name));
    return new Map([...this.variables].filter(([name]) => names.has(name)));
  }

  private stagesAsBlock(from: number, to: number): Block {
    const { stages, layers } = this.trunk;
    const running = new Set(stages.slice(from, to));
    return {
      input: from === 0 ? imageInput : layers.findLast((layer) => layer.stage === stages[from - 1])!.name,
      layers: layers.filter((layer) => running.has(layer.stage)),
    };
  }

  /** Runs a block on its input. */
  runBlock(x: tf.Tensor4D, { input, layers }: Block): tf.Tensor4D {
    return tf.tidy(() => this.outputsOf(x, { input, layers }).get(layers.at(-1)?.name ?? input)!);
  }

  /** Outputs of several layers of the trunk, by name, from the preprocessed image. */
  maps(x: tf.Tensor4D, names: readonly string[]): tf.Tensor4D[] {
    return tf.tidy(() => {
      const outputs = this.outputsOf(x, { input: imageInput, layers: this.trunk.layers });
      return names.map((name) => outputs.get(name)!);
    });
  }

  private outputsOf(x: tf.Tensor4D, { input, layers }: Block): Map<string, tf.Tensor4D> {
    const outputs = new Map<string, tf.Tensor4D>([[input, x]]);
    for (const layer of layers) {
      const inputs = layer.inputs.map((name) => outputs.get(name)!);
      outputs.set(layer.name, this.apply(layer, inputs));
    }
    return outputs;
  }

  private apply(layer: Layer, inputs: tf.Tensor4D[]): tf.Tensor4D {
    const x = inputs[0];
    switch (layer.op) {
      case 'conv': {
        const { factor, shift } = this.coefficients(layer);
        let y = convolve(x, factor as tf.Tensor4D, layer);
        if (shift !== undefined) y = y.add(shift);
        return activated(y, layer.activation);
      }
      case 'norm': {
        const { factor, shift } = this.coefficients(layer);
        const y = x.mul<tf.Tensor4D>(factor).add<tf.Tensor4D>(shift!);
        return activated(y, layer.activation);
      }
      case 'responseNorm':
        return tf.localResponseNormalization(x, layer.radius, layer.bias, layer.alpha, layer.beta);
      case 'add':
        return activated(x.add<tf.Tensor4D>(inputs[1]), layer.activation);
      case 'concat':
        return tf.concat(inputs, 3);
      case 'mean':
        return x.mean([1, 2], true);
      case 'gate':
        return x.mul(inputs[1]);
      case 'dense': {
        const product = applyMatrix(x, this.variables.get(`${layer.name}/kernel`) as tf.Variable<tf.Rank.R2>);
        return activated(product.add<tf.Tensor4D>(this.variables.get(`${layer.name}/bias`)!), layer.activation);
      }
      case 'layerNorm': {
        const [gamma, beta] = ['gamma', 'beta'].map((kind) => this.variables.get(`${layer.name}/${kind}`)!);
        return layerNorm(x, gamma, beta, layer.epsilon);
      }
      case 'tokens': {
        const [classToken, position] = ['class', 'position'].map(
          (kind) => this.variables.get(`${layer.name}/${kind}`)!,
        );
        const registers = this.variables.get(`${layer.name}/registers`);
        const { grid } = layer;
        return placeTokens(x, { classToken, registers, position }, { grid, antialias: layer.registers > 0 });
      }
      case 'attention':
        return attend(x, layer);
      case 'patches':
        return x.slice([0, 1, 0, 0], [x.shape[0], x.shape[1] - 1, x.shape[2], x.shape[3]]);
      case 'classToken':
        return x.slice([0, 0, 0, 0], [x.shape[0], 1, 1, x.shape[3]]);
      case 'scale':
        return x.mul(this.variables.get(`${layer.name}/gamma`)!);
      case 'maxPool':
        return tf.maxPool(x, layer.size, layer.stride, explicitPadding(layer, x));
      default:
        return tf.avgPool(x, layer.size, layer.stride, explicitPadding(layer, x));
    }
  }

  /** What a layer multiplies by (a kernel, or the scale of a norm) and adds. */
  private coefficients(layer: ConvLayer | NormLayer): { factor: tf.Tensor; shift?: tf.Tensor | undefined } {
    const { name } = layer;
    const kernel = this.variables.get(`${name}/kernel`);
    const bias = this.variables.get(`${name}/bias`);
    if (layer.op === 'conv' && !layer.norm) return { factor: kernel!, shift: bias };
    const { minusMean, inverseDeviation } = this.norms.get(name)!;
    const scale = this.variables.get(`${name}/gamma`)!.mul(inverseDeviation); // [C]
    const offset = bias === undefined ? minusMean : bias.add(minusMean); // [C]
    const shift = this.variables.get(`${name}/beta`)!.add(offset.mul(scale));
    return { factor: kernel === undefined ? scale : kernel.mul(scale), shift }; // kernels end in their output channels
  }

  dispose(): void {
    tf.dispose([...this.variables.values()]);
    for (const { minusMean, inverseDeviation } of this.norms.values()) tf.dispose([minusMean, inverseDeviation]);
    this.variables.clear();
    this.norms.clear();
  }
}

function activated(x: tf.Tensor4D, activation: LayerActivation): tf.Tensor4D {
  switch (activation) {
    case 'none':
      return x;
    case 'relu':
      return x.relu();
    case 'relu6':
      return tf.relu6(x);
    case 'silu':
      return x.mul(x.sigmoid());
    case 'gelu':
      return gelu(x);
    default:
      return x.sigmoid();
  }
}

function convolve(x: tf.Tensor4D, kernel: tf.Tensor4D, layer: ConvLayer): tf.Tensor4D {
  const { groups = 1, inChannels, outChannels, size, stride } = layer;
  const pad = explicitPadding(layer, x);
  if (groups === 1) return tf.conv2d(x, kernel, stride, pad);
  if (groups === inChannels) {
    const filter = kernel.reshape<tf.Tensor4D>([size, size, inChannels, outChannels / inChannels]);
    return tf.depthwiseConv2d(x, filter, stride, pad);
  }
  const kernels = tf.split<tf.Tensor4D>(kernel, groups, 3);
  const maps = tf.split<tf.Tensor4D>(x, groups, 3).map((part, i) => tf.conv2d(part, kernels[i], stride, pad));
  return tf.concat(maps, 3);
}

/** A window's padding on this map as tfjs takes it. */
export function explicitPadding(
  layer: WindowLayer,
  x: tf.Tensor4D,
): 'valid' | [[0, 0], [number, number], [number, number], [0, 0]] {
  const rows = paddingOf(layer, x.shape[1]);
  const columns = paddingOf(layer, x.shape[2]);
  return [...rows, ...columns].every((cells) => cells === 0) ? 'valid' : [[0, 0], rows, columns, [0, 0]];
}
