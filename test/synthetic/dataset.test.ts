import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readManifest } from '../../src/data/manifest.js';
import { type Matrix3, transform } from '../../src/synthetic/camera.js';
import { synthesizeLandmarks } from '../../src/synthetic/dataset.js';
import { checkSynthesizeOptions, planDataset } from '../../src/synthetic/dataset-plan.js';
import { InputError, UsageError } from '../../src/errors.js';
import { readGroundTruth } from '../../src/retrieval/ground-truth.js';

interface TruthLine {
  id: string;
  path: string;
  landmark: string;
  split: string;
  wrong: boolean;
  kind?: string;
  box?: { x: number; y: number; width: number; height: number };
  homography?: Matrix3;
  facade?: { width: number; height: number };
}

const options = { landmarks: 4, photos: 6, noise: 0.34, size: 96, seed: 9 };
let folder: string;
let out: string;

async function digests(root: string): Promise<Map<string, string>> {
  const files = (await readdir(root, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const result = new Map<string, string>();
  for (const file of files) {
    const path = join(file.parentPath, file.name);
    result.set(
      path.slice(root.length),
      createHash('sha256')
        .update(await readFile(path))
        .digest('hex'),
    );
  }
  return new Map([...result].sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function readTruth(): Promise<TruthLine[]> {
  const text = await readFile(join(out, 'truth.jsonl'), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as TruthLine);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rmac-synthetic-'));
  out = join(folder, 'a');
  await synthesizeLandmarks(out, options);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('synthesizeLandmarks', () => {
  test('every planned image is on disk, in its landmark folder, of the size asked for', async () => {
    const truth = await readTruth();
    expect(truth).toHaveLength(4 * 6);
    expect(await readdir(join(out, 'images'))).toHaveLength(4);
    for (const { path, id } of truth) {
      const { width, height, format } = await sharp(join(out, path)).metadata();
      expect(format).toBe('jpeg');
      expect(Math.max(width, height), id).toBeLessThanOrEqual(96);
      expect(Math.max(width, height), id).toBeGreaterThanOrEqual(72);
    }
  });

  test('wrong images: the asked share in every landmark, named as such, without a box', async () => {
    const truth = await readTruth();
    for (const landmark of new Set(truth.map((line) => line.landmark))) {
      // round(6 * 0.34) = 2
      expect(truth.filter((line) => line.landmark === landmark && line.wrong)).toHaveLength(2);
    }
    for (const line of truth) {
      expect(line.kind === undefined).toBe(!line.wrong);
      expect(line.box === undefined).toBe(line.wrong);
      expect(line.homography === undefined).toBe(line.wrong);
    }
  });

  test('a box is the frame of the homography of the facade corners, cut to the image', async () => {
    for (const { box, homography, facade, path, wrong } of await readTruth()) {
      if (wrong || !box || !homography || !facade) continue;
      const { width, height } = await sharp(join(out, path)).metadata();
      const corners = [
        [0, 0],
        [facade.width, 0],
        [facade.width, facade.height],
        [0, facade.height],
      ].map(([u, v]) => transform(homography, u, v));
      const clamp = (value: number, high: number) => Math.min(high, Math.max(0, value));
      const xs = corners.map(([x]) => clamp(x, width));
      const ys = corners.map(([, y]) => clamp(y, height));
      expect(Math.abs(box.x - Math.min(...xs))).toBeLessThan(1);
      expect(Math.abs(box.y - Math.min(...ys))).toBeLessThan(1);
      expect(Math.abs(box.x + box.width - Math.max(...xs))).toBeLessThan(1);
      expect(Math.abs(box.y + box.height - Math.max(...ys))).toBeLessThan(1);
    }
  });

  test('manifests: all by folder; training landmarks only; held-back photographs in none of the training lists', async () => {
    const truth = new Map((await readTruth()).map((line) => [line.id, line]));
    const all = await readManifest(join(out, 'manifest.jsonl'));
    const noisy = await readManifest(join(out, 'manifest-train-noisy.jsonl'));
    const train = await readManifest(join(out, 'manifest-train.jsonl'));
    const val = await readManifest(join(out, 'manifest-val.jsonl'));
    expect(all).toHaveLength(24);
    for (const record of all) expect(record.path).toBe(join(out, 'images', `${record.id}.jpg`));
    expect(train.every(({ id }) => !truth.get(id)?.wrong)).toBe(true);
    expect(noisy.some(({ id }) => truth.get(id)?.wrong)).toBe(true);
    const held = new Set(val.map(({ id }) => id));
    expect(held.size).toBeGreaterThan(0);
    expect(noisy.some(({ id }) => held.has(id))).toBe(false);
    const trained = new Set(noisy.map(({ landmark }) => landmark));
    expect(trained.size).toBe(3);
    expect(val.every(({ landmark, id }) => trained.has(landmark) && !truth.get(id)?.wrong)).toBe(true);
  });

  test('ground truth: right photographs of unseen landmarks against theirs and all wrong images', async () => {
    const truth = await readTruth();
    const { queries, database } = await readGroundTruth(join(out, 'groundtruth.json'));
    const unseen = truth.filter(({ split }) => split === 'test');
    expect(new Set(unseen.map(({ landmark }) => landmark)).size).toBe(1);
    expect(queries.map(({ id }) => id)).toEqual(unseen.filter(({ wrong }) => !wrong).map(({ id }) => id));
    // 6 of the test landmark, and the 2 wrong images of each of the 3 others.
    expect(database).toHaveLength(6 + 3 * 2);
    for (const { id, positives, junk } of queries) {
      expect(junk).toEqual([id]);
      expect(positives).toHaveLength(3);
      expect(positives).not.toContain(id);
    }
    const seen = await readGroundTruth(join(out, 'groundtruth-seen.json'));
    expect(seen.queries.length).toBeGreaterThan(0);
    expect(seen.database.some(({ id }) => unseen.some((line) => line.id === id))).toBe(false);
  });

  test('the same options give the same bytes, another seed does not', async () => {
    const first = await digests(out);
    await synthesizeLandmarks(join(folder, 'b'), options);
    expect(await digests(join(folder, 'b'))).toEqual(first);
    await synthesizeLandmarks(join(folder, 'c'), { ...options, landmarks: 2, photos: 3, seed: 10 });
    const other = new Set((await digests(join(folder, 'c'))).values());
    expect([...first.values()].some((digest) => other.has(digest))).toBe(false);
  });
});

describe('what is there already', () => {
  const tiny = { landmarks: 2, photos: 3, noise: 0, size: 64 };

  test('a collection is kept without overwrite and replaced with it', async () => {
    const target = join(folder, 'keep');
    await synthesizeLandmarks(target, tiny);
    await expect(synthesizeLandmarks(target, tiny)).rejects.toThrow(/--overwrite/);
    await expect(synthesizeLandmarks(target, tiny)).rejects.toBeInstanceOf(InputError);
    await writeFile(join(target, 'stale'), '');
    await synthesizeLandmarks(target, tiny, { overwrite: true });
    expect(await readdir(target)).not.toContain('stale');
  });

  test('a folder with other things in it is never replaced', async () => {
    const target = join(folder, 'precious');
    await mkdir(target);
    await writeFile(join(target, 'thesis.txt'), 'x');
    await expect(synthesizeLandmarks(target, tiny, { overwrite: true })).rejects.toThrow(/something else/);
    expect(await readdir(target)).toEqual(['thesis.txt']);
    await expect(synthesizeLandmarks(join(target, 'thesis.txt'), tiny)).rejects.toThrow(/not a folder/);
  });

  test('a place that cannot be written is one clear line', async () => {
    await writeFile(join(folder, 'file'), '');
    const run = synthesizeLandmarks(join(folder, 'file', 'inside'), tiny);
    await expect(run).rejects.toThrow(InputError);
    await expect(run).rejects.toThrow(/file is not a folder/);
  });

  test('an interrupted run leaves nothing behind', async () => {
    const target = join(folder, 'interrupted');
    const controller = new AbortController();
    const run = synthesizeLandmarks(target, tiny, {
      signal: controller.signal,
      onProgress: (done) => done === 2 && controller.abort(),
    });
    await expect(run).rejects.toThrow(/Interrupted/);
    expect((await readdir(folder)).filter((name) => name.includes('interrupted'))).toEqual([]);
  });
});

describe('options', () => {
  test.each([
    [{ landmarks: 1 }, /--landmarks/],
    [{ siblings: 0 }, /--siblings/],
    [{ siblings: 9 }, /--siblings/],
    [{ testShare: 0 }, /--test-share/],
    [{ testShare: 1 }, /--test-share/],
    [{ photos: 2 }, /--photos/],
    [{ noise: 0.95 }, /--noise/],
    [{ noise: Number.NaN }, /--noise/],
    [{ photos: 4, noise: 0.8 }, /fewer than 2 right/],
    [{ size: 10 }, /--size/],
    [{ seed: -1 }, /--seed/],
    [{ seed: 1.5 }, /--seed/],
  ])('%o is refused', (bad, message) => {
    expect(() => checkSynthesizeOptions(bad)).toThrow(UsageError);
    expect(() => checkSynthesizeOptions(bad)).toThrow(message);
  });

  test('siblings share a style; a third of the landmarks is for testing', () => {
    const landmarks = planDataset(checkSynthesizeOptions({ landmarks: 27 }));
    expect(landmarks.filter(({ test: unseen }) => unseen)).toHaveLength(9);
    expect(new Set(landmarks.map(({ name }) => name)).size).toBe(27);
    for (const { style, plan } of landmarks) {
      const family = landmarks.filter((other) => other.style === style);
      expect(family).toHaveLength(3);
      expect(family.every((other) => other.plan === plan)).toBe(true);
    }
  });

  test.each([
    [20, 0.25, 5],
    [20, 0.01, 1],
    [2, 0.99, 1],
  ])('of %d landmarks a share of %d is %d', (landmarks, testShare, count) => {
    const planned = planDataset(checkSynthesizeOptions({ landmarks, testShare }));
    expect(planned.filter(({ test: unseen }) => unseen)).toHaveLength(count);
  });

  test('without siblings each landmark has a style of its own', () => {
    const landmarks = planDataset(checkSynthesizeOptions({ landmarks: 27, siblings: 1 }));
    expect(new Set(landmarks.map(({ style }) => style)).size).toBe(27);
    expect(landmarks.filter(({ test: unseen }) => unseen)).toHaveLength(9);
    expect(new Set(landmarks.map(({ name }) => name)).size).toBe(27);
  });
});
