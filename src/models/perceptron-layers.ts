/** @file The half of a block that transformers and ConvNeXt share: layer norm, two dense layers around GELU, and a sum. */
import type { Layer } from './architecture.js';

export interface PerceptronOptions {
  stage: string;
  channels: number;
  /** A gamma for each channel before the sum. */
  scaled: boolean;
  /** What is added. */
  addTo: string;
  /** Of the layer norm. */
  epsilon: number;
  /** Name of the sum. */
  sum: string;
  /** Behind the names of the parts `norm` and `scale`, where a block has others. */
  number?: string;
}

/** `<name>/norm`, `<name>/dense1` (four times as wide), `<name>/dense2`, `<name>/scale` and the sum. */
export function perceptronLayers(
  name: string,
  input: string,
  { stage, channels, scaled, addTo, epsilon, sum, number = '' }: PerceptronOptions,
): Layer[] {
  const [norm, inner, outer, scale] = [`norm${number}`, 'dense1', 'dense2', `scale${number}`].map(
    (p) => `${name}/${p}`,
  );
  const wide = 4 * channels;
  return [
    { op: 'layerNorm', name: norm, inputs: [input], stage, channels, epsilon },
    { op: 'dense', name: inner, inputs: [norm], stage, inChannels: channels, outChannels: wide, activation: 'gelu' },
    { op: 'dense', name: outer, inputs: [inner], stage, inChannels: wide, outChannels: channels, activation: 'none' },
    ...(scaled ? [{ op: 'scale' as const, name: scale, inputs: [outer], stage, channels }] : []),
    { op: 'add', name: sum, inputs: [scaled ? scale : outer, addTo], stage, activation: 'none' },
  ];
}
