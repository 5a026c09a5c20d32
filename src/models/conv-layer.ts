/** @file A convolution as a line of an architecture. */
import type { ConvLayer, LayerActivation, Padding } from './architecture.js';

export interface ConvOptions {
  stage: string;
  /** Cells along both axes of the kernel. */
  size: number;
  stride?: number;
  /** Default: a map of stride 1 keeps its size. */
  pad?: Padding;
  /** Channels of the input and of the output. */
  from: number;
  to: number;
  groups?: number;
  bias?: boolean;
  norm?: boolean;
  /** Default: ReLU behind a norm. */
  activation?: LayerActivation;
}

/** By default with batch norm and ReLU, without bias. `input`: the layer before, or `image`. */
export function convLayer(name: string, input: string, options: ConvOptions): ConvLayer {
  const { stage, size, stride = 1, pad = (size - 1) / 2, from, to } = options;
  const { groups = 1, bias = false, norm = true, activation = norm ? 'relu' : 'none' } = options;
  return {
    op: 'conv',
    name,
    inputs: [input],
    stage,
    size,
    stride,
    pad,
    inChannels: from,
    outChannels: to,
    groups,
    bias,
    norm,
    activation,
  };
}
