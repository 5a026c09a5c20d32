/** @file The weighted mean of several models' weights: "soups" (Wortsman et al. 2022a) and the share of a start (WiSE-FT, 2022b). */
import { InputError } from '../errors.js';
import type { ModelMeta } from './meta.js';
import type { NamedArray, NamedArrays } from './safetensors.js';
import { listed } from './weight-checks.js';

/** One of the models and its part of the mean. */
export interface WeightedModel {
  /** For errors. */
  name: string;
  meta: ModelMeta;
  weights: NamedArrays;
  /** All of them sum to 1. */
  share: number;
}

/**
 * The mean, under the first model's meta. Tensors that not all have (a whitening, say) are left out, and the meta forgets them.
 * Sums are float64. @throws InputError where networks, preprocessing or pooling differ.
 */
export function averageWeights(models: readonly WeightedModel[]): {
  meta: ModelMeta;
  weights: NamedArrays;
  leftOut: readonly string[];
} {
  const [first, ...others] = models;
  for (const other of others) assertAlike(first, other);
  const names = new Set(models.flatMap(({ weights }) => [...weights.keys()]));
  const alike = (name: string) => {
    const shape = first.weights.get(name)?.shape.join();
    return shape !== undefined && others.every(({ weights }) => weights.get(name)?.shape.join() === shape);
  };
  const leftOut = [...names].filter((name) => !alike(name)).sort();
  const outside = leftOut.filter((name) => !optionalPart.test(name));
  if (outside.length > 0) {
    throw new InputError(`Only some of the models have these tensors, or have them in one shape: ${listed(outside)}.`);
  }
  const weights: NamedArrays = new Map();
  for (const [name, { shape }] of first.weights) {
    if (alike(name)) weights.set(name, { shape, data: meanOf(models, name) });
  }
  return { meta: metaOf(first.meta, weights), weights, leftOut };
}

/** Parts that a model may have or not. */
const optionalPart = /^(whitening|projection|rpn)\//;

function meanOf(models: readonly WeightedModel[], name: string): Float32Array {
  const arrays = models.map(({ weights, share }) => ({ ...(weights.get(name) as NamedArray), share }));
  return Float32Array.from(arrays[0].data, (_, i) => arrays.reduce((sum, { data, share }) => sum + share * data[i], 0));
}

function metaOf(meta: ModelMeta, weights: NamedArrays): ModelMeta {
  const { whitening, projection, rpn, regions, ...rest } = meta;
  const has = (part: string) => [...weights.keys()].some((name) => name.startsWith(`${part}/`));
  return {
    ...rest,
    ...(projection && has('projection') && { projection }),
    ...(whitening && has('whitening') && { whitening }),
    ...(rpn && has('rpn') && { rpn, ...(regions && { regions }) }),
  };
}

function assertAlike(a: WeightedModel, b: WeightedModel): void {
  for (const key of ['architecture', 'cut', 'preprocessing', 'normEpsilon', 'pooling'] as const) {
    // A trained exponent of GeM is a weight, averaged as one.
    const [one, other] = [a, b].map(({ meta }) =>
      JSON.stringify(key === 'pooling' ? { ...meta.pooling, p: 0 } : meta[key]),
    );
    if (one !== other) throw new InputError(`${a.name} and ${b.name} differ in ${key}: ${one} and ${other}.`);
  }
}
