import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, test } from 'vitest';
import { findImages } from '../../src/data/find-images.js';
import { InputError } from '../../src/errors.js';
import { labelByDepth, labelByPattern, scanFolder, scanTable } from '../../src/data/scan.js';

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

  test('a file in two landmarks is kept in the first, and both are named', async () => {
    const folder = await folderWith({ 'a/1.jpg': 7, 'a/2.jpg': 7, 'b/1.jpg': 7, 'b/2.jpg': 8 });
    const { records, conflicts, duplicates, landmarks } = await scanFolder(folder);
    expect(records.map(({ id }) => id)).toEqual(['a/1', 'b/2']);
    expect(conflicts).toEqual([{ paths: ['a/1.jpg', 'a/2.jpg', 'b/1.jpg'].map((name) => join(folder, name)) }]);
    expect(duplicates).toEqual(
      ['a/2.jpg', 'b/1.jpg'].map((name) => ({ path: join(folder, name), of: join(folder, 'a/1.jpg') })),
    );
    expect(landmarks).toEqual([
      { landmark: 'a', images: 1, broken: 0, duplicates: 1, conflicts: 2 },
      { landmark: 'b', images: 1, broken: 0, duplicates: 1, conflicts: 1 },
    ]);
  });

  test('of a labelled file and a copy without a label, the labelled one is kept', async () => {
    const folder = await folderWith({ '0.jpg': 7, 'a/1.jpg': 7 });
    const { records, conflicts } = await scanFolder(folder);
    expect(records.map(({ id, landmark }) => [id, landmark])).toEqual([['a/1', 'a']]);
    expect(conflicts).toEqual([]);
  });

  test('the label by depth', async () => {
    const folder = await folderWith({ 'fr/paris/a/1.jpg': 1, 'fr/2.jpg': 2, '3.jpg': 3, 'uk/bath/4.jpg': 4 });
    const { records, unlabelled } = await scanFolder(folder, { label: labelByDepth(2) });
    expect(records.map(({ id, landmark }) => [id, landmark])).toEqual([
      ['3', '3.jpg'],
      ['fr/2', 'fr'],
      ['fr/paris/a/1', 'fr/paris'],
      ['uk/bath/4', 'uk/bath'],
    ]);
    expect(unlabelled).toBe(1);
  });

  test('the label by pattern: the first group, or the whole match; no match is no label', async () => {
    const folder = await folderWith({ 'tower_01.jpg': 1, 'x/tower_02.jpg': 2, 'x/notes.jpg': 3 });
    const labels = async (pattern: RegExp) => {
      const { records } = await scanFolder(folder, { label: labelByPattern(pattern) });
      return records.map(({ landmark }) => landmark);
    };
    expect(await labels(/([a-z]+)_\d+\.jpg$/)).toEqual(['tower', 'x/notes.jpg', 'tower']);
    expect(await labels(/[a-z]+_/)).toEqual(['tower_', 'x/notes.jpg', 'tower_']);
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

  test('a folder that is reached by two names is searched once, by its own', async () => {
    const folder = await folderWith({ 'photos/a/1.jpg': 1, 'photos/b/2.jpg': 2 });
    symlinkSync(join(folder, 'photos'), join(folder, '0-link'));
    symlinkSync(folder, join(folder, 'photos/a/up'));
    const { images } = await findImages(folder);
    expect(images.map(({ parts }) => parts.join('/'))).toEqual(['photos/a/1.jpg', 'photos/b/2.jpg']);
    expect((await findImages(join(folder, '0-link'))).images.map(({ parts }) => parts.join('/'))).toEqual([
      'a/1.jpg',
      'b/2.jpg',
    ]);
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

describe('scanTable', () => {
  const table = async (text: string, files: Record<string, number> = { 'a/1.jpg': 1, 'a/2, b.jpg': 2, 'c.jpg': 3 }) => {
    const folder = await folderWith({ ...files, 'photos.csv': text });
    return { folder, file: join(folder, 'photos.csv') };
  };

  test('path and label; other columns are kept; a byte order mark, quotes, CRLF and no line break at the end', async () => {
    const { folder, file } = await table(
      '\ufeffpath,label,author,note\r\na/1.jpg,Tower,Ä,"says ""hi"", twice"\r\n"a/2, b.jpg",Bridge,,\r\nc.jpg,,x,007',
    );
    const { records, unlabelled } = await scanTable(file);
    expect(records).toEqual([
      {
        id: 'a/1',
        path: join(folder, 'a/1.jpg'),
        landmark: 'Tower',
        fields: { author: 'Ä', note: 'says "hi", twice' },
      },
      { id: 'a/2, b', path: join(folder, 'a/2, b.jpg'), landmark: 'Bridge', fields: { author: '', note: '' } },
      { id: 'c', path: join(folder, 'c.jpg'), landmark: 'c.jpg', fields: { author: 'x', note: '007' } },
    ]);
    expect(unlabelled).toBe(1);
  });

  test.each([';', '\t'])(
    'cells between %j; names in any case and order, ids and groups of its own',
    async (delimiter) => {
      const rows = [
        ['', 'Label', 'ID', 'group', 'Path'],
        ['0', 'Tower', 'x', 'east', 'a\\1.jpg'],
        ['1', 'Tower', 'y', '', './c.jpg'],
      ];
      const { folder, file } = await table(rows.map((row) => row.join(delimiter)).join('\n'));
      expect((await scanTable(file)).records).toEqual([
        { id: 'x', path: join(folder, 'a/1.jpg'), landmark: 'Tower', group: 'east' },
        { id: 'y', path: join(folder, 'c.jpg'), landmark: 'Tower' },
      ]);
    },
  );

  test('what is missing is listed as broken, a photograph that is listed twice as a copy', async () => {
    const { folder, file } = await table('path,label\na/1.jpg,A\nnowhere.jpg,A\na/1.jpg,B\n');
    const { records, broken, duplicates, conflicts } = await scanTable(file);
    expect(records.map(({ id, landmark }) => [id, landmark])).toEqual([['a/1', 'A']]);
    expect(broken).toEqual([{ path: join(folder, 'nowhere.jpg'), reason: 'no such image file.' }]);
    expect(duplicates).toEqual([{ path: join(folder, 'a/1.jpg'), of: join(folder, 'a/1.jpg') }]);
    expect(conflicts).toHaveLength(1);
  });

  test.each<[string, string, RegExp]>([
    ['no label', 'path,author\na/1.jpg,x\n', /expected a first line with the columns path and label/],
    ['no names', 'a/1.jpg,A\n', /expected a first line with the columns path and label/],
    ['nothing', '', /expected a first line/],
    ['two columns of one name', 'path,label,x,x\na/1.jpg,A,1,2\n', /two columns "x"/],
    ['a line that is too short', 'path,label\na/1.jpg\n', /cannot be read as CSV: .*line 2/],
    ['a quote that stays open', 'path,label\n"a/1.jpg,A\n', /cannot be read as CSV/],
    ['a path out of the folder', 'path,label\nc.jpg,A\n../x.jpg,A\n', /:3: the image path .* leads out/],
    ['an absolute path', 'path,label\n/etc/x.jpg,A\n', /:2: the image path .* must be relative/],
    ['no path', 'path,label\n,A\n', /:2: "path" is empty/],
    ['a line break in a label', 'path,label\nc.jpg,"A\nB"\n', /"label" must not contain control/],
    ['an id used twice', 'path,label,id\nc.jpg,A,i\na/1.jpg,A,i\n', /:3: the id "i" was used in line 2/],
    ['an empty id', 'path,label,id\nc.jpg,A,\n', /:2: "id" is empty/],
    ['a column that a manifest has', 'path,label,box\nc.jpg,A,1\n', /rename its column "box"/],
  ])('%s is one line that names the file', async (_, text, message) => {
    const { file } = await table(text);
    const error: unknown = await scanTable(file).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(InputError);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).not.toContain('\n');
    expect((error as Error).message.startsWith(file)).toBe(true);
  });
});
