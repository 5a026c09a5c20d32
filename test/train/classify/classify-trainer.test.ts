import { rm, writeFile } from 'node:fs/promises';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ImageRecord } from '../../../src/data/manifest.js';
import { InputError } from '../../../src/errors.js';
import type { DescriptorModel } from '../../../src/models/descriptor.js';
import type { NamedArrays } from '../../../src/models/safetensors.js';
import { classesOf, labelsOf } from '../../../src/train/classify/classes.js';
import { ClassifierHead, headLayout, initialHead } from '../../../src/train/classify/classifier-head.js';
import { type ClassifyConfig, classifyConfigSchema } from '../../../src/train/classify/classify-config.js';
import { type ClassifyOptions, ClassifyTrainer } from '../../../src/train/classify/classify-trainer.js';
import { type LoopOptions, runLoop } from '../../../src/train/loop.js';
import { encodeState, parseRunState, type RunState } from '../../../src/run/checkpoint.js';
import type { RunRecord } from '../../../src/run/run-records.js';
import { measureClasses } from '../../../src/train/classify/measure-classes.js';
import { RandomStream } from '../../../src/train/random.js';
import { withViews } from '../../../src/train/views/training-record.js';
import { openViews } from '../../../src/train/views/view-generator.js';
import { viewSettingsSchema } from '../../../src/train/views/view-settings.js';
import '../../support/engine.js';
import { smallModel } from '../../support/small-model.js';
import { stripedPhotographs, temporaryFolder } from '../tiny-run.js';

let records: ImageRecord[];
beforeAll(async () => {
  records = await stripedPhotographs(await temporaryFolder());
});

const config = (changes: Partial<ClassifyConfig> = {}): ClassifyConfig =>
  classifyConfigSchema.parse({
    steps: 4,
    batchSize: 4,
    imagesPerPass: 2,
    cropSize: 32,
    shortestSideMin: 32,
    shortestSideMax: 40,
    validationSide: 32,
    colour: 0.1,
    dropout: 0.2,
    checkpointEvery: 1,
    ...changes,
  });

interface Saved {
  text: string;
  state: RunState;
  momentum: NamedArrays;
  weights: NamedArrays;
}

function start(settings: ClassifyConfig): { model: DescriptorModel; head: ClassifierHead } {
  const model = smallModel();
  const layout = headLayout(model.meta, classesOf(records), settings);
  return { model, head: new ClassifierHead(layout, initialHead(layout, new RandomStream(1))) };
}

async function fit(
  settings: ClassifyConfig,
  { signal, ...options }: Partial<ClassifyOptions> & Pick<LoopOptions, 'signal'> = {},
  from?: Saved,
) {
  const { model, head } = start(settings);
  for (const [name, variable] of [...model.variables, ...head.variables]) {
    const stored = from?.weights.get(name);
    if (stored !== undefined) variable.assign(tf.tensor(stored.data, stored.shape));
  }
  const weightsNow = async () => new Map([...(await model.toArrays()), ...(await head.toArrays())]);
  const saved: Saved[] = [];
  const log: RunRecord[] = [];
  const views = await openViews(settings.views, records);
  const images = withViews(records, settings.views);
  const trainer = new ClassifyTrainer({ model, head, records: images, views, config: settings, ...options });
  const resume = from && {
    state: parseRunState(from.text, 'state.json', (own) => trainer.restore(own)),
    momentum: from.momentum,
  };
  const save = async (state: RunState, momentum: () => Promise<NamedArrays>) => {
    const text = encodeState(state, {});
    saved.push({ text, state, momentum: await momentum(), weights: await weightsNow() });
  };
  for await (const record of runLoop(trainer, { config: settings, resume, signal, store: { save } })) log.push(record);
  const updates = log.filter((record) => record.event === 'update');
  return { log, updates, saved, weights: await weightsNow(), model, head };
}

function differing(a: NamedArrays, b: NamedArrays): string[] {
  const bytes = (arrays: NamedArrays, name: string) => {
    const { data } = arrays.get(name)!;
    return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  };
  return [...a.keys()].filter((name) => !bytes(a, name).equals(bytes(b, name)));
}

