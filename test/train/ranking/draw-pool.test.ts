import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { drawPool } from '../../../src/train/ranking/draw-pool.js';
import { RandomStream } from '../../../src/train/random.js';

test('a pool has its size, no image twice, and depends on nothing but the seed', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 80 }),
      fc.integer({ min: 3, max: 60 }),
      fc.integer({ min: 0, max: 1000 }),
      (landmarks, size, seed) => {
        const pool = drawPool(Int32Array.from(landmarks), size, new RandomStream(seed));
        expect(pool.length).toBe(Math.min(size, landmarks.length));
        expect(new Set(pool).size).toBe(pool.length);
        expect(pool).toEqual(drawPool(Int32Array.from(landmarks), size, new RandomStream(seed)));
      },
    ),
  );
});

test('queries have positives even where landmarks far outnumber the pool', () => {
  // 5000 landmarks of two photographs: 100 images drawn one by one would hold one or two pairs.
  const landmarks = Int32Array.from({ length: 10_000 }, (_, i) => i >> 1);
  const pool = drawPool(landmarks, 100, new RandomStream(0));
  const counts = new Map<number, number>();
  for (const i of pool) counts.set(landmarks[i], (counts.get(landmarks[i]) ?? 0) + 1);
  expect([...counts.values()].filter((count) => count === 2).length).toBe(50);
});

test('another draw gives another pool', () => {
  const landmarks = Int32Array.from({ length: 100 }, (_, i) => i % 10);
  const random = new RandomStream(0);
  expect(drawPool(landmarks, 20, random)).not.toEqual(drawPool(landmarks, 20, random));
});
