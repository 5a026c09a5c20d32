import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, test } from 'vitest';
import { scanFolder } from '../../src/data/scan.js';

const created: string[] = [];
afterAll(() => Promise.all(created.map((folder) => rm(folder, { recursive: true, force: true }))));

/** A folder with these files; a number is a photograph of its own (equal numbers: equal bytes). */
async function folderWith(files: Record<string, number | string | Uint8Array>): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'rmac-scan-'));
  created.push(folder);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), typeof content === 'number' ? await photo(content) : content);
  }
  return folder;
}

function photo(seed: number): Promise<Buffer> {
  const background = { r: seed % 256, g: 80, b: 120 };
  return sharp({ create: { width: 40, height: 30, channels: 3, background } })
    .jpeg()
    .toBuffer();
}

describe('scanFolder', () => {
  test('the landmark is the first folder, however deep, in the order of names', async () => {
    const folder = await folderWith({ 'b/2.jpg': 1, 'b/10.jpg': 2, 'a/deep/er/x.jpg': 3, 'B/y.png': 4 });
    const { records } = await scanFolder(folder);
    expect(records).toEqual([
      { id: 'B/y', path: join(folder, 'B/y.png'), landmark: 'B' },
      { id: 'a/deep/er/x', path: join(folder, 'a/deep/er/x.jpg'), landmark: 'a' },
      { id: 'b/10', path: join(folder, 'b/10.jpg'), landmark: 'b' },
      { id: 'b/2', path: join(folder, 'b/2.jpg'), landmark: 'b' },
    ]);
  });

  test('files that would share an id keep their extension', async () => {
    // a/1.jpg and a/1.png would both be a/1; their whole names then meet the id of a/1.jpg.webp
    const folder = await folderWith({ 'a/1.jpg': 1, 'a/1.png': 2, 'a/1.jpg.webp': 3, 'a/2.jpg': 4 });
    const { records } = await scanFolder(folder);
    expect(records.map(({ id }) => id)).toEqual(['a/1.jpg', 'a/1.jpg.webp', 'a/1.png', 'a/2']);
  });

  test('images directly in the folder are landmarks of their own', async () => {
    const { records, unlabelled } = await scanFolder(await folderWith({ 'x.jpg': 1, 'y.jpg': 2, 'x/1.jpg': 3 }));
    expect(records.map(({ id, landmark }) => [id, landmark])).toEqual([
      ['x/1', 'x'],
      ['x', 'x.jpg'],
      ['y', 'y.jpg'],
    ]);
    expect(unlabelled).toBe(2);
  });

  test('hidden files and others are skipped and counted; an image without extension is found', async () => {
    const folder = await folderWith({
      'a/.hidden.jpg': 1,
      'a/notes.txt': 'text',
      'a/photo': 2,
      '.git/x.jpg': 3,
      'a/movie.mp4': 'x',
    });
    const { records, skipped, broken } = await scanFolder(folder);
    expect(records.map(({ id }) => id)).toEqual(['a/photo']);
    expect(skipped).toBe(4); // .hidden.jpg, notes.txt, movie.mp4, .git
    expect(broken).toEqual([]);
  });

  test('what cannot be decoded is listed with its reason, and the rest goes on', async () => {
    const whole = await photo(1);
    const folder = await folderWith({
      'a/0-empty.jpg': '',
      'a/1-cut.jpg': whole.subarray(0, whole.length - 40),
      'a/2-page.jpg': '<html>not found</html>',
      'a/3-dot.png': await sharp({ create: { width: 1, height: 1, channels: 3, background: '#000' } })
        .png()
        .toBuffer(),
      'a/4-drawing.svg': '<svg xmlns="http://www.w3.org/2000/svg"/>',
      'a/5-good.jpg': 5,
    });
    symlinkSync(join(folder, 'nowhere'), join(folder, 'a/6-dangling.jpg'));
    const { records, broken, landmarks } = await scanFolder(folder);
    expect(records.map(({ id }) => id)).toEqual(['a/5-good']);
    expect(broken.map(({ path }) => path.slice(folder.length + 3, folder.length + 4))).toEqual([
      '0',
      '1',
      '2',
      '3',
      '4',
      '6',
    ]);
    const reasons = [
      /^the file is empty/,
      /^broken image/,
      /^not a photograph/,
      /^1x1 px is too small/,
      /^not a photo/,
      /^no such/,
    ];
    broken.forEach(({ reason }, i) => expect(reason).toMatch(reasons[i]));
    expect(landmarks).toEqual([{ landmark: 'a', images: 1, broken: 6, duplicates: 0, conflicts: 0 }]);
  });

  test('copies are kept once per landmark, the first by name', async () => {
    const folder = await folderWith({ 'a/2.jpg': 7, 'a/1.jpg': 7, 'a/3.png': 7, 'a/4.jpg': 8 });
    const { records, duplicates } = await scanFolder(folder);
    expect(records.map(({ id }) => id)).toEqual(['a/1', 'a/4']);
    expect(duplicates).toEqual(
      ['2.jpg', '3.png'].map((name) => ({ path: join(folder, 'a', name), of: join(folder, 'a/1.jpg') })),
    );
  });

  test('a file in two landmarks is left out of both', async () => {
    const folder = await folderWith({ 'a/1.jpg': 7, 'a/2.jpg': 7, 'b/1.jpg': 7, 'b/2.jpg': 8 });
    const { records, conflicts, duplicates, landmarks } = await scanFolder(folder);
    expect(records.map(({ id }) => id)).toEqual(['b/2']);
    expect(conflicts).toEqual([{ paths: ['a/1.jpg', 'a/2.jpg', 'b/1.jpg'].map((name) => join(folder, name)) }]);
    expect(duplicates).toEqual([]);
    expect(landmarks).toEqual([
      { landmark: 'a', images: 0, broken: 0, duplicates: 0, conflicts: 2 },
      { landmark: 'b', images: 1, broken: 0, duplicates: 0, conflicts: 1 },
    ]);
  });

  test('minImages counts what is left after copies', async () => {
    const folder = await folderWith({ 'a/1.jpg': 1, 'a/2.jpg': 1, 'b/1.jpg': 2, 'b/2.jpg': 3 });
    const { records, tooFew } = await scanFolder(folder, { minImages: 2 });
    expect(records.map(({ landmark }) => landmark)).toEqual(['b', 'b']);
    expect(tooFew).toEqual([{ landmark: 'a', images: 1 }]);
  });

  test('linked folders are followed, a link back up is not', async () => {
    const elsewhere = await folderWith({ '1.jpg': 1 });
    const folder = await folderWith({ 'a/1.jpg': 2 });
    symlinkSync(elsewhere, join(folder, 'b'));
    symlinkSync(folder, join(folder, 'a/up'));
    const { records } = await scanFolder(folder);
    expect(records.map(({ id }) => id)).toEqual(['a/1', 'b/1']);
  });

  test('a missing folder and an interruption are InputErrors; progress reaches the total', async () => {
    await expect(scanFolder('/nowhere/at/all')).rejects.toThrow(/Cannot scan \/nowhere\/at\/all: ENOENT/);
    const folder = await folderWith({ 'a/1.jpg': 1, 'a/2.jpg': 2, 'a/3.jpg': 3 });
    const seen: number[][] = [];
    await scanFolder(folder, { onProgress: (done, total) => seen.push([done, total]) });
    expect(seen).toEqual([
      [1, 3],
      [2, 3],
      [3, 3],
    ]);
    await expect(scanFolder(folder, { signal: AbortSignal.abort() })).rejects.toThrow(
      /Interrupted after 0 of 3 images/,
    );
  });
});
