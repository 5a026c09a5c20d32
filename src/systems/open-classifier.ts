/** @file The fully connected layer behind global average pooling, from a weight file of any format: for class activation masks. */
import { openWeights } from '../data/open-weights.js';
import { InputError } from '../errors.js';
import type { NamedArrays } from '../models/safetensors.js';
import { isClassifierHead, plainName } from '../models/weight-names.js';
import { fittingPrefixes, withoutPrefix } from '../models/weight-prefix.js';
import type { Classifier } from './class-activation.js';

/** Reads the classifier of `channels` inputs from published weights or from the classifier file of `rmac train classify`. */
export async function openClassifier(file: string, channels: number): Promise<Classifier> {
  const { tensors } = await openWeights(file);
  const heads: NamedArrays = new Map();
  const [{ prefix } = { prefix: '' }] = fittingPrefixes(tensors.keys(), isClassifierHead);
  for (const [name, array] of withoutPrefix(tensors, prefix)) {
    if (isClassifierHead(name) || name.startsWith('classifier/classes/')) heads.set(plainName(name), array);
  }
  for (const [name, { shape, data }] of heads) {
    const [, layer, kind] = /^(.*[/.])(kernel|weight)$/.exec(name) ?? [];
    const bias = heads.get(`${layer}bias`)?.data;
    if (bias === undefined) continue;
    const classes = bias.length;
    const sides = shape.filter((side) => side !== 1).join();
    if (kind === 'kernel' && sides === `${channels},${classes}`) return { channels, classes, kernel: data, bias };
    if (kind === 'weight' && sides === `${classes},${channels}`) {
      const kernel = data.map((_, i) => data[(i % classes) * channels + Math.floor(i / classes)]);
      return { channels, classes, kernel, bias };
    }
  }
  const found = [...heads].map(([name, { shape }]) => `${name} [${shape.join(', ')}]`);
  throw new InputError(
    `${file}: no fully connected layer from ${channels} channels to classes, which a class activation mask needs` +
      `${found.length > 0 ? ` (found ${found.join(', ')})` : ''}.`,
  );
}
