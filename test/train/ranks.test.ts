import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ImageRecord } from '../../src/data/manifest.js';
import type { RpnMeta } from '../../src/models/meta.js';
import { labelsGroundTruth } from '../../src/retrieval/ground-truth.js';
import { landmarkAnchors } from '../../src/rpn/anchors.js';
import { initialRpn, RpnHead } from '../../src/rpn/head.js';
import type { BoxedRecord } from '../../src/data/manifest.js';
import type { RunRecord } from '../../src/run/run-records.js';
import { classesOf, labelsOf } from '../../src/train/classify/classes.js';
import { ClassifierHead, headLayout, initialHead } from '../../src/train/classify/classifier-head.js';
import { classifyConfigSchema } from '../../src/train/classify/classify-config.js';
import { ClassifyTrainer } from '../../src/train/classify/classify-trainer.js';
import { measureClasses } from '../../src/train/classify/measure-classes.js';
import { type LoopOptions, runLoop } from '../../src/train/loop.js';
import { EndedTogether, type Endings, ProcessGroup } from '../../src/train/process-group.js';
import { BoxedImages } from '../../src/train/proposals/boxed-images.js';
import { measureRpn } from '../../src/train/proposals/measure-rpn.js';
import { ProposalsTrainer } from '../../src/train/proposals/proposals-trainer.js';
import { rpnConfigSchema } from '../../src/train/proposals/rpn-config.js';
import { RandomStream } from '../../src/train/random.js';
import { measureMap } from '../../src/train/ranking/measure.js';
import { whitened } from '../../src/train/ranking/ranking-start.js';
import { RankingTrainer } from '../../src/train/ranking/ranking-trainer.js';
import { sharedOut } from '../../src/train/ranking/shared-source.js';
import { tripletConfigSchema } from '../../src/train/ranking/triplet-config.js';
import { sumOverRanks } from '../../src/train/sum-over-ranks.js';
import { GradientAccumulator } from '../../src/train/gradients.js';
import type { Trainer } from '../../src/train/trainer.js';
import '../support/engine.js';
import { localRanks } from '../support/local-ranks.js';
import { smallModel } from '../support/small-model.js';
import { stripedPhotographs, temporaryFolder } from './tiny-run.js';

let records: ImageRecord[];
let boxed: BoxedRecord[];
beforeAll(async () => {
  const folder = await temporaryFolder();
  const readable = await stripedPhotographs(folder);
  // Whichever rank meets it, all must do without it.
  const broken = join(folder, 'broken.png');
  await writeFile(broken, 'no image');
  records = [...readable.slice(0, 4), { id: 'l1/broken', path: broken, landmark: 'l1' }, ...readable.slice(4)];
  boxed = records.map((record, i) => ({ ...record, box: { x: 4 + i, y: 3, width: 26, height: 22 } }));
});

const rpn = { anchors: landmarkAnchors(48, [0.4, 0.7]), channels: 8 } as RpnMeta;

interface Made {
  trainer: Trainer;
  config: LoopOptions['config'];
}

const loopOf = { checkpointEvery: 1, steps: 3 };

const ranking = (changes: object = {}) => {
  const config = tripletConfigSchema.parse({
    ...loopOf,
    tripletsPerStep: 3,
    imageSize: 48,
    poolSize: 9,
    remineEvery: 3,
    margin: 1,
    learningRate: 0.01,
    ...changes,
  });
  return (group: ProcessGroup): Made => {
    const model = smallModel();
    const joint = config.rpnWeight > 0;
    const head = joint
      ? new RpnHead(rpn, model.channels, initialRpn(rpn, model.channels, new RandomStream(1)))
      : undefined;
    const truth = labelsGroundTruth(records);
    const measure = async () => {
      const sizing = { longest: 48, multipleOf: model.stride };
      const map = await measureMap(model, truth, { sizing, group });
      return map === undefined ? undefined : { value: map, figures: {} };
    };
    const all = joint ? boxed : records;
    return { config, trainer: new RankingTrainer({ model, head, records: all, config, measure }) };
  };
};

