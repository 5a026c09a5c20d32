import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { EmbeddedStore } from '../../src/collection/embedded-store.js';
import { learnFromDistractors, learnThreshold } from '../../src/collection/learn-threshold.js';

/** A store of photographs on the unit circle, by angle and object. */
async function storeOf(
  photographs: readonly { angle: number; object?: string; sha256?: string }[],
): Promise<EmbeddedStore> {
  const store = EmbeddedStore.begin(mkdtempSync(join(tmpdir(), 'rmac-threshold-')), {
    name: 'circle',
    model: { file: 'model-0.safetensors', sha256: '0', dimension: 2 },
    describing: {},
    next: 1,
  });
  const records = photographs.map(({ object, sha256 }, i) => ({
    id: `p${i}`,
    path: `/p${i}`,
    bytes: 1,
    modified: 1,
    sha256: sha256 ?? `${i}`,
    ...(object !== undefined && { object }),
    columns: {},
  }));
  const rows = async function* () {
    for (const { angle } of photographs)
      yield { dimension: 2, data: Float32Array.of(Math.cos(angle), Math.sin(angle)) };
  };
  await store.change({ records, rows: rows() });
  return store;
}

test('the similarity that 95 % reach with their own object, and how many reach it with another', async () => {
  // 60 objects of two photographs on the circle: three pairs 0.1 apart, the others 0.002, the nearest of another object at least 0.088.
  const photographs = Array.from({ length: 120 }, (_, i) => {
    const object = i >> 1;
    const [first, apart] = object < 3 ? [5.3 + 0.3 * object, 0.1] : [0.09 * (object - 3), 0.002];
    return { angle: first + (i % 2) * apart, object: `o${object}` };
  });
  const { similarity, how } = await learnThreshold(await storeOf(photographs));
  // Six of 120 lie below the 5 % quantile: the six of the three pairs.
  expect(similarity).toBeGreaterThan(Math.cos(0.05));
  expect(how).toBe(
    '95 % of 120 photographs whose nearest shows their object are as similar to it; without their object, 0.0 % of 120 are to another, as queries about something else would be',
  );
});

test('objects that cannot be told apart: the share that would be answered wrongly is said', async () => {
  // In fours along the circle: the nearest to either side is of the own object, those of the other are hardly farther.
  const photographs = Array.from({ length: 200 }, (_, i) => ({ angle: i * 0.03, object: `o${(i >> 2) % 2}` }));
  const { how } = await learnThreshold(await storeOf(photographs));
  expect(how).toMatch(/^95 % of 1\d\d .*; without their object, (\d\d) % of 200 are to another/);
});

test('copies of a file are no other photograph of an object; too few say nothing', async () => {
  const copies = Array.from({ length: 100 }, (_, i) => ({ angle: i >> 1, object: `o${i >> 1}`, sha256: `${i >> 1}` }));
  expect(await learnThreshold(await storeOf(copies))).toEqual({
    how: '0 photographs whose nearest shows their object and 100 with one of another are too few to tell (40 of each)',
  });
  const unlabelled = Array.from({ length: 100 }, (_, i) => ({ angle: i }));
  expect((await learnThreshold(await storeOf(unlabelled))).similarity).toBeUndefined();
});

test('distractors: one in ten of them is answered; too few say nothing', async () => {
  const store = await storeOf([{ angle: 0 }]);
  const distractors = async function* (count: number) {
    for (let i = 0; i < count; i++) yield Float32Array.of(Math.cos(0.5 + i * 0.01), Math.sin(0.5 + i * 0.01));
  };
  const { similarity, how } = await learnFromDistractors(store, distractors(100));
  // The tenth nearest of a hundred.
  expect(similarity).toBeCloseTo(Math.cos(0.59), 5);
  expect(how).toBe('10 % of 100 distractors are as similar to something in the collection');
  expect(await learnFromDistractors(store, distractors(39))).toEqual({
    how: '39 distractors are too few to tell (40)',
  });
});
