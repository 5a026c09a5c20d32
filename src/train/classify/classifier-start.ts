/** @file What a classification starts from: a trunk without the whitening it had, and a head. */
import { readModelFile } from '../../data/model-file.js';
import { namingFile } from '../../errors.js';
import { DescriptorModel } from '../../models/descriptor.js';
import { withoutWhitening } from '../../models/whitening.js';
import { RandomStream } from '../random.js';
import { assertFinalDimension } from '../finish-config.js';
import { readClassifier } from './classifier-file.js';
import { ClassifierHead, headLayout, initialHead } from './classifier-head.js';
import type { ClassifyConfig } from './classify-config.js';

/** The caller disposes of trunk and head. */
export interface ClassifierStart {
  model: DescriptorModel;
  head: ClassifierHead;
  /** After the head was drawn from it. */
  random: RandomStream;
  /** The model had a whitening, which was left out: it was learned on the features of before. */
  hadWhitening: boolean;
}

/** Model and head from files; `classifier`: a head, or a published network's fc6 and fc7, to continue from. Without it a new head. */
export async function newClassifier(
  file: string,
  {
    classes,
    config,
    classifier,
  }: { classes: readonly string[]; config: ClassifyConfig; classifier?: string | undefined },
): Promise<ClassifierStart> {
  const stored = await readModelFile(file);
  const hadWhitening = stored.meta.whitening !== undefined;
  const trunk = hadWhitening ? withoutWhitening(stored.meta, stored.weights) : stored;
  const model = namingFile(file, () => DescriptorModel.create(trunk.meta, trunk.weights));
  try {
    model.trainableTrunk(config.freeze); // throws on an unknown stage
    assertFinalDimension(config, { channels: model.channels, file });
    const layout = headLayout(model.meta, classes, config);
    const random = new RandomStream(config.seed);
    const known = classifier && (await readClassifier(classifier, layout, model.meta.architecture));
    const weights = initialHead(layout, random, known || undefined);
    return { model, head: new ClassifierHead(layout, weights, classifier), random, hadWhitening };
  } catch (error) {
    model.dispose();
    throw error;
  }
}
