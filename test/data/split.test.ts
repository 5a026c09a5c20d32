import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ImageRecord } from '../../src/data/manifest.js';
import { splitRecords } from '../../src/data/split.js';

/** `photos({ a: 3 })` -> a/0, a/1, a/2 of landmark a. */
function photos(counts: Record<string, number>, group?: string): ImageRecord[] {
  return Object.entries(counts).flatMap(([landmark, count]) =>
    Array.from({ length: count }, (_, i) => ({
      id: `${landmark}/${i}`,
      path: `${landmark}/${i}.jpg`,
      landmark,
      ...(group !== undefined && { group }),
    })),
  );
}

const landmarksOf = (records: ImageRecord[]) => [...new Set(records.map(({ landmark }) => landmark))];
const idsOf = (records: ImageRecord[]) => records.map(({ id }) => id);

const anyRecords = fc
  .dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.integer({ min: 1, max: 9 }), { minKeys: 1 })
  .map((counts) => photos(counts));

describe('splitRecords', () => {
  test('by photo: the share is held back over all, small landmarks take turns', () => {
    // 20 landmarks of 4 at 0.1: 8 photographs in all, at most one of each landmark
    const records = photos(Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`l${i}`, 4])));
    const { train, validation } = splitRecords(records, { by: 'photo', validation: 0.1 });
    expect(validation).toHaveLength(8);
    expect(landmarksOf(validation)).toHaveLength(8);
    expect(landmarksOf(train)).toHaveLength(20);
  });

  test('by photo: large landmarks are held back in proportion', () => {
    const { validation } = splitRecords(photos({ a: 100, b: 50, c: 10 }), { by: 'photo', validation: 0.2 });
    const count = (name: string) => validation.filter(({ landmark }) => landmark === name).length;
    expect([count('a'), count('b'), count('c')]).toEqual([20, 10, 2]);
  });

  test('by photo: one stays in training, also at a large share; an only photograph stays', () => {
    const { train, validation } = splitRecords(photos({ a: 3, b: 1 }), { by: 'photo', validation: 0.99 });
    expect(landmarksOf(train)).toEqual(['a', 'b']);
    expect(validation).toHaveLength(2);
    expect(() => splitRecords(photos({ a: 1, b: 1 }), { by: 'photo', validation: 0.5 })).toThrow(
      /No photograph can be held back: 0 landmarks have two or more/,
    );
  });

  test('by landmark: whole landmarks, the share of their number', () => {
    const records = photos({ a: 5, b: 1, c: 9, d: 2, e: 4 });
    const { train, validation } = splitRecords(records, { by: 'landmark', validation: 0.4 });
    expect(landmarksOf(validation)).toHaveLength(2);
    expect(landmarksOf(train)).toHaveLength(3);
    expect(landmarksOf(train).filter((name) => landmarksOf(validation).includes(name))).toEqual([]);
    expect(() => splitRecords(photos({ a: 5 }), { by: 'landmark', validation: 0.4 })).toThrow(/of one landmark/);
    // rounding never empties a half
    expect(
      landmarksOf(splitRecords(photos({ a: 2, b: 2 }), { by: 'landmark', validation: 0.01 }).validation),
    ).toHaveLength(1);
    expect(landmarksOf(splitRecords(photos({ a: 2, b: 2 }), { by: 'landmark', validation: 0.99 }).train)).toHaveLength(
      1,
    );
  });

  test('by group: groups stay together, without one the landmark is the group', () => {
    const records = [...photos({ a: 2, b: 2, c: 2 }, 'site'), ...photos({ d: 3, e: 3 })];
    for (let seed = 0; seed < 20; seed++) {
      const { validation } = splitRecords(records, { by: 'group', validation: 0.34, seed });
      expect([['a', 'b', 'c'], ['d'], ['e']]).toContainEqual(landmarksOf(validation));
    }
    expect(() => splitRecords(photos({ a: 2, b: 2 }, 'site'), { by: 'group', validation: 0.5 })).toThrow(
      /of one group/,
    );
  });

  test('by group: a landmark in several groups ties them together, also through records without a group', () => {
    const records = [
      ...photos({ a: 2 }, 'g1'),
      { id: 'a/x', path: 'a/x.jpg', landmark: 'a', group: 'g2' },
      { id: 'a/y', path: 'a/y.jpg', landmark: 'a' },
      ...photos({ b: 2 }, 'g2'),
      ...photos({ c: 2 }),
    ];
    for (let seed = 0; seed < 10; seed++) {
      const { validation } = splitRecords(records, { by: 'group', validation: 0.5, seed });
      expect([['a', 'b'], ['c']]).toContainEqual(landmarksOf(validation));
    }
  });

  test('a landmark and a group of one name are not the same', () => {
    const records = [...photos({ site: 2 }), ...photos({ a: 2 }, 'site')];
    expect(landmarksOf(splitRecords(records, { by: 'group', validation: 0.5 }).validation)).toHaveLength(1);
  });

  test('the seed decides, the order of the records does not', () => {
    const records = photos({ a: 20, b: 20 });
    const split = (from: ImageRecord[], seed: number) => splitRecords(from, { by: 'photo', validation: 0.3, seed });
    expect(split(records.toReversed(), 5)).toEqual(split(records, 5));
    expect(idsOf(split(records, 5).validation)).not.toEqual(idsOf(split(records, 6).validation));
    // pinned: a changed shuffle would silently change everybody's splits
    expect(idsOf(splitRecords(photos({ a: 5, b: 5 }), { by: 'photo', validation: 0.4, seed: 1 }).validation)).toEqual([
      'a/2',
      'a/3',
      'b/1',
      'b/3',
    ]);
  });

  test('every record is in exactly one half, whatever the input', () => {
    fc.assert(
      fc.property(
        anyRecords,
        fc.constantFrom('photo' as const, 'landmark' as const, 'group' as const),
        fc.double({ min: 0.01, max: 0.99, noNaN: true }),
        fc.nat(),
        (records, by, validation, seed) => {
          let halves: ReturnType<typeof splitRecords>;
          try {
            halves = splitRecords(records, { by, validation, seed });
          } catch (error) {
            return /held back|hold back/.test((error as Error).message);
          }
          expect([...idsOf(halves.train), ...idsOf(halves.validation)].toSorted()).toEqual(idsOf(records).toSorted());
          expect(Math.min(halves.train.length, halves.validation.length)).toBeGreaterThan(0);
          if (by === 'photo') expect(landmarksOf(halves.train).toSorted()).toEqual(landmarksOf(records).toSorted());
          return true;
        },
      ),
      { numRuns: 300, seed: 3 },
    );
  });
});