describe('ClassifyTrainer', () => {
  test.each([
    ['natural sampling', {}],
    ['balanced sampling, frozen stages', { sampling: 'balanced', freeze: 'stage1' }],
    ['adam, exponential schedule', { optimizer: 'adam', learningRate: 1e-3, learningRateDecay: 'exponential' }],
    ['generated photographs, classes by cosines', { views: viewSettingsSchema.parse({ perImage: 2 }), head: 'cosine' }],
    ['a batch of more than an epoch', { batchSize: 11, imagesPerPass: 4 }],
  ] satisfies [string, Partial<ClassifyConfig>][])(
    'resumed from every state on the way, four updates are the same bits (%s)',
    async (_, changes) => {
      const settings = config(changes);
      const whole = await fit(settings);
      expect(whole.saved.map(({ state }) => state.step)).toEqual([0, 1, 2, 3, 4]);
      for (const from of whole.saved) {
        const resumed = await fit(settings, {}, from);
        expect(resumed.updates.map(({ step, loss, top1 }) => [step, loss, top1])).toEqual(
          whole.updates.slice(from.state.step).map(({ step, loss, top1 }) => [step, loss, top1]),
        );
        expect(differing(whole.weights, resumed.weights)).toEqual([]);
      }
    },
  );

  test('learns nine photographs by heart, with the number of tensors constant', async () => {
    const settings = config({
      steps: 40,
      batchSize: 9,
      imagesPerPass: 9,
      shortestSideMax: 32,
      dropout: 0,
      flip: false,
      colour: 0,
      learningRate: 0.1,
      learningRateDecay: 'constant',
      clipGradientNorm: 1,
    });
    const { updates, model, head } = await fit(settings);
    expect(updates[0].loss).toBeGreaterThan(0.9);
    expect(updates.at(-1)!.loss).toBeLessThan(0.1);
    expect(new Set(updates.map(({ numTensors }) => numTensors)).size).toBe(1);
    const labels = labelsOf(records, classesOf(records), 'the set');
    const measured = await measureClasses({ model, head }, { records, labels }, { config: settings });
    expect(measured).toMatchObject({ top1: 1, top5: 1, valUnreadable: 0 });
    expect(measured!.valLoss).toBeLessThan(0.3);
  });

  test('an interruption inside an update drops it', async () => {
    const abort = new AbortController();
    const measure = async () => {
      abort.abort();
      return { value: 0.5, figures: {} };
    };
    const { log, saved } = await fit(config(), { signal: abort.signal, measure });
    expect(log.map(({ event }) => event)).toEqual(['measure', 'stop']);
    expect(log.at(-1)).toMatchObject({ step: 0, reason: 'interrupted' });
    expect(saved.map(({ state }) => state.best)).toEqual([{ step: 0, top1: 0.5 }]);
  });

  test('an unreadable image is replaced and counted; if all are, the error names one', async () => {
    const folder = await temporaryFolder();
    const some = await stripedPhotographs(folder);
    await writeFile(some[4].path, 'not an image');
    const { updates } = await fit(config({ batchSize: 9 }), { records: some });
    expect(updates).toHaveLength(4);
    expect(updates.at(-1)!.unreadable).toBe(1);
    await rm(folder, { recursive: true });
    await expect(fit(config(), { records: some })).rejects.toThrow(
      /No image of the manifest can be read: .*l\d-p\d\.png/,
    );
  });

  test('weights that explode stop the run, naming update and images', async () => {
    const run = fit(config({ learningRate: 1e30, weightDecay: 0 }));
    await expect(run).rejects.toThrow(InputError);
    await expect(run).rejects.toThrow(/Update [12]: .*l\d\/p\d.*learningRate/s);
  });

  test('a foreign manifest cannot continue a run, nor can a classifier know foreign classes', async () => {
    const { saved } = await fit(config({ steps: 1 }));
    await expect(fit(config(), { records: records.slice(1) }, saved[1])).rejects.toThrow(/its own manifest/);
    const strange = records.map((record, i) => (i === 0 ? { ...record, landmark: 'elsewhere' } : record));
    await expect(fit(config(), { records: strange })).rejects.toThrow(/elsewhere/);
    expect(() => classesOf(records.slice(0, 3))).toThrow(/two landmarks or more; .*"l0" \(3 images\)/);
  });
});
