import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, expect, test } from 'vitest';
import type { ImageRecord } from '../../../src/data/manifest.js';
import { InputError, UsageError } from '../../../src/errors.js';
import { withViews } from '../../../src/train/views/training-record.js';
import { openViews, ViewGenerator } from '../../../src/train/views/view-generator.js';
import { type ViewSettings, viewSettingsSchema } from '../../../src/train/views/view-settings.js';
import { temporaryFolder } from '../tiny-run.js';

const settings = (changes: Partial<ViewSettings> = {}) => viewSettingsSchema.parse(changes);
const still = { turn: 0, tilt: 0, shift: 0, light: 0, warmth: 0, glare: 0 };
const allOff = { ...still, blur: 0, noise: 0, jpeg: 100, pictures: 0 };
const frame = { width: 48, height: 36 };
let folder: string;
let red: ImageRecord;

async function plain(name: string, background: string): Promise<ImageRecord> {
  const path = join(folder, name);
  await sharp({ create: { width: 60, height: 80, channels: 3, background } })
    .png()
    .toFile(path);
  return { id: name, path, landmark: name };
}

beforeAll(async () => {
  folder = await temporaryFolder();
  red = await plain('red.png', '#ff0000');
});

test('a seed gives the same photograph, another one another, of the sides asked for', async () => {
  const views = new ViewGenerator(settings(), [red.path]);
  const first = await views.generate(red, 7, frame);
  expect(first).toMatchObject(frame);
  expect(first.data).toHaveLength(48 * 36 * 3);
  expect(Buffer.from((await views.generate(red, 7, frame)).data).equals(Buffer.from(first.data))).toBe(true);
  expect(Buffer.from((await views.generate(red, 8, frame)).data).equals(Buffer.from(first.data))).toBe(false);
});

test('with every change off it is the image before a surface', async () => {
  const off = settings({ ...allOff, smallest: 2, largest: 2 });
  const { data } = await new ViewGenerator(off, []).generate(red, 1, frame);
  // 1.5 sides of the frame wide: nothing else is seen
  expect(data.every((value, i) => value === (i % 3 === 0 ? 255 : 0))).toBe(true);
});

test('behind lies a photograph of the list; one that cannot be read leaves the image readable', async () => {
  const green = await plain('green.png', '#00ff00');
  const broken = join(folder, 'broken.png');
  await writeFile(broken, 'no image');
  const small = settings({ ...allOff, smallest: 0.1, largest: 0.1, pictures: 1 });
  const corner = async (path: string) =>
    Array.from((await new ViewGenerator(small, [path]).generate(red, 3, frame)).data.slice(0, 3));
  expect(await corner(green.path)).toEqual([0, 255, 0]);
  expect(await corner(broken)).toEqual([128, 128, 128]);
  const lost = { ...red, path: broken };
  await expect(new ViewGenerator(small, [green.path]).generate(lost, 3, frame)).rejects.toThrow(InputError);
});

test('openViews: the photographs of a folder, or an error that names it', async () => {
  expect(await openViews(undefined, [red])).toBeUndefined();
  const empty = join(folder, 'empty');
  await mkdir(empty);
  const of = (changes: Partial<ViewSettings>) => openViews(settings(changes), [red]);
  await expect(of({ backgrounds: empty })).rejects.toThrow(`views.backgrounds: ${empty} has no photograph.`);
  await expect(of({ backgrounds: join(folder, 'none') })).rejects.toThrow(/Cannot read views\.backgrounds .*none: /);
  await expect(of({ smallest: 1, largest: 0.5 })).rejects.toThrow(UsageError);
  expect(await of({ backgrounds: folder })).toBeInstanceOf(ViewGenerator);
});

test('withViews: every image as it is, then its views under names of their own', () => {
  const records = withViews([red, { ...red, id: 'b' }], { perImage: 2 });
  expect(records.map(({ id, generated }) => [id, generated])).toEqual([
    ['red.png', undefined],
    ['red.png (view 1)', true],
    ['red.png (view 2)', true],
    ['b', undefined],
    ['b (view 1)', true],
    ['b (view 2)', true],
  ]);
  expect(withViews([red], undefined)).toEqual([red]);
});
