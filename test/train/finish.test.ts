import { beforeAll, expect, test } from 'vitest';
import type { ImageRecord } from '../../src/data/manifest.js';
import type { MeasuredShare } from '../../src/run/run-records.js';
import { finishModel, holdBack } from '../../src/train/finish.js';
import { tripletConfigSchema } from '../../src/train/ranking/triplet-config.js';
import { ProcessGroup } from '../../src/train/process-group.js';
import '../support/engine.js';
import { localRanks } from '../support/local-ranks.js';
import { smallModelParts } from '../support/small-model.js';
import { stripedPhotographs, temporaryFolder } from './tiny-run.js';

let records: ImageRecord[];
beforeAll(async () => {
  records = await stripedPhotographs(await temporaryFolder(), { landmarks: 4, photos: 3, sidePx: 36 });
});

const config = tripletConfigSchema.parse({
  averageWithStart: 'auto',
  holdBack: 0.5,
  finalWhitenDimension: 4,
  finalImageSize: 36,
});

/** The start's kernels turned over: a model that was trained very far. */
function trainedParts() {
  const { meta, weights } = smallModelParts();
  for (const [name, { shape, data }] of weights) {
    if (name.endsWith('/kernel')) weights.set(name, { shape, data: data.map((_, i) => data[data.length - 1 - i]) });
  }
  return { meta, weights };
}

async function finish(ranks: number, known: readonly MeasuredShare[] = []) {
  const held = holdBack(records, config);
  return Promise.all(
    localRanks(ranks).map(async (collective) => {
      const told: number[] = [];
      const finished = await finishModel({
        ...held,
        trained: trainedParts(),
        start: smallModelParts(),
        config,
        group: new ProcessGroup(collective),
        measured: known,
        onShare: ({ share }) => told.push(share),
        working: () => () => {},
      });
      return { ...finished!, told };
    }),
  );
}

const bytes = (data: Float32Array) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

test('whole landmarks are held back, and only where a share is to be chosen', () => {
  const { train, heldBack } = holdBack(records, config);
  const landmarks = (of: readonly ImageRecord[]) => new Set(of.map(({ landmark }) => landmark));
  expect([landmarks(train).size, landmarks(heldBack).size]).toEqual([2, 2]);
  expect(train.some(({ landmark }) => landmarks(heldBack).has(landmark))).toBe(false);
  expect(holdBack(records, { ...config, averageWithStart: 0.5 })).toEqual({ train: records, heldBack: [] });
});

test('two ranks choose and make what one does; what is known is not measured again, and of equal shares the smallest is taken', async () => {
  const [[one], two] = [await finish(1), await finish(2)];
  expect(one.told).toEqual([0, 0.25, 0.5, 0.75, 1]);
  expect(new Set(one.summary.shares.map(({ map }) => map)).size).toBeGreaterThan(1);
  for (const rank of two) {
    expect(rank.summary).toEqual(one.summary);
    for (const [name, { data }] of rank.model.weights) {
      expect(bytes(data).equals(bytes(two[0].model.weights.get(name)!.data)), name).toBe(true);
    }
  }
  const known = [0.25, 0.5, 0.75, 1].map((share) => ({ share, map: 2 }));
  const [again] = await finish(1, known);
  expect(again.told).toEqual([0]);
  expect(again.summary).toMatchObject({ share: 0.25, dimension: 4, shares: [one.summary.shares[0], ...known] });
});
