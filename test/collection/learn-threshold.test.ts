import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { EmbeddedStore } from '../../src/collection/embedded-store.js';
import type { CollectionRecord } from '../../src/collection/collection-record.js';
import { evidenceOf, showAnother } from '../../src/collection/evidence.js';
import { presenceOf } from '../../src/collection/presence.js';
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

test('the probability and the similarity that 95 % reach with their own object, and how many reach it with another', async () => {
  // 60 objects of two photographs on the circle: three pairs 0.1 apart, the others 0.002, the nearest of another object at least 0.088.
  const photographs = Array.from({ length: 120 }, (_, i) => {
    const object = i >> 1;
    const [first, apart] = object < 3 ? [5.3 + 0.3 * object, 0.1] : [0.09 * (object - 3), 0.002];
    return { angle: first + (i % 2) * apart, object: `o${object}` };
  });
  const store = await storeOf(photographs);
  const { similarity, photographs: compared, presence, how } = await learnThreshold(store);
  // Six of 120 lie below the 5 % quantile: the six of the three pairs.
  expect(similarity).toBeGreaterThan(Math.cos(0.05));
  expect(compared).toBe(1);
  expect(how).toBe(
    '95 % of 120 photographs whose nearest shows their object are as probable to be there; with their object left out, 0.0 % of 120 are, as queries about something else would be',
  );
  const asked = async (angle: number) => {
    const query = Float32Array.of(Math.cos(angle), Math.sin(angle));
    const ranked = (count: number) => store.search(query, { count });
    return presenceOf((await evidenceOf(store, query, { ranked }))!, presence!);
  };
  expect(await asked(0.09 * 20 + 0.001)).toBeGreaterThanOrEqual(presence!.threshold);
  expect(await asked(0.09 * 20 + 0.046)).toBeLessThan(presence!.threshold);
});

test('how alike an object is decides what is like it: loose and tight ones, where no similarity tells', async () => {
  // Twelve objects around the circle. The photographs of the even ones lie within 0.15 of each other, those of the odd ones within 0.01, and
  // beside each of these lies one of another odd object, no farther than loose photographs are from each other.
  const apart = (2 * Math.PI) / 12;
  const photographs = Array.from({ length: 144 }, (_, i) => {
    const object = Math.floor(i / 12);
    const width = object % 2 === 0 ? 0.15 : 0.01;
    return { angle: object * apart + width * ((((i % 12) * 7) % 12) / 11), object: `o${object}` };
  });
  const siblings = photographs
    .filter((_, i) => Math.floor(i / 12) % 2 === 1)
    .map(({ angle, object }) => ({ angle: angle + 0.04, object: `sibling of ${object}` }));
  const { presence, how } = await learnThreshold(await storeOf([...photographs, ...siblings]));
  const [, share] = /left out, (\S+) % of 216/.exec(how)!;
  expect(Number(share)).toBeLessThan(10);
  expect(presence!.weights.among).toBeLessThan(0);
});

test('evidence: the nearest, several of its object, the lead on another, and how alike those several are', async () => {
  const angles = [0, 0.3, 0.2, 0, 0.25, 0.1];
  const store = await storeOf([
    { angle: angles[0], object: 'a' },
    { angle: angles[1], object: 'a' },
    { angle: angles[2], object: 'a' },
    { angle: angles[3], object: 'a', sha256: '0' },
    { angle: angles[4], object: 'b' },
    { angle: angles[5] },
  ]);
  const query = Float32Array.of(1, 0);
  const ranked = (count: number) => store.search(query, { count });
  const expectEvidence = async (
    answers: Partial<Parameters<typeof evidenceOf>[2]>,
    expected: readonly (number | undefined)[],
  ) => {
    const evidence: (number | undefined)[] = Object.values((await evidenceOf(store, query, { ranked, ...answers }))!);
    expect(evidence.map((each) => each === undefined)).toEqual(expected.map((each) => each === undefined));
    for (const [i, each] of evidence.entries()) expect(each ?? 0).toBeCloseTo(expected[i] ?? 0, 3);
  };
  const [c1, c2, c25, c3] = [0.1, 0.2, 0.25, 0.3].map(Math.cos);
  // The unlabelled photograph may show the same: the lead is that on b.
  await expectEvidence({}, [1, (1 + 1 + c2 + c3) / 4, 1 - c25, (1 + c2 + c3 + c2 + c3 + c1) / 6]);
  // A photograph of the collection, without itself; without copies of its file, the unlabelled one is nearest, and alone.
  await expectEvidence({ without: { id: 'p0' } }, [1, (1 + c2 + c3) / 3, 1 - c25, (c2 + c3 + c1) / 3]);
  await expectEvidence({ without: store.record('p0') }, [c1, c1, c1 - c2, undefined]);
  await expectEvidence({ isAnswer: ({ object }) => object === 'b' }, [c25, c25, undefined, undefined]);
  expect(await evidenceOf(store, query, { ranked, isAnswer: () => false })).toBeUndefined();
});

test('groups of a manifest that may show the same are no lead on each other', () => {
  const record = (object: string | undefined, group?: string) =>
    ({ object, columns: group === undefined ? {} : { group } }) as CollectionRecord;
  expect(showAnother(record('a'), record('b'))).toBe(true);
  expect(showAnother(record('a'), record('a'))).toBe(false);
  expect(showAnother(record('a'), record(undefined))).toBe(false);
  expect(showAnother(record(undefined), record(undefined))).toBe(true);
  expect(showAnother(record('a', 'site'), record('b', 'site'))).toBe(false);
  expect(showAnother(record('a', 'site'), record('b'))).toBe(true);
});

test('objects that cannot be told apart: the share that would be answered wrongly is said', async () => {
  // Anywhere on the circle, whatever their object.
  const scattered = (i: number) => Math.abs(Math.sin(12.9898 * i) * 43758.5453) % 1;
  const photographs = Array.from({ length: 300 }, (_, i) => ({
    angle: 2 * Math.PI * scattered(i),
    object: `o${Math.floor(4 * scattered(i + 1000))}`,
  }));
  const { how } = await learnThreshold(await storeOf(photographs));
  const [, share] = /^95 % of \d+ .*; with their object left out, (\d\d) % of 300 are/.exec(how)!;
  expect(Number(share)).toBeGreaterThan(80);
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