const classify = (group: ProcessGroup): Made => {
  const config = classifyConfigSchema.parse({
    ...loopOf,
    batchSize: 5,
    imagesPerPass: 2,
    cropSize: 32,
    shortestSideMin: 32,
    shortestSideMax: 40,
    validationSide: 32,
    dropout: 0.2,
  });
  const model = smallModel();
  const layout = headLayout(model.meta, classesOf(records), config);
  const head = new ClassifierHead(layout, initialHead(layout, new RandomStream(1)));
  const validation = { records, labels: labelsOf(records, layout.classes, 'records') };
  const measure = async () => {
    const { top1 = 0, ...figures } = (await measureClasses({ model, head }, validation, { config, group })) ?? {};
    return { value: top1, figures };
  };
  return { config, trainer: new ClassifyTrainer({ model, head, records, config, measure }) };
};

const proposals = (group: ProcessGroup): Made => {
  const config = rpnConfigSchema.parse({
    ...loopOf,
    imagesPerStep: 3,
    imageSize: 48,
    channels: 8,
    anchorsPerImage: 16,
    positivesPerImage: 8,
  });
  const model = smallModel();
  const head = new RpnHead(rpn, model.channels, initialRpn(rpn, model.channels, new RandomStream(1)));
  const images = new BoxedImages(model, { imageSize: 48, cacheBytes: 1e8 });
  const measure = async () => {
    const measured = await measureRpn(head, images, boxed, { stride: model.stride, proposals: 4, group });
    const { recall = 0, ...figures } = measured ?? {};
    return { value: recall, figures };
  };
  return { config, trainer: new ProposalsTrainer({ model, head, images, records: boxed, config, measure }) };
};

interface Trained {
  log: RunRecord[];
  weights: number[][];
  unreadable: string[];
  group: ProcessGroup;
}

/** What each of `size` ranks has at the end. */
function train(make: (group: ProcessGroup) => Made, size: number, stop?: (rank: number, record: RunRecord) => void) {
  const controllers = Array.from({ length: size }, () => new AbortController());
  const ranks = localRanks(size).map(async (collective): Promise<Trained> => {
    const group = new ProcessGroup(collective, { signal: controllers[collective.rank].signal });
    const { trainer, config } = make(group);
    const log: RunRecord[] = [];
    for await (const record of runLoop(trainer, { config, group })) {
      log.push(record);
      stop?.(collective.rank, record);
      if (stopping.has(collective.rank)) controllers[collective.rank].abort(new Error('SIGTERM'));
    }
    const weights = await Promise.all([...trainer.variables.values()].map(async (v) => [...(await v.data())]));
    return { log, weights, unreadable: [...trainer.unreadable], group };
  });
  const stopping = new Set<number>();
  return { ranks: Promise.all(ranks), stopping };
}

const lossesOf = (log: readonly RunRecord[]) => log.flatMap((r) => (r.event === 'update' ? [r.loss] : []));
const measuredOf = (log: readonly RunRecord[]) => log.flatMap((r) => (r.event === 'measure' ? [{ ...r, ms: 0 }] : []));

describe('the same training by one, two and three ranks', () => {
  test.each([
    ['ranking by triplets', ranking()],
    ['ranking by lists, frozen stages', ranking({ loss: 'average-precision', listSize: 6, freeze: 'stage2' })],
    ['ranking with proposals that learn', ranking({ rpnWeight: 0.5, steps: 2 })],
    ['classification', classify],
    ['proposals', proposals],
  ])('%s', async (_, make) => {
    const [[one], two, three] = [await train(make, 1).ranks, await train(make, 2).ranks, await train(make, 3).ranks];
    expect(one.unreadable).toEqual(['l1/broken']);
    expect(lossesOf(one.log).length).toBeGreaterThan(1);
    for (const ranks of [two, three]) {
      for (const rank of ranks) {
        expect(rank.unreadable).toEqual(one.unreadable);
        expect(rank.weights).toEqual(ranks[0].weights); // bit for bit
        expect(lossesOf(rank.log)).toHaveLength(lossesOf(one.log).length);
        lossesOf(rank.log).forEach((loss, i) => expect(loss).toBeCloseTo(lossesOf(one.log)[i], 5));
        expect(measuredOf(rank.log)).toHaveLength(2);
        for (const [i, record] of measuredOf(rank.log).entries()) {
          for (const [key, value] of Object.entries(record)) {
            const expected = (measuredOf(one.log)[i] as Record<string, unknown>)[key];
            if (typeof value === 'number') expect(value, key).toBeCloseTo(expected as number, 4);
          }
        }
      }
    }
    expect(two[0].weights).not.toEqual(await initialWeightsOf(make));
  });
});

