/** @file What the stages of data do when they are called as functions: their errors, and what they leave. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { InputError, UsageError } from '../../src/errors.js';
import { extract } from '../../src/stages/extract.js';
import { scan } from '../../src/stages/scan.js';
import { split } from '../../src/stages/split.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rmac-stages-'));
});

async function manifestOf(...landmarks: string[]): Promise<string> {
  const file = join(folder, 'train.jsonl');
  const lines = landmarks.map((landmark, i) => JSON.stringify({ id: `${i}`, path: `${i}.jpg`, landmark }));
  await writeFile(file, `${lines.join('\n')}\n`);
  return file;
}

test('split refuses to write over its own manifest, by that name or by a link, and leaves it as it was', async () => {
  const manifest = await manifestOf('a', 'a', 'b', 'b');
  const before = await readFile(manifest, 'utf8');
  await symlink(manifest, join(folder, 'val.jsonl'));
  const link = join(folder, 'val.jsonl');
  for (const source of [manifest, link]) {
    const options = { manifest: source, by: 'photo', val: 0.5, overwrite: true } as const;
    await expect(split(options)).rejects.toThrow(UsageError);
  }
  expect(await readFile(manifest, 'utf8')).toBe(before);
});

test('split warns of landmarks with one photograph in what is held back', async () => {
  const manifest = await manifestOf('a', 'a', 'b', 'b');
  const notes: string[] = [];
  const view = { note: (text: string) => notes.push(text), progress: () => ({ update() {}, stop() {} }) };
  const out = join(folder, 'halves');
  const { val, train } = await split({ manifest, by: 'photo', val: 0.5, out }, { view });
  expect([val.single, train.images + val.images]).toEqual([2, 4]);
  expect(notes.join('\n')).toContain('2 landmarks have one image');
});

test('scan refuses two ways to label before it reads anything', async () => {
  const out = join(folder, 'm.jsonl');
  const options = { source: join(folder, 'missing'), out, labelDepth: 2, labelPattern: /(\w+)/ };
  await expect(scan(options)).rejects.toThrow(UsageError);
});

test('scan of a folder without an image that can be used writes no manifest', async () => {
  await writeFile(join(folder, 'broken.jpg'), 'no image');
  const out = join(folder, 'm.jsonl');
  await expect(scan({ source: folder, out })).rejects.toThrow(InputError);
  expect(existsSync(out)).toBe(false);
});

test('extract wants a model or a published system, and writes nothing without', async () => {
  const out = join(folder, 'descriptors');
  const options = { images: folder, out };
  await expect(extract(options)).rejects.toThrow(UsageError);
  await expect(extract({ ...options, model: 'm', preset: 'tolias-mac' })).rejects.toThrow(UsageError);
  expect(existsSync(out)).toBe(false);
});
