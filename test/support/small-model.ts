/** @file A model small enough for numeric gradients: the project's own trunk with seeded weights that are all alive. */
import { defaultMeta, initialWeights } from '../../src/models/architectures.js';
import { DescriptorModel } from '../../src/models/descriptor.js';
import type { ModelMeta, PoolingOptions } from '../../src/models/meta.js';
import type { NamedArrays } from '../../src/models/safetensors.js';

export interface SmallModelOptions {
  cut?: string;
  pooling?: Partial<PoolingOptions>;
  /** Adds a whitening to this dimension. */
  whiteningDimension?: number;
}

/** Seeded weights of rmac-small with norms that do something: no gamma is 0, no beta, mean or variance is neutral. */
export function smallModelParts({ cut = 'out', pooling, whiteningDimension }: SmallModelOptions = {}): {
  meta: ModelMeta;
  weights: NamedArrays;
} {
  const meta = defaultMeta('rmac-small', { cut, ...(pooling && { pooling }) });
  const weights = initialWeights('rmac-small', 1, cut);
  const wave = (length: number, scale: number, offset = 0) =>
    Float32Array.from({ length }, (_, i) => offset + scale * Math.sin(1 + 2.3 * i));
  for (const [name, { shape, data }] of weights) {
    const centre = name.endsWith('/gamma') || name.endsWith('/variance') ? 1 : 0;
    if (!name.endsWith('/kernel')) weights.set(name, { shape, data: wave(data.length, 0.3, centre) });
  }
  if (whiteningDimension !== undefined) {
    meta.whitening = { dimension: whiteningDimension };
    const channels = weights.get(`${[...weights.keys()].at(-1)!.replace(/\/\w+$/, '')}/gamma`)!.data.length;
    weights.set('whitening/shift', { shape: [channels], data: wave(channels, 0.1) });
    weights.set('whitening/kernel', {
      shape: [channels, whiteningDimension],
      data: wave(channels * whiteningDimension, 1),
    });
  }
  return { meta, weights };
}

export function smallModel(options: SmallModelOptions = {}): DescriptorModel {
  const { meta, weights } = smallModelParts(options);
  return DescriptorModel.create(meta, weights);
}
