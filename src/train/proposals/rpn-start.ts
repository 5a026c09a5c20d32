/** @file What a training of proposals starts from: a trunk, and the proposals it has or new ones. */
import { readModelFile } from '../../data/model-file.js';
import { InputError, namingFile } from '../../errors.js';
import { DescriptorModel } from '../../models/descriptor.js';
import type { RpnMeta } from '../../models/meta.js';
import { landmarkAnchors } from '../../rpn/anchors.js';
import { initialRpn, RpnHead } from '../../rpn/head.js';
import { RandomStream } from '../random.js';
import type { RpnConfig } from './rpn-config.js';

/** The caller disposes of trunk and head. */
export interface RpnStart {
  model: DescriptorModel;
  head: RpnHead;
  /** After the head was drawn from it. */
  random: RandomStream;
  /** `new`: the file had no proposals; `continued`: it had these; `replaced`: it had others, of other anchors or channels. */
  origin: 'new' | 'continued' | 'replaced';
}

/** A new run's model and head. */
export async function newRpn(init: string, config: RpnConfig): Promise<RpnStart> {
  const { meta, weights } = await readModelFile(init);
  const model = namingFile(init, () => DescriptorModel.create({ ...meta, imageSize: config.imageSize }, weights));
  const { base, scales } = landmarkAnchors(config.imageSize, config.anchorShares);
  const rpn: RpnMeta = {
    anchors: { base, scales: [...scales], ratios: config.anchorRatios, clip: config.border === 'clip' },
    channels: config.channels,
  };
  const random = new RandomStream(config.seed);
  const continued = JSON.stringify(meta.rpn) === JSON.stringify(rpn);
  const head = new RpnHead(rpn, model.channels, continued ? model.rpnWeights : initialRpn(rpn, model.channels, random));
  return { model, head, random, origin: continued ? 'continued' : meta.rpn === undefined ? 'new' : 'replaced' };
}

/** Model and head of a run's checkpoint. */
export async function storedRpn(file: string): Promise<Pick<RpnStart, 'model' | 'head'>> {
  const stored = await readModelFile(file);
  const { rpn } = stored.meta;
  if (rpn === undefined) throw new InputError(`${file} has no proposals; it is not of a run of train rpn.`);
  const model = namingFile(file, () => DescriptorModel.create(stored.meta, stored.weights));
  return { model, head: new RpnHead(rpn, model.channels, model.rpnWeights) };
}
