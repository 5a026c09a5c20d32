/**
 * @file A trunk as data: a list of named layers in execution order. One list serves the forward pass, the parameter
 * shapes, the map size, the cut at a named layer and the freezing by stage, so they cannot disagree.
 */
import { InputError } from '../errors.js';
import type { Preprocessing } from './meta.js';
import { append, smallest } from '../extremes.js';

/**
 * `'same'` is TensorFlow's rule (the larger half behind); `'ceil'` pads behind until the windows reach the last cell (Caffe's
 * pooling); a number pads every side by that many cells; a pair pads before and behind.
 */
export type Padding = 'same' | 'ceil' | number | readonly [number, number];

/** What a layer ends in. `relu6`: min(max(x, 0), 6); `silu`: x sigmoid(x); `gelu`: exact. */
export type LayerActivation = 'none' | 'relu' | 'relu6' | 'silu' | 'gelu' | 'sigmoid';

interface LayerBase {
  /** Unique; parameters are called `<name>/kernel`, `<name>/gamma` and so on. */
  name: string;
  /** Names of earlier layers, or `image`. */
  inputs: readonly string[];
  stage: string;
}

export interface WindowLayer extends LayerBase {
  op: 'conv' | 'maxPool' | 'avgPool';
  size: number;
  stride: number;
  pad: Padding;
}

/** Convolution; a batch norm behind it is part of it, folded when it runs. */
export interface ConvLayer extends WindowLayer {
  op: 'conv';
  inChannels: number;
  outChannels: number;
  /** Input and output channels fall into as many equal groups, convolved apart. Default 1. */
  groups?: number;
  bias: boolean;
  norm: boolean;
  activation: LayerActivation;
}

export interface PoolLayer extends WindowLayer {
  op: 'maxPool' | 'avgPool';
}

/** A batch norm of constant statistics on its own: x * scale + shift, then the activation. Weight and shift train. */
export interface NormLayer extends LayerBase {
  op: 'norm';
  channels: number;
  activation: LayerActivation;
}

/** x / (bias + alpha * sum of squares over 2 * radius + 1 channels)^beta. */
export interface ResponseNormLayer extends LayerBase {
  op: 'responseNorm';
  radius: number;
  bias: number;
  alpha: number;
  beta: number;
}

/** Sum of two maps. */
export interface AddLayer extends LayerBase {
  op: 'add';
  activation: LayerActivation;
}

export interface ConcatLayer extends LayerBase {
  op: 'concat';
}

/** Mean of all cells: a map of one cell. */
export interface MeanLayer extends LayerBase {
  op: 'mean';
}

/** Product of a map and one of a single cell, channel by channel. */
export interface GateLayer extends LayerBase {
  op: 'gate';
}

/** x W + b in every cell. */
export interface DenseLayer extends LayerBase {
  op: 'dense';
  inChannels: number;
  outChannels: number;
  activation: LayerActivation;
}

/** Layer norm: the channels of each cell to mean 0 and variance 1, then gamma and beta. */
export interface LayerNormLayer extends LayerBase {
  op: 'layerNorm';
  channels: number;
  epsilon: number;
}

/** Each channel times its gamma (layer scale, Touvron et al. 2021). */
export interface ScaleLayer extends LayerBase {
  op: 'scale';
  channels: number;
}

/** Patches to tokens with their positions: a map with a row for the class token and the registers on top (tokens.ts). */
export interface TokensLayer extends LayerBase {
  op: 'tokens';
  channels: number;
  /** Patches along a side of the grid that positions are stored for. */
  grid: number;
  registers: number;
}

/** Queries, keys and values of tokens, side by side, to what each token takes from all. */
export interface AttentionLayer extends LayerBase {
  op: 'attention';
  channels: number;
  heads: number;
  /** Of the first row, the class token and the registers. */
  tokens: number;
}

/** The patches of a map of tokens, or its class token: a map of one cell. */
export interface TokenPartLayer extends LayerBase {
  op: 'patches' | 'classToken';
}

export type Layer =
  | ConvLayer
  | PoolLayer
  | NormLayer
  | ResponseNormLayer
  | AddLayer
  | ConcatLayer
  | MeanLayer
  | GateLayer
  | DenseLayer
  | LayerNormLayer
  | ScaleLayer
  | TokensLayer
  | AttentionLayer
  | TokenPartLayer;