async function initialWeightsOf(make: (group: ProcessGroup) => Made) {
  const { trainer } = make(new ProcessGroup(localRanks(1)[0]));
  return Promise.all([...trainer.variables.values()].map(async (variable) => [...(await variable.data())]));
}

test('a stop that one rank is asked for comes for all after the same update', async () => {
  const { ranks, stopping } = train(ranking({ steps: 50 }), 3, (rank, record) => {
    if (rank === 1 && record.event === 'update' && record.step === 2) stopping.add(1);
  });
  const logs = (await ranks).map(({ log }) => log.at(-1));
  expect(logs[0]).toEqual({ event: 'stop', step: 2, reason: 'interrupted' });
  for (const { group } of await ranks) expect(group.interruptedBy).toBe('SIGTERM');
  for (const last of logs) expect(last).toEqual(logs[0]);
});

const whiteningOf = (size: number, endings: (rank: number) => Endings = () => ({})) => {
  const config = tripletConfigSchema.parse({ imageSize: 48, whitenDimension: 8 });
  let described = 0;
  const ranks = localRanks(size).map(async (collective) => {
    const model = smallModel();
    const regionDescriptors = model.regionDescriptors.bind(model);
    model.regionDescriptors = (images) => {
      described++;
      return regionDescriptors(images);
    };
    const group = new ProcessGroup(collective, endings(collective.rank));
    const weights = await (await whitened(model, records, { config, group })).model.toArrays();
    return ['whitening/kernel', 'whitening/shift'].map((name) => [...weights.get(name)!.data]);
  });
  return { ranks, described: () => described };
};

test('a whitening is learned once, of images that are described once by all ranks together', async () => {
  const [one] = await Promise.all(whiteningOf(1).ranks);
  expect(one[0].length).toBeGreaterThan(8);
  for (const size of [2, 3]) {
    const { ranks, described } = whiteningOf(size);
    for (const each of await Promise.all(ranks)) expect(each).toEqual(one);
    expect(described()).toBe(records.length - 1); // one cannot be read
  }
});

test('an end that one rank is asked for while a whitening is learned is an error of all', async () => {
  const { ranks } = whiteningOf(3, (rank) => (rank === 1 ? { signal: AbortSignal.abort(new Error('SIGTERM')) } : {}));
  for (const rank of ranks) await expect(rank).rejects.toThrow(EndedTogether);
});

test('ranks with other draws are told apart before they train', async () => {
  const one = ranking({ seed: 1 });
  const other = ranking({ seed: 2 });
  const { ranks } = train((group) => (group.rank === 0 ? one : other)(group), 2);
  await expect(ranks).rejects.toThrow(/^Rank 1 is not where rank 0 is \(update 0, draws/);
});

test('sums over ranks count a gradient that a rank lacks as zeros', async () => {
  const variables = new Map([
    ['a', tf.variable(tf.zeros([2]))],
    ['b', tf.variable(tf.zeros([1, 2]))],
  ]);
  const sums = await Promise.all(
    localRanks(3).map(async (collective) => {
      const accumulator = new GradientAccumulator();
      if (collective.rank !== 1) accumulator.add({ a: tf.tensor([1, 10 ** collective.rank]) });
      await sumOverRanks(accumulator, variables, collective);
      return [...accumulator.sums].map(([name, sum]) => [name, sum.shape, [...sum.dataSync()]]);
    }),
  );
  for (const each of sums) {
    expect(each).toEqual([
      ['a', [2], [2, 101]],
      ['b', [1, 2], [0, 0]],
    ]);
  }
});

test('sharedOut: items stay with their rank as far as it has no more than its share', () => {
  const items = [0, 0, 0, 1, 0, 0, 2, 0, 1].map((rank, i) => ({ rank, i }));
  const shares = sharedOut(items, ({ rank }) => rank, 3);
  expect(shares.map((share) => share.length)).toEqual([3, 3, 3]);
  expect(shares.flat().toSorted((a, b) => a.i - b.i)).toEqual(items);
  expect(shares[0].every(({ rank }) => rank === 0)).toBe(true);
  expect(shares[1].filter(({ rank }) => rank === 1)).toHaveLength(2);
  expect(shares[2].filter(({ rank }) => rank === 2)).toHaveLength(1);
});
