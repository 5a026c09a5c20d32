import { rm, writeFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ImageRecord } from '../../../src/data/manifest.js';
import { InputError } from '../../../src/errors.js';
import type { DescriptorModel } from '../../../src/models/descriptor.js';
import type { NamedArrays } from '../../../src/models/safetensors.js';
import { encodeState, parseRunState, type RunState } from '../../../src/run/checkpoint.js';
import type { RunRecord } from '../../../src/run/run-records.js';
import { type RankingOptions, RankingTrainer } from '../../../src/train/ranking/ranking-trainer.js';
import { type LoopOptions, runLoop } from '../../../src/train/loop.js';
import { type TripletConfig, tripletConfigSchema } from '../../../src/train/ranking/triplet-config.js';
import { relativeDistance } from '../../support/close.js';
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

const config = (changes: Partial<TripletConfig> = {}): TripletConfig =>
  tripletConfigSchema.parse({
    steps: 4,
    tripletsPerStep: 3,
    imageSize: 48,
    poolSize: 9,
    remineEvery: 3,
    margin: 1,
    learningRate: 0.01,
    checkpointEvery: 2,
    ...changes,
  });

interface Saved {
  /** As it would be on disk. */
  text: string;
  state: RunState;
  momentum: NamedArrays;
  weights: NamedArrays;
}

type FitOptions = Partial<RankingOptions> &
  Pick<LoopOptions, 'signal'> & { from?: Saved; best?: () => Promise<void>; seen?: (record: RunRecord) => unknown };

/** Runs to the end; every saved state is kept as it would be on disk. */
async function fit(model: DescriptorModel, { signal, from, best, seen, ...options }: FitOptions = {}) {
  const log: RunRecord[] = [];
  const saved: Saved[] = [];
  const given = options.config ?? config();
  const images = options.records ?? records;
  const opened = await openViews(given.views, images);
  const all = withViews(images, given.views);
  const trainer = new RankingTrainer({ model, config: given, ...options, records: all, views: opened });
  const resume = from && {
    state: parseRunState(from.text, 'state.json', (own) => trainer.restore(own)),
    momentum: from.momentum,
  };
  const save = async (state: RunState, momentum: () => Promise<NamedArrays>) => {
    const text = encodeState(state, {});
    saved.push({ text, state: structuredClone(state), momentum: await momentum(), weights: await model.toArrays() });
  };
  for await (const record of runLoop(trainer, { config: given, resume, signal, store: { save, best } })) {
    log.push(record);
    await seen?.(record);
  }
  const updates = log.filter((record) => record.event === 'update');
  return { log, updates, saved, weights: await model.toArrays() };
}

/** Convolutions that a run takes forwards. */
async function convolutionsOf(settings: TripletConfig): Promise<number> {
  const { kernels } = await tf.profile(async () => {
    await fit(smallModel(), { config: settings });
    return [];
  });
  return kernels.filter(({ name }) => name.endsWith('Conv2D')).length;
}

function restored({ weights }: Saved, like: DescriptorModel): DescriptorModel {
  for (const [name, variable] of like.variables) {
    const { data, shape } = weights.get(name)!;
    variable.assign(tf.tensor(data, shape));
  }
  return like;
}

/** Names of the arrays that are not the same bits. */
function differing(a: NamedArrays, b: NamedArrays): string[] {
  const bytes = (arrays: NamedArrays, name: string) => {
    const { data } = arrays.get(name)!;
    return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  };
  return [...a.keys()].filter((name) => !bytes(a, name).equals(bytes(b, name)));
}

