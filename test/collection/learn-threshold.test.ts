import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { EmbeddedStore } from '../../src/collection/embedded-store.js';
import { meanOfFirst, objectSimilarities } from '../../src/collection/evidence.js';
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

test('where one photograph of another object looks alike, several of an object are asked for', async () => {
  // Ten objects around the circle, three photographs of each close together, one farther off, and one beside the next object.
  const apart = (2 * Math.PI) / 10;
  const photographs = Array.from({ length: 50 }, (_, i) => {
    const object = Math.floor(i / 5);
    return { angle: object * apart + [0, 0.02, 0.04, 0.2, apart - 0.1][i % 5], object: `o${object}` };
  });
  const { similarity, photographs: asked, how } = await learnThreshold(await storeOf(photographs));
  expect(asked).toBe(5);
  // Of its own: by the nearest alone, the threshold would be cos 0.16, which the photograph beside the next object reaches.
  expect(similarity).toBeLessThan(Math.cos(0.16));
  expect(how).toBe(
    '95 % of 40 photographs whose nearest shows their object are as similar to its 5 nearest photographs, in the mean; without their object, 0.0 % of 50 are to another, as queries about something else would be',
  );
});

test('similarities to an object: the nearest first, then falling, without the query and copies of its file', async () => {
  const store = await storeOf([
    { angle: 0, object: 'a' },
    { angle: 0.3, object: 'a' },
    { angle: 0.2, object: 'a' },
    { angle: 0, object: 'a', sha256: '0' },
    { angle: 0.1, object: 'b' },
    { angle: 0.1 },
  ]);
  const query = Float32Array.of(1, 0);
  const nearest = (id: string) => ({ id, similarity: 0.99 });
  const rounded = async (...args: Parameters<typeof objectSimilarities>) =>
    (await objectSimilarities(...args)).map((each) => Math.round(100 * each) / 100);
  expect(await rounded(store, query, nearest('p2'))).toEqual([0.99, 1, 1, 0.96]);
  expect(await rounded(store, query, nearest('p2'), store.record('p0'))).toEqual([0.99, 0.96]);
  expect(await rounded(store, query, nearest('p4'))).toEqual([0.99]);
  expect(await rounded(store, query, nearest('p5'))).toEqual([0.99]);
  expect(meanOfFirst([1, 0.5, 0], 2)).toBe(0.75);
  expect(meanOfFirst([1, 0.5], 5)).toBe(0.75);
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
