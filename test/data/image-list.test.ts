import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findImages } from '../../src/data/find-images.js';
import { InputError } from '../../src/errors.js';
import { listImages } from '../../src/data/image-list.js';

function folderWith(...names: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'rmac-list-'));
  for (const name of names) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), '');
  }
  return folder;
}

test('a folder: images in all depths by name; ids without extension unless two would be equal', async () => {
  const folder = folderWith(
    'b/2.jpg',
    'b/10.JPG',
    'a.png',
    'a.jpeg',
    'notes.txt',
    '.hidden/x.jpg',
    'b/.y.jpg',
    'c.v2.webp',
  );
  expect(await listImages(folder)).toEqual(
    [
      ['a.jpeg', 'a.jpeg'],
      ['a.png', 'a.png'],
      ['b/10', 'b/10.JPG'],
      ['b/2', 'b/2.jpg'],
      ['c.v2', 'c.v2.webp'],
    ].map(([id, name]) => ({ id, path: join(folder, name) })),
  );
});

test('a text list: its order, paths relative to it, empty lines and CRLF', async () => {
  const folder = folderWith();
  writeFileSync(join(folder, 'list.txt'), 'x/2.jpg\r\n\r\n../up/1.jpg\n');
  expect(await listImages(join(folder, 'list.txt'))).toEqual([
    { id: 'x/2', path: join(folder, 'x/2.jpg') },
    { id: '../up/1', path: join(folder, '../up/1.jpg') },
  ]);
});

test('a text list of Windows: a byte order mark and backslashes', async () => {
  const folder = folderWith('x/2.jpg', '1.jpg');
  writeFileSync(join(folder, 'list.txt'), '\ufeff1.jpg\r\nx\\2.jpg\r\n');
  expect(await listImages(join(folder, 'list.txt'))).toEqual([
    { id: '1', path: join(folder, '1.jpg') },
    { id: 'x/2', path: join(folder, 'x/2.jpg') },
  ]);
});

test('a table: its ids, or paths without extension', async () => {
  const folder = folderWith();
  writeFileSync(join(folder, 'a.csv'), 'path,label\nx/1.jpg,t\nx/1.png,t\n2.jpg,t\n');
  expect((await listImages(join(folder, 'a.csv'))).map(({ id }) => id)).toEqual(['x/1.jpg', 'x/1.png', '2']);
  writeFileSync(join(folder, 'b.csv'), 'id,path,label\none.x,x/1.jpg,t\n');
  expect(await listImages(join(folder, 'b.csv'))).toEqual([{ id: 'one.x', path: join(folder, 'x/1.jpg') }]);
});

test('a folder: the files that data scan takes, each once though links lead back up', async () => {
  const folder = folderWith('photos/a/1.jpg', 'photos/a/2.jpg', 'notes.txt');
  writeFileSync(join(folder, 'photos/unnamed'), Buffer.from([0xff, 0xd8, 0xff, 0xe0]));
  mkdirSync(join(folder, 'photos/split'));
  symlinkSync(join(folder, 'photos'), join(folder, 'photos/split/photos'));
  const listed = await listImages(folder);
  expect(listed.map(({ id }) => id)).toEqual(['photos/a/1', 'photos/a/2', 'photos/unnamed']);
  const { images } = await findImages(folder);
  expect(listed.map(({ path }) => path)).toEqual(images.map(({ path }) => path));
});

test('a manifest: its ids and boxes', async () => {
  const folder = folderWith();
  const box = { x: 1, y: 2, width: 3, height: 4 };
  writeFileSync(join(folder, 'm.jsonl'), JSON.stringify({ id: 'q', path: '1.jpg', landmark: 'a', box }));
  expect(await listImages(join(folder, 'm.jsonl'))).toEqual([{ id: 'q', path: join(folder, '1.jpg'), box }]);
});

test('nothing there, nothing in it, the same twice, a picture instead of a list', async () => {
  const folder = folderWith();
  await expect(listImages(join(folder, 'none'))).rejects.toThrow(/^Cannot read --images /);
  await expect(listImages(folder)).rejects.toThrow(/lists no images; expected a folder/);
  writeFileSync(join(folder, 'twice.txt'), '1.jpg\n1.jpg\n');
  await expect(listImages(join(folder, 'twice.txt'))).rejects.toThrow('"1.jpg" is listed twice');
  writeFileSync(join(folder, 'image.jpg'), Buffer.of(0xff, 0xd8, 0, 0));
  await expect(listImages(join(folder, 'image.jpg'))).rejects.toThrow(InputError);
});
