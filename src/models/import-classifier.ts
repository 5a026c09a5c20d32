/**
 * @file The fully connected layers fc6 and fc7 of published VGG and AlexNet weights, which a descriptor model has no place for:
 * classification starts from them (src/train/classify/classifier-head.ts). The class layer behind them is of other classes.
 */
import { InputError } from '../errors.js';
import { cutTrunk } from './architecture.js';
import { architectureNamed } from './architectures.js';
import type { NamedArray, NamedArrays } from './safetensors.js';
import { listed } from './weight-checks.js';
import { plainName, type WeightLayout } from './weight-names.js';
import { withoutPrefix } from './weight-prefix.js';

type Layers = Readonly<Record<'fc6' | 'fc7', string>>;

const caffe: Layers = { fc6: 'fc6', fc7: 'fc7' };
const vgg: Partial<Record<WeightLayout, Layers>> = {
  keras: { fc6: 'fc1', fc7: 'fc2' },
  torchvision: { fc6: 'classifier.0', fc7: 'classifier.3' },
  caffe,
};
const namings: Readonly<Record<string, Partial<Record<WeightLayout, Layers>>>> = {
  vgg16: vgg,
  vgg19: vgg,
  alexnet: { caffe },
  'alexnet-tv': { torchvision: { fc6: 'classifier.1', fc7: 'classifier.4' } },
};

/**
 * `classifier/fc6/kernel` [h w C, W6], `classifier/fc7/kernel` [W6, W7] and their biases; rows of fc6 by row, column, channel of
 * the last pooling's map. Throws `InputError` where the network has no such layers or the file lacks them.
 */
export function importClassifier(
  tensors: NamedArrays,
  source: string,
  { architecture, layout, prefix = '' }: { architecture: string; layout: WeightLayout; prefix?: string },
): NamedArrays {
  const layers = namings[architecture]?.[layout];
  if (layers === undefined) {
    throw new InputError(
      `${source}: no fully connected layers are known of ${architecture} with ${layout} names; known: ${Object.keys(namings).join(', ')}.`,
    );
  }
  const byName = withoutPrefix(new Map([...tensors].map(([name, array]) => [plainName(name), array])), prefix);
  const names = (layer: string): [kernel: string, bias: string] =>
    layout === 'keras' ? [`${layer}/kernel`, `${layer}/bias`] : [`${layer}.weight`, `${layer}.bias`];
  const missing = Object.values(layers)
    .flatMap(names)
    .filter((name) => !byName.has(name));
  if (missing.length > 0) {
    throw new InputError(`${source} lacks the fully connected layers of ${architecture}: ${listed(missing)}.`);
  }
  const { channels } = cutTrunk(architectureNamed(architecture));
  const weights: NamedArrays = new Map();
  for (const [ours, theirs] of Object.entries(layers)) {
    const [kernel, bias] = names(theirs).map((name) => byName.get(name) as NamedArray);
    // In Caffe's and torch's rows a map is flattened channel by channel, in Keras' as in ours.
    const dense = layout === 'keras' ? kernel : inputsFirst(kernel, bias.data.length, ours === 'fc6' ? channels : 1);
    const [inputs, outputs] = dense.shape;
    const fits =
      dense.shape.length === 2 && outputs === bias.data.length && (ours !== 'fc6' || inputs % channels === 0);
    if (!fits) {
      throw new InputError(
        `${source}: ${names(theirs).join(' and ')} of shapes [${kernel.shape.join(', ')}] and [${bias.shape.join(', ')}] do not make a fully connected layer.`,
      );
    }
    if (![kernel, bias].every(({ data }) => data.every((value) => Number.isFinite(value)))) {
      throw new InputError(`${source}: ${theirs} holds NaN or infinite values.`);
    }
    weights.set(`classifier/${ours}/kernel`, dense);
    weights.set(`classifier/${ours}/bias`, { shape: [outputs], data: bias.data });
  }
  return weights;
}

/** [outputs, channels, cells] flattened anyhow -> [cells channels, outputs]. */
function inputsFirst({ data }: NamedArray, outputs: number, channels: number): NamedArray {
  const inputs = data.length / outputs;
  const cells = inputs / channels;
  if (!Number.isInteger(cells)) return { shape: [], data };
  const out = new Float32Array(data.length);
  for (let o = 0; o < outputs; o++) {
    for (let c = 0; c < channels; c++) {
      for (let i = 0; i < cells; i++) out[(i * channels + c) * outputs + o] = data[(o * channels + c) * cells + i];
    }
  }
  return { shape: [inputs, outputs], data: out };
}