export interface Architecture {
  name: string;
  layers: readonly Layer[];
  /** Last convolutional feature map. */
  defaultCut: string;
  /** Layer that is the class token, which pooling `cls` takes. */
  classToken?: string;
  normEpsilon: number;
  /** What the published weights expect. */
  preprocessing: Preprocessing;
  /** Names of layers in other frameworks -> our names, accepted wherever a cut is. */
  aliases: ReadonlyMap<string, string>;
}

/** Name that stands for the preprocessed image in `inputs`. */
export const imageInput = 'image';

/** RGB in [0, 1], ImageNet mean and standard deviation: torchvision, and Keras' DenseNet. */
export const torchPreprocessing: Preprocessing = {
  channels: 'rgb',
  scale: 1 / 255,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};

/** The same of images brought to size by bicubic interpolation: timm, DINOv2, and torchvision's EfficientNet. */
export const bicubicPreprocessing: Preprocessing = { ...torchPreprocessing, filter: 'cubic' };

/** BGR 0-255 minus the ImageNet mean, no scaling: Caffe, and Keras' ResNet50 and VGG. */
export const caffePreprocessing: Preprocessing = {
  channels: 'bgr',
  scale: 1,
  mean: [103.939, 116.779, 123.68],
  std: [1, 1, 1],
};

/** An architecture up to one layer, and only the layers that this one needs. */
export interface Trunk {
  architecture: string;
  cut: string;
  layers: readonly Layer[];
  stages: readonly string[];
  /** Channels of the map. */
  channels: number;
  /** Pixels of the image per cell of the map. */
  stride: number;
}

/** Cuts `architecture` behind `cut` (our name or an alias). Throws `InputError` for an unknown layer. */
export function cutTrunk(architecture: Architecture, cut: string = architecture.defaultCut): Trunk {
  const name = resolveLayer(architecture, cut);
  const end = architecture.layers.findIndex((layer) => layer.name === name);
  const needed = new Set([name]);
  const layers: Layer[] = [];
  for (const layer of architecture.layers.slice(0, end + 1).toReversed()) {
    if (!needed.has(layer.name)) continue;
    for (const input of layer.inputs) needed.add(input);
    layers.unshift(layer);
  }
  return {
    architecture: architecture.name,
    cut: name,
    layers,
    stages: [...new Set(layers.map((layer) => layer.stage))],
    channels: channelsOf(layers).get(name)!,
    stride: stridesByLayer(layers).get(name)!,
  };
}

/** Our name of a layer given as our name or an alias. */
export function resolveLayer({ name, layers, aliases }: Architecture, layer: string): string {
  const known = new Set(layers.map((l) => l.name));
  if (known.has(layer) && !tokenMaps(layers).has(layer)) return layer;
  const target = aliases.get(layer);
  if (target !== undefined) return target;
  const inside = tokenMaps(layers);
  const outputs = layers.filter((l) => isWhole(l) && !inside.has(l.name)).map((l) => l.name);
  throw new InputError(`${name} has no layer "${layer}". Layers to cut at: ${outputs.join(', ')}.`);
}

/** Layers whose first row is no part of the image. */
function tokenMaps(layers: readonly Layer[]): Set<string> {
  const found = new Set<string>();
  for (const { op, name, inputs } of layers) {
    const inside = op === 'tokens' || (op !== 'patches' && op !== 'classToken' && found.has(inputs[0]));
    if (inside) found.add(name);
  }
  return found;
}

/** Whether a layer's map is one that people cut at: no part of a block. */
export function isWhole({ op, name }: Layer): boolean {
  return (
    op !== 'norm' &&
    !/\/(conv\d?|shortcut|squeeze\d|excite|gated|norm\d?|dense\d|scale\d?|patches|qkv|attention|out|sum|tokens)$/.test(
      name,
    )
  );
}

function channelsOf(layers: readonly Layer[]): Map<string, number> {
  const channels = new Map([[imageInput, 3]]);
  for (const layer of layers) {
    const inputs = layer.inputs.map((input) => channels.get(input)!);
    if (layer.op === 'conv' || layer.op === 'dense') channels.set(layer.name, layer.outChannels);
    else if (layer.op === 'concat')
      channels.set(
        layer.name,
        inputs.reduce((a, b) => a + b),
      );
    else channels.set(layer.name, layer.op === 'attention' ? layer.channels : inputs[0]);
  }
  return channels;
}

function stridesByLayer(layers: readonly Layer[]): Map<string, number> {
  const strides = new Map([[imageInput, 1]]);
  for (const layer of layers)
    strides.set(layer.name, strides.get(layer.inputs[0])! * ('stride' in layer ? layer.stride : 1));
  return strides;
}

