import { expect, test } from 'vitest';
import * as tf from '@tensorflow/tfjs';
import { classesOf, labelsOf } from '../../../src/train/classify/classes.js';
import { ClassifierHead, headLayout, initialHead } from '../../../src/train/classify/classifier-head.js';
import { centreCrop, decodeCrop, stackImages } from '../../../src/train/classify/crops.js';
import { imprint } from '../../../src/train/classify/imprint.js';
import { RandomStream } from '../../../src/train/random.js';
import '../../support/engine.js';
import { smallModel } from '../../support/small-model.js';
import { stripedPhotographs, temporaryFolder } from '../tiny-run.js';

test('every class begins at its image, and one that cannot be read where it was drawn', async () => {
  const records = await stripedPhotographs(await temporaryFolder(), { photos: 1 });
  const classes = classesOf(records);
  const config = { head: 'cosine', dropout: 0, cropSize: 32, validationSide: 32, cosineScale: 10 } as const;
  const model = smallModel();
  const layout = headLayout(model.meta, classes, config);
  const head = new ClassifierHead(layout, initialHead(layout, new RandomStream(1)));
  const scoresOf = async (i: number) => {
    const image = await decodeCrop(centreCrop(records[i], config), config.cropSize);
    const scores = tf.tidy(() => head.scores(model.mapFromPrefix(model.prefix(stackImages([image]), 'none'), 'none')));
    return [...(await scores.data<'float32'>())];
  };
  const before = (await scoresOf(0))[1];
  const lost = records.map((record, i) => (i === 1 ? { ...record, path: `${record.path}.none` } : record));
  await imprint({ model, head }, { records: lost, labels: labelsOf(records, classes, 'The manifest') }, config);
  expect((await scoresOf(0))[0]).toBeCloseTo(10, 4); // a cosine of 1, times the scale
  expect((await scoresOf(2))[2]).toBeCloseTo(10, 4);
  expect((await scoresOf(0))[1]).toBeCloseTo(before, 4);
  model.dispose();
  head.dispose();
});
