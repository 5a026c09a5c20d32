import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { decodeFeatures, encodeFeatures, FeatureCache } from '../../../src/cleaning/features/feature-cache.js';
import type { Features } from '../../../src/cleaning/features/features.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rmac-cache-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function features(count: number, seed = 1): Features {
  return {
    count,
    width: 640,
    height: 427,
    frames: Float32Array.from({ length: count * 6 }, (_, i) => Math.sin(seed + i) * 300),
    responses: Float32Array.from({ length: count }, (_, i) => 1 / (i + seed)),
    descriptors: Uint8Array.from({ length: count * 128 }, (_, i) => (i * 7 + seed) % 256),
  };
}

test('features come back to the bit, none included', () => {
  for (const count of [0, 1, 37]) expect(decodeFeatures(encodeFeatures(features(count)))).toEqual(features(count));
});

test('a file that is cut, longer, or something else is no features', () => {
  const bytes = encodeFeatures(features(3));
  for (const length of [0, 5, 23, 24, bytes.length - 1])
    expect(decodeFeatures(bytes.subarray(0, length))).toBeUndefined();
  expect(decodeFeatures(Buffer.concat([bytes, Buffer.alloc(1)]))).toBeUndefined();
  const other = Uint8Array.from(bytes);
  other[0] ^= 1;
  expect(decodeFeatures(other)).toBeUndefined();
});

test('another run finds them under the same settings only', async () => {
  const settings = { longest: '640' };
  const cache = await FeatureCache.open(folder, { settings });
  await cache.put('k', features(5));
  const again = await FeatureCache.open(folder, { settings });
  expect(again.has('k')).toBe(true);
  expect(await again.get('k')).toEqual(features(5));
  const other = await FeatureCache.open(folder, { settings: { longest: '1024' } });
  expect(other.has('k')).toBe(false);
  expect(await other.get('k')).toBeUndefined();
});

test('a damaged file is as none', async () => {
  const cache = await FeatureCache.open(folder, { settings: {} });
  await cache.put('k', features(5));
  truncateSync(join(folder, readdirSync(folder)[0]), 40);
  expect(await cache.get('k')).toBeUndefined();
  expect(cache.has('k')).toBe(false);
});

test('beyond the limit those that were not used for longest go, and the folder stays below it', async () => {
  const one = encodeFeatures(features(5)).length;
  const cache = await FeatureCache.open(folder, { settings: {}, maxBytes: 3 * one });
  for (const key of ['a', 'b', 'c']) await cache.put(key, features(5));
  await cache.get('a');
  await cache.put('d', features(5));
  expect(['a', 'b', 'c', 'd'].map((key) => cache.has(key))).toEqual([true, false, true, true]);
  const sizes = readdirSync(folder).map((name) => readFileSync(join(folder, name)).length);
  expect(sizes).toEqual([one, one, one]);
});

test('what a killed run left half written is removed once it is old', async () => {
  const [old, fresh] = ['.a.features.1.tmp', '.b.features.2.tmp'].map((name) => join(folder, name));
  for (const file of [old, fresh]) writeFileSync(file, 'half');
  const longAgo = new Date(Date.now() - 3_600_000);
  utimesSync(old, longAgo, longAgo);
  await FeatureCache.open(folder, { settings: {} });
  expect(readdirSync(folder)).toEqual(['.b.features.2.tmp']);
});