const views = viewSettingsSchema.parse({ perImage: 2 });
const settings: [string, Partial<TripletConfig>][] = [
  ['generated photographs, a pool of them', { views, freeze: 'stage1' }],
  [
    'generated photographs, new ones in every list',
    { views, loss: 'average-precision', listSize: 6, photographsPerLandmark: 3 },
  ],
  ['no frozen stage', {}],
  ['frozen stages, augmentation', { freeze: 'stage1', augmentation: { flip: true, colour: 0.1, crop: 0.2 } }],
  ['contrastive tuples, adam', { loss: 'contrastive', margin: 0.9, optimizer: 'adam', learningRate: 1e-3 }],
  ['lists by average precision', { loss: 'average-precision', listSize: 6, photographsPerLandmark: 3 }],
  ['sampling eccv', { sampling: 'eccv' }],
  ['sampling hardest, a new mining at the stop', { sampling: 'hardest', remineEvery: 2 }],
  ['sampling random, augmentation', { sampling: 'random', augmentation: { flip: true, colour: 0, crop: 0 } }],
  ['recomputed activations', { recomputeActivations: true, freeze: 'stem' }],
];

describe('RankingTrainer', () => {
  test.each(settings)(
    'stopped after two updates and resumed, four updates are the same bits (%s)',
    async (_, changes) => {
      const whole = await fit(smallModel({ whiteningDimension: 16 }), { config: config(changes) });
      const abort = new AbortController();
      const { saved } = await fit(smallModel({ whiteningDimension: 16 }), {
        config: config(changes),
        signal: abort.signal,
        seen: ({ event, step }) => event === 'update' && step === 2 && abort.abort(),
      });
      const stop = saved.at(-1)!;
      expect(stop.state.step).toBe(2);
      const resumed = await fit(restored(stop, smallModel({ whiteningDimension: 16 })), {
        config: config(changes),
        from: stop,
      });
      expect(resumed.updates.map(({ step, loss }) => [step, loss])).toEqual(
        whole.updates.slice(2).map(({ step, loss }) => [step, loss]),
      );
      expect(differing(whole.weights, resumed.weights)).toEqual([]);
    },
  );

  test('one photograph a landmark: no triplet without generated ones', async () => {
    const single = records.filter(({ id }) => id.endsWith('p0'));
    await expect(fit(smallModel(), { records: single })).rejects.toThrow('No landmark has two photographs (3 images)');
    const { updates } = await fit(smallModel(), { records: single, config: config({ views }) });
    expect(updates.map(({ active }) => active as number).every((active) => active > 0)).toBe(true);
  });

  test('recomputed activations: more convolutions, the same losses and weights up to rounding', async () => {
    const once = { steps: 1, sampling: 'random', tripletsPerStep: 1 } as const;
    const kept = await convolutionsOf(config(once));
    expect(await convolutionsOf(config({ ...once, recomputeActivations: true }))).toBeGreaterThan(1.5 * kept);
    const expected = await fit(smallModel({ whiteningDimension: 16 }));
    const actual = await fit(smallModel({ whiteningDimension: 16 }), {
      config: config({ recomputeActivations: true }),
    });
    for (const [i, { loss }] of actual.updates.entries()) expect(loss).toBeCloseTo(expected.updates[i].loss, 5);
    for (const [name, { data }] of actual.weights) {
      expect(relativeDistance(data, expected.weights.get(name)!.data), name).toBeLessThan(1e-4);
    }
  });

  test('an interruption inside an update drops it: the state is that after the last whole one', async () => {
    const abort = new AbortController();
    const model = smallModel();
    const before = await model.toArrays();
    const { saved, updates, log } = await fit(model, { signal: abort.signal, onMining: () => abort.abort() });
    expect(updates).toEqual([]);
    expect(log.at(-1)).toEqual({ event: 'stop', step: 0, reason: 'interrupted' });
    expect(saved.map(({ state }) => state.step)).toEqual([0]);
    expect(differing(before, saved[0].weights)).toEqual([]);
  });

  test('learns: the loss of the same nine triplets falls, with the number of tensors constant', async () => {
    // One triplet per query, all of them in every update.
    const { updates } = await fit(smallModel({ whiteningDimension: 16 }), {
      config: config({
        steps: 10,
        remineEvery: 100,
        sampling: 'hardest',
        hardestPerQuery: 1,
        tripletsPerStep: 9,
        learningRate: 1e-3,
        margin: 0.3,
      }),
    });
    const losses = updates.map(({ loss }) => loss);
    expect(losses.at(-1)).toBeLessThan(0.5 * losses[0]);
    expect(new Set(updates.map(({ numTensors }) => numTensors)).size).toBe(1);
  });

  test.each([
    ['contrastive', { loss: 'contrastive', sampling: 'hardest', hardestPerQuery: 1, tripletsPerStep: 9, margin: 0.9 }],
    ['average-precision', { loss: 'average-precision', listSize: 9, photographsPerLandmark: 3, optimizer: 'adam' }],
  ] as const)('learns by %s', async (_, changes) => {
    const { updates } = await fit(smallModel({ whiteningDimension: 16 }), {
      config: config({ steps: 10, remineEvery: 100, learningRate: 1e-3, ...changes }),
    });
    const losses = updates.map(({ loss }) => loss);
    expect(losses.at(-1)).toBeLessThan(0.7 * losses[0]);
  });

  test.each(['triplet', 'contrastive'] as const)('sampling random: no pool is described, %s', async (loss) => {
    let described = 0;
    const changes = { sampling: 'random', loss, negativesPerTuple: 2 } as const;
    const { log, updates, saved } = await fit(smallModel(), { config: config(changes), onMining: () => described++ });
    expect(described).toBe(0);
    expect(log.filter(({ event }) => event === 'mine')).toEqual([]);
    expect(updates).toHaveLength(4);
    for (const update of updates) expect(update).not.toHaveProperty('hardestSimilarity');
    expect(saved.at(-1)!.state).not.toHaveProperty('mining');
  });

  test.each([
    ['mined', {}],
    ['random', { sampling: 'random' }],
    ['lists', { loss: 'average-precision', listSize: 4, photographsPerLandmark: 2 }],
  ] satisfies [string, Partial<TripletConfig>][])(
    'the first images of an update are decoded during the one before (%s)',
    async (_, changes) => {
      // As many images as are decoded ahead, in views that come once: none is kept from before.
      const augmentation = { flip: true, colour: 0.1, crop: 0.2 };
      const few = config({ steps: 2, tripletsPerStep: 1, augmentation, ...changes });
      const whole = await fit(smallModel(), { config: few });
      const copies = await stripedPhotographs(await temporaryFolder());
      const { updates } = await fit(smallModel(), {
        config: few,
        records: copies,
        seen: async ({ event, step }) => {
          if (event !== 'update' || step !== 1) return;
          await setTimeout(300); // what is being read may end
          for (const { path } of copies) await rm(path);
        },
      });
      expect(updates.map(({ loss }) => loss)).toEqual(whole.updates.map(({ loss }) => loss));
      for (const { waiting } of updates) expect(waiting).toBeGreaterThanOrEqual(0);
      for (const { waiting } of updates) expect(waiting).toBeLessThan(1);
    },
  );

  test('sampling random: updates without a single triplet with a loss change nothing but by decay', async () => {
    // Margin 0, and a landmark's photographs are one file: no random triplet has a loss.
    const same = records.map((record) => ({
      ...record,
      path: records.find(({ landmark }) => landmark === record.landmark)!.path,
    }));
    const model = smallModel();
    const before = await model.toArrays();
    const changes = { sampling: 'random', margin: 0, weightDecay: 0, clipGradientNorm: 1 } as const;
    const { updates, weights, log } = await fit(model, { records: same, config: config(changes) });
    expect(updates.map(({ loss, active, gradientNorm }) => [loss, active, gradientNorm])).toEqual(
      Array.from({ length: 4 }, () => [0, 0, 0]),
    );
    expect(log.at(-1)).toMatchObject({ reason: 'finished' });
    expect(differing(before, weights)).toEqual([]);
  });

  test('frozen stages keep their weights, the others change', async () => {
    const model = smallModel();
    const before = await model.toArrays();
    const { weights } = await fit(model, { config: config({ freeze: 'stage1', steps: 1 }) });
    const names = differing(before, weights);
    expect(names.some((name) => name.startsWith('stage3/'))).toBe(true);
    expect(names.filter((name) => name.startsWith('stem') || name.startsWith('stage1/'))).toEqual([]);
  });

  test('measures before, during and after; the best is reported once each time it improves', async () => {
    const maps = [0.5, 0.4, 0.6];
    const best: number[] = [];
    const model = smallModel();
    let measured = 0;
    const { log, saved } = await fit(model, {
      config: config({ validateEvery: 2 }),
      measure: async () => ({ value: maps[measured++], figures: {} }),
      best: async () => void best.push(maps[measured - 1]),
    });
    const measures = log.filter((record) => record.event === 'measure');
    expect(measures.map(({ step, map, best: isBest }) => [step, map, isBest])).toEqual([
      [0, 0.5, true],
      [2, 0.4, false],
      [4, 0.6, true],
    ]);
    expect(best).toEqual([0.5, 0.6]);
    expect(saved.at(-1)!.state).toMatchObject({ step: 4, measuredStep: 4, best: { step: 4, map: 0.6 } });
  });

  test('a finished run that is resumed does nothing', async () => {
    const { saved } = await fit(smallModel());
    const end = saved.at(-1)!;
    const again = await fit(restored(end, smallModel()), { from: end });
    expect(again.log).toEqual([{ event: 'stop', step: 4, reason: 'finished' }]);
    expect(again.saved).toEqual([]);
  });

  test('an unreadable image is counted and the run goes on; if all are, the error names one', async () => {
    const folder = await temporaryFolder();
    const some = await stripedPhotographs(folder);
    await writeFile(some[4].path, 'not an image');
    const { log, updates } = await fit(smallModel(), { records: some });
    expect(log.find((record) => record.event === 'mine')).toMatchObject({ images: 8, unreadable: 1 });
    expect(updates).toHaveLength(4);
    expect(updates.at(-1)!.unreadable).toBe(1);
    await rm(folder, { recursive: true });
    await expect(fit(smallModel(), { records: some })).rejects.toThrow(/None of the 9 images.*l0-p0\.png/);
  });

  test('images that vanish during the run are left out', async () => {
    const some = await stripedPhotographs(await temporaryFolder());
    let removed = false;
    const onMining = async () => {
      if (removed) return;
      removed = true;
      for (const record of some.slice(0, 2)) await rm(record.path);
    };
    // No cache: every use reads the file again.
    const { updates } = await fit(smallModel(), {
      records: some,
      config: config({ cacheMegabytes: 0, remineEvery: 4, tripletsPerStep: 6 }),
      onMining: () => void onMining(),
    });
    expect(updates).toHaveLength(4);
    expect(updates.at(-1)!.unreadable).toBeGreaterThan(0);
  });

  test('weights that explode stop the run, naming update and image', async () => {
    const model = smallModel();
    const run = fit(model, { config: config({ learningRate: 1e30, weightDecay: 0 }) });
    await expect(run).rejects.toThrow(InputError);
    await expect(run).rejects.toThrow(/(Update [12]:|Mining:).*l\d\/p\d/s);
  });

  test('sets without a triplet are refused with the reason', async () => {
    const lonely = records.filter((_, i) => i % 3 === 0);
    await expect(fit(smallModel(), { records: lonely })).rejects.toThrow(
      /No landmark has two photographs \(3 images\)/,
    );
    const one = records.slice(0, 3);
    await expect(fit(smallModel(), { records: one })).rejects.toThrow(/second landmark/);
  });

  test('ends when pool after pool has no triplet with a loss', async () => {
    // Margin 0 and nine photographs whose landmarks are told apart: after some updates nothing is left to learn.
    const same = records.map((record) => ({
      ...record,
      path: records.find(({ landmark }) => landmark === record.landmark)!.path,
    }));
    const { log } = await fit(smallModel(), { records: same, config: config({ margin: 0 }) });
    expect(log.at(-1)).toEqual({ event: 'stop', step: 0, reason: 'nothing left to learn' });
  });
});
