import '../support/engine.js';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RecentlyUsed } from '../../src/collection/second-look.js';
import { writeModelFile } from '../../src/data/model-file.js';
import { buildIndex } from '../../src/stages/index-update.js';
import { type OpenedCollection, openCollection } from '../../src/stages/search.js';
import { picture } from './picture.js';
import { smallModelParts } from '../support/small-model.js';

let folder: string;
let collection: OpenedCollection;
let query: Buffer;
/** Where the picture lies in the query, px. */
const place = { left: 60, top: 40, width: 160, height: 120 };

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rmac-look-'));
  const photographs = join(folder, 'photographs');
  mkdirSync(photographs);
  for (let i = 0; i < 6; i++) writeFileSync(join(photographs, `${i}.png`), await picture(i + 1));
  const model = join(folder, 'model.safetensors');
  await writeModelFile(model, smallModelParts());
  const index = join(folder, 'index');
  await buildIndex({ source: photographs, model, out: index, size: 128 });
  // The fourth at half its size and upside down, somewhere in a grey picture.
  const small = await sharp(await picture(4))
    .resize(place.width, place.height)
    .rotate(180)
    .toBuffer();
  const grey = { width: 400, height: 300, channels: 3 as const, background: '#999' };
  query = await sharp({ create: grey })
    .composite([{ input: small, left: place.left, top: place.top }])
    .png()
    .toBuffer();
  collection = await openCollection(index);
});

afterAll(() => {
  collection.dispose();
  rmSync(folder, { recursive: true });
});

test('sift: the photograph whose keypoints agree comes first, with what was matched in both', async () => {
  const { objects, found, ms } = await collection.search({ image: query }, { rerank: 'sift', count: 3 });
  expect(objects.length).toBe(3);
  const [{ item, agreeing, regions }] = objects[0].results;
  expect(item.id).toBe('3');
  expect(agreeing).toBeGreaterThanOrEqual(15);
  expect(found).toBe(true);
  expect(ms.verify).toBeGreaterThan(0);
  const { x, y, width, height } = regions!.query;
  expect(x).toBeGreaterThan(place.left - 3);
  expect(y).toBeGreaterThan(place.top - 3);
  expect(x + width).toBeLessThan(place.left + place.width + 3);
  expect(y + height).toBeLessThan(place.top + place.height + 3);
  expect(regions!.item.width).toBeGreaterThan(1.6 * width);
  for (const { results } of objects.slice(1)) expect(results[0].agreeing).toBeLessThan(15);
  const kept = readdirSync(join(folder, 'index/features'));
  expect(kept.length).toBe(6);
});

test('sift with a box: keypoints count in it alone, and regions are px of the whole query', async () => {
  const box = { x: place.left, y: place.top, width: 80, height: place.height };
  const { objects } = await collection.search({ image: query, box }, { rerank: 'sift', count: 1 });
  const [{ item, agreeing, regions }] = objects[0].results;
  expect(item.id).toBe('3');
  expect(agreeing).toBeGreaterThan(0);
  expect(regions!.query.x).toBeGreaterThan(box.x - 1);
  expect(regions!.query.x + regions!.query.width).toBeLessThan(box.x + box.width + 1);
  // Upside down: the left half of the query is the right half of the photograph.
  expect(regions!.item.x).toBeGreaterThan(130);
});

test('sift: where nothing agrees and no threshold was learned, the query is not in the collection', async () => {
  const { objects, found } = await collection.search({ image: await picture(99) }, { rerank: 'sift' });
  expect(found).toBe(false);
  expect(objects.flatMap(({ results }) => results).length).toBe(6);
});

test('aml: a box in every photograph, and the query itself first', async () => {
  const { objects } = await collection.search({ image: await picture(2) }, { rerank: 'aml' });
  const [{ item, regions, agreeing }] = objects[0].results;
  expect(item.id).toBe('1');
  expect(agreeing).toBeUndefined();
  expect(regions!.query).toEqual({ x: 0, y: 0, width: 320, height: 240 });
  for (const { results } of objects) {
    const { x, y, width, height } = results[0].regions!.item;
    expect([x >= 0, y >= 0, width > 0, height > 0, x + width <= 320.01, y + height <= 240.01]).not.toContain(false);
  }
});

test('a photograph that is gone is not looked into, and the others are', async () => {
  rmSync(join(folder, 'index/features'), { recursive: true });
  const fresh = await openCollection(join(folder, 'index'));
  const gone = join(folder, 'photographs/0.png');
  rmSync(gone);
  try {
    const { objects } = await fresh.search({ image: query }, { rerank: 'sift' });
    expect(objects[0].results[0].item.id).toBe('3');
    const result = objects.flatMap(({ results }) => results).find(({ item }) => item.id === '0');
    expect(result).toBeDefined();
    expect(result!.agreeing).toBeUndefined();
    expect(existsSync(gone)).toBe(false);
  } finally {
    fresh.dispose();
    writeFileSync(gone, await picture(1));
  }
});

test('a search that is no longer wanted ends', async () => {
  const stop = new AbortController();
  const search = collection.search({ image: query }, { rerank: 'sift', signal: stop.signal });
  stop.abort();
  await expect(search).rejects.toThrow(/abort/i);
});

test('what was not used for longest is forgotten first', () => {
  const recent = new RecentlyUsed<number>(10);
  recent.set('a', 1, 4);
  recent.set('b', 2, 4);
  expect(recent.get('a')).toBe(1);
  recent.set('c', 3, 4);
  expect([recent.get('a'), recent.get('b'), recent.get('c')]).toEqual([1, undefined, 3]);
  recent.set('d', 4, 40); // more than there is room for: alone
  expect([recent.get('a'), recent.get('c'), recent.get('d')]).toEqual([undefined, undefined, 4]);
});

test('turns: a query on its side is found at the turn that sets it upright', async () => {
  const lying = await sharp(await picture(4))
    .rotate(90)
    .png()
    .toBuffer();
  const best = async (turns?: 1 | 4) => (await collection.search({ image: lying, turns })).objects[0].results[0];
  const [plain, turned] = [await best(), await best(4)];
  expect(plain).not.toHaveProperty('turn');
  expect(turned).toMatchObject({ item: { id: '3' }, turn: 270 });
  expect(turned.similarity).toBeGreaterThan(0.999);
  expect(turned.similarity).toBeGreaterThan(plain.similarity + 0.001);
  await expect(collection.search({ image: lying, turns: 4 }, { rerank: 'aml' })).rejects.toThrow(
    'Turns of a query go with keypoints or alone: aml looks for it as it is.',
  );
});
