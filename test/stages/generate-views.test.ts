import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, expect, test } from 'vitest';
import { readManifest, writeManifest } from '../../src/data/manifest.js';
import { InputError } from '../../src/errors.js';
import { readGroundTruth } from '../../src/retrieval/ground-truth.js';
import { generateViews } from '../../src/stages/generate-views.js';
import { stripedPhotographs, temporaryFolder } from '../train/tiny-run.js';

let folder: string;
let manifest: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  await mkdir(join(folder, 'pictures'));
  const records = await stripedPhotographs(join(folder, 'pictures'), { photos: 1 });
  manifest = join(folder, 'pictures', 'manifest.jsonl');
  await writeManifest(manifest, [
    ...records,
    { id: 'lost', path: join(folder, 'pictures', 'lost.png'), landmark: 'l0' },
  ]);
});

test('photographs of every picture, a manifest of them, and a ground truth that asks for the pictures', async () => {
  const out = join(folder, 'views');
  const written = await generateViews({ manifest, out, perImage: 2, size: 64, seed: 1 });
  expect(written).toMatchObject({ views: 6, images: 4, landmarks: 3 });
  expect(written.failures.map(({ id }) => id)).toEqual(['lost (view 1)', 'lost (view 2)']);
  const views = await readManifest(join(out, 'manifest.jsonl'));
  expect(views.map(({ landmark }) => landmark)).toEqual(['l0', 'l0', 'l1', 'l1', 'l2', 'l2']);
  const { width, height } = await sharp(views[0].path).metadata();
  expect([Math.min(width, height), Math.max(width, height)]).toEqual([48, 64]);
  const { queries, database } = await readGroundTruth(join(out, 'groundtruth.json'));
  expect(queries.map(({ id, positives }) => [id, positives])[2]).toEqual(['l1/p0 (view 1)', ['l1/p0']]);
  expect(database.map(({ id }) => id)).toEqual(['l0/p0', 'l1/p0', 'l2/p0', 'lost']);
  const [linked, original] = await Promise.all([
    readFile(database[0].image),
    readFile(join(folder, 'pictures/l0-p0.png')),
  ]);
  expect(linked.equals(original)).toBe(true);

  await expect(generateViews({ manifest, out })).rejects.toThrow(/exists; pass --overwrite/);
  await generateViews({ manifest, out, perImage: 2, size: 64, seed: 1, overwrite: true });
  const again = await readManifest(join(out, 'manifest.jsonl'));
  expect(again).toEqual(views);
});

test('the same seed gives the same bytes, another one others; settings change them', async () => {
  const first = async (name: string, options: { seed?: number; set?: string[] }) => {
    const out = join(folder, name);
    await generateViews({ manifest, out, perImage: 1, size: 48, ...options });
    return readFile((await readManifest(join(out, 'manifest.jsonl')))[0].path);
  };
  const one = await first('one', { seed: 5 });
  expect((await first('two', { seed: 5 })).equals(one)).toBe(true);
  expect((await first('three', { seed: 6 })).equals(one)).toBe(false);
  expect((await first('four', { seed: 5, set: ['turn=0'] })).equals(one)).toBe(false);
});

test('nothing is written where no picture can be read, or another folder is in the way', async () => {
  const broken = join(folder, 'broken.jsonl');
  await writeManifest(broken, [{ id: 'a', path: join(folder, 'none.png'), landmark: 'a' }]);
  const out = join(folder, 'none');
  await expect(generateViews({ manifest: broken, out })).rejects.toThrow(/^None of the 1 photographs can be read/);
  await expect(readFile(join(out, 'manifest.jsonl'))).rejects.toThrow(/ENOENT/);
  await mkdir(join(folder, 'taken'));
  await writeFile(join(folder, 'taken', 'letter.txt'), 'mine');
  const taken = generateViews({ manifest, out: join(folder, 'taken'), overwrite: true });
  await expect(taken).rejects.toThrow(InputError);
});