/** Numbers in every layer's output, and in the image, per pixel of a large image. */
export function outputSizes({ layers }: Pick<Trunk, 'layers'>): Map<string, number> {
  const strides = stridesByLayer(layers);
  return new Map([...channelsOf(layers)].map(([name, channels]) => [name, channels / strides.get(name)! ** 2]));
}

/** Cells of the map along one axis for `length` pixels; 0 or less when the image is too small. */
export function mapLength({ layers, cut }: Trunk, length: number): number {
  const lengths = new Map([[imageInput, length]]);
  for (const layer of layers) {
    const inputs = layer.inputs.map((name) => lengths.get(name)!);
    const input = layer.op === 'gate' ? inputs[0] : smallest(inputs);
    if ('size' in layer) lengths.set(layer.name, windowLength(input, layer));
    else if (layer.op === 'mean' || layer.op === 'classToken') lengths.set(layer.name, Math.min(input, 1));
    else if (layer.op === 'tokens')
      lengths.set(layer.name, input > layer.registers ? input : 0); // its first row holds them
    else lengths.set(layer.name, input);
  }
  return lengths.get(cut)!;
}

function windowLength(input: number, layer: WindowLayer): number {
  if (input <= 0) return 0;
  const [before, after] = paddingOf(layer, input);
  return Math.max(0, Math.floor((input + before + after - layer.size) / layer.stride) + 1);
}

/** Cells of padding before and behind an axis of `length` cells. */
export function paddingOf({ pad, size, stride }: WindowLayer, length: number): [number, number] {
  if (typeof pad === 'number') return [pad, pad];
  if (typeof pad === 'object') return [...pad];
  if (pad === 'ceil') return [0, Math.max(Math.ceil((length - size) / stride) * stride + size - length, 0)];
  const total = Math.max((Math.ceil(length / stride) - 1) * stride + size - length, 0);
  return [Math.floor(total / 2), Math.ceil(total / 2)];
}

/** Shortest image side, px, that gives a map of at least one cell. */
export function smallestSide(trunk: Trunk): number {
  let side = 1;
  while (mapLength(trunk, side) < 1) side++;
  return side;
}

/** Which tensor of a layer: what the name ends in. */
export type ParameterKind =
  | 'kernel'
  | 'bias'
  | 'gamma'
  | 'beta'
  | 'mean'
  | 'variance'
  | 'class'
  | 'registers'
  | 'position';

export interface Parameter {
  /** `<layer>/<kind>`. */
  name: string;
  layer: string;
  kind: ParameterKind;
  stage: string;
  /** Kernels are [height, width, in / groups, out], those of dense layers [in, out]. */
  shape: number[];
}

/** Every tensor the layers need. Mean and variance, the statistics of batch norms, are constants; the rest trains. */
export function parametersOf(layers: readonly Layer[]): Parameter[] {
  return layers.flatMap((layer) => {
    const kinds: [ParameterKind, number[]][] = [];
    const normOf = (channels: number): [ParameterKind, number[]][] =>
      (['gamma', 'beta', 'mean', 'variance'] as const).map((kind) => [kind, [channels]]);
    if (layer.op === 'conv') {
      kinds.push(['kernel', [layer.size, layer.size, layer.inChannels / (layer.groups ?? 1), layer.outChannels]]);
      if (layer.bias) kinds.push(['bias', [layer.outChannels]]);
      if (layer.norm) append(kinds, normOf(layer.outChannels));
    } else if (layer.op === 'norm') append(kinds, normOf(layer.channels));
    else if (layer.op === 'dense') {
      kinds.push(['kernel', [layer.inChannels, layer.outChannels]], ['bias', [layer.outChannels]]);
    } else if (layer.op === 'layerNorm') kinds.push(['gamma', [layer.channels]], ['beta', [layer.channels]]);
    else if (layer.op === 'scale') kinds.push(['gamma', [layer.channels]]);
    else if (layer.op === 'tokens') {
      kinds.push(['class', [layer.channels]], ['position', [1 + layer.grid ** 2, layer.channels]]);
      if (layer.registers > 0) kinds.push(['registers', [layer.registers, layer.channels]]);
    }
    return kinds.map(([kind, shape]) => ({
      name: `${layer.name}/${kind}`,
      layer: layer.name,
      kind,
      stage: layer.stage,
      shape,
    }));
  });
}
