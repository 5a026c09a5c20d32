/** @file What an update of triplets is made of in the benchmarks: ResNet-50 with R-MAC, all of it trained, on noise that needs no decoding. */
import type { RgbImage } from '../../src/data/rgb-image.js';
import { defaultMeta, initialWeights } from '../../src/models/architectures.js';
import { DescriptorModel } from '../../src/models/descriptor.js';
import { GradientAccumulator } from '../../src/train/gradients.js';
import { ImageInputs, type LoadedInput } from '../../src/train/image-inputs.js';
import { Optimizer } from '../../src/train/optimizer.js';
import { DirectSource } from '../../src/train/ranking/direct-source.js';
import { noise } from './process.js';

/**
 * On the engine that was started. A network at its beginning, whose averages of batch norm are none, doubles its activations in every
 * block: gradients become denormal, which some processors compute far slower, and those of trained networks are
 * not. With branches of a fifth they are not either; the peers have the same.
 */
export function rankingParts(height: number, width: number) {
  const weights = initialWeights('resnet50-tv', 1);
  for (const [name, { data }] of weights) if (/block\d+\/conv3\/gamma$/.test(name)) data.fill(0.2);
  const model = DescriptorModel.create(defaultMeta('resnet50-tv'), weights);
  const variables = model.trainable('none');
  const optimizer = new Optimizer(variables, {
    momentum: 0.9,
    weightDecay: 5e-5,
    weightDecayOn: 'all',
    clipGradientNorm: 0,
  });
  const inputs = new ImageInputs(model, { freeze: 'none', imageSize: Math.max(height, width), cacheBytes: 0 });
  // A few pictures that take turns.
  const pictures = Array.from({ length: 8 }, (_, i): RgbImage => {
    const next = noise(i + 1);
    return { data: Uint8Array.from({ length: height * width * 3 }, () => 256 * next()), width, height };
  });
  const source = new DirectSource({
    async *load(items: readonly number[]): AsyncGenerator<LoadedInput<number>> {
      for (const item of items) yield { item, input: { kind: 'pixels', image: pictures[item % pictures.length] } };
    },
    describe: inputs.describe.bind(inputs),
    inBlocks: inputs.inBlocks.bind(inputs),
    examples: inputs,
  });
  return { variables, accumulator: new GradientAccumulator(), optimizer, source };
}
