import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { type ImageRecord, readManifest, writeManifest } from '../../src/data/manifest.js';
import { InputError } from '../../src/errors.js';
import { sharedData } from '../support/data.js';

const folder = mkdtempSync(join(tmpdir(), 'rmac-manifest-'));
afterAll(() => rm(folder, { recursive: true, force: true }));
const file = join(folder, 'manifest.jsonl');

function read(content: string | Uint8Array): Promise<ImageRecord[]> {
  writeFileSync(file, content);
  return readManifest(file);
}

const line = '{"id":"a/1","path":"a/1.jpg","landmark":"a"}';

describe('readManifest', () => {
  test('a line that repeats an earlier one is passed over', async () => {
    expect(await read(`${line}\n${line}\n`)).toHaveLength(1);
  });

  test('records in file order, paths resolved against the manifest', async () => {
    const second =
      '{"id":"b","path":"sub/b.png","landmark":"b","group":"site","box":{"x":1.5,"y":0,"width":10,"height":4}}';
    expect(await read(`${line}\n${second}\n`)).toEqual([
      { id: 'a/1', path: join(folder, 'a/1.jpg'), landmark: 'a' },
      {
        id: 'b',
        path: join(folder, 'sub/b.png'),
        landmark: 'b',
        group: 'site',
        box: { x: 1.5, y: 0, width: 10, height: 4 },
      },
    ]);
  });

  test('a relative manifest gives paths relative to the working folder', async () => {
    writeFileSync(file, line);
    const [record] = await readManifest(relative(process.cwd(), file));
    expect(record.path).toBe(relative(process.cwd(), join(folder, 'a/1.jpg')));
  });

  test('BOM, CRLF, blank lines, no newline at the end, names in any script', async () => {
    const records = await read(`\ufeff${line}\r\n\r\n  \n{"id":"ä 北","path":"北/ä.jpg","landmark":"北"}`);
    expect(records.map(({ id }) => id)).toEqual(['a/1', 'ä 北']);
    expect(records[1]).toEqual({ id: 'ä 北', path: join(folder, '北/ä.jpg'), landmark: '北' });
  });

  test('keys that mean nothing here are kept, and written again behind the known ones', async () => {
    const note = '{"date":"1889","note":{"by":["Ä"]},"id":"b","path":"b.jpg","landmark":"b","__proto__":7}';
    const records = await read(`${line}\n${note}\n`);
    expect(records[0]).not.toHaveProperty('fields');
    expect(records[1]).toMatchObject({ id: 'b', fields: { date: '1889', note: { by: ['Ä'] } } });
    const out = join(folder, 'kept.jsonl');
    await writeManifest(out, records);
    expect(readFileSync(out, 'utf8').split('\n')[1]).toMatch(
      /^{"id":"b","path":"b.jpg","landmark":"b",.*"date":"1889","note":{"by":\["Ä"\]}/,
    );
    expect(await readManifest(out)).toEqual(records);
  });

  test('backslashes of Windows separate folders, unless a file has one in its name', async () => {
    writeFileSync(join(folder, 'odd\\name.jpg'), '');
    const records = await read(
      ['a\\b\\1.jpg', 'odd\\name.jpg'].map((path, i) => JSON.stringify({ id: `${i}`, path, landmark: 'a' })).join('\n'),
    );
    expect(records.map(({ path }) => path)).toEqual([join(folder, 'a/b/1.jpg'), join(folder, 'odd\\name.jpg')]);
  });

  test('a line across two chunks of the file stream', async () => {
    // the stream reads 64 KiB at a time; 2,000 lines of about 60 bytes cross that boundary
    const lines = Array.from({ length: 2000 }, (_, i) => `{"id":"é${i}","path":"é/${i}.jpg","landmark":"é"}`);
    const records = await read(lines.join('\n'));
    expect(records.map(({ id }) => id)).toEqual(lines.map((_, i) => `é${i}`));
  });

  const box = (value: string) => `{"id":"b","path":"b.jpg","landmark":"b","box":${value}}`;
  test.each<[string, string, RegExp]>([
    ['broken JSON', '{"id":', /:2: expected one JSON object per line/],
    ['an array', '[1]', /:2: record: .*expected object/],
    ['a missing field', '{"id":"b","path":"b.jpg"}', /:2: "landmark": /],
    ['a wrong type', '{"id":7,"path":"b.jpg","landmark":"b"}', /:2: "id": .*expected string/],
    ['an empty id', '{"id":"","path":"b.jpg","landmark":"b"}', /:2: "id": must not be empty/],
    ['a line break in an id', '{"id":"b\\nc","path":"b.jpg","landmark":"b"}', /:2: "id": must not contain control/],
    [
      'a zero byte in a path',
      '{"id":"b","path":"b\\u0000.jpg","landmark":"b"}',
      /:2: "path": must not contain control/,
    ],
    [
      'an id used for two images',
      '{"id":"a/1","path":"b.jpg","landmark":"b"}',
      /:2: the id "a\/1" was used in line 1 for another image; ids must be unique/,
    ],
    ['an absolute path', '{"id":"b","path":"/etc/b.jpg","landmark":"b"}', /:2: the image path .* must be relative/],
    ['a path out of the folder', '{"id":"b","path":"../b.jpg","landmark":"b"}', /:2: the image path .* leads out/],
    ['a box without height', box('{"x":0,"y":0,"width":1}'), /:2: "box.height": /],
    ['an empty box', box('{"x":0,"y":0,"width":0,"height":5}'), /:2: "box.width": must be above 0/],
    ['an endless box', box('{"x":0,"y":0,"width":1e999,"height":5}'), /:2: "box.width": .*number/],
    ['a box of null', box('null'), /:2: "box": /],
  ])('%s is one line with file:line', async (_, bad, message) => {
    const error: unknown = await read(`${line}\n${bad}\n`).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(InputError);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message.startsWith(`${file}:2: `)).toBe(true);
    expect((error as Error).message).not.toContain('\n');
  });

  test('not UTF-8, a huge line, no records, a missing file, a folder', async () => {
    await expect(read(Buffer.concat([Buffer.from(`${line}\n`), Buffer.from([0x7b, 0xff, 0xfe])]))).rejects.toThrow(
      /manifest.jsonl:2: not UTF-8 text/,
    );
    await expect(read(`${line}\n"${'x'.repeat(1 << 20)}"`)).rejects.toThrow(/manifest.jsonl:2: line of over 1 MiB/);
    for (const empty of ['', '\n\n', '\ufeff'])
      await expect(read(empty)).rejects.toThrow(/has no records; expected JSON/);
    await expect(readManifest(join(folder, 'absent'))).rejects.toThrow(/Cannot read manifest .*absent: ENOENT/);
    await expect(readManifest(folder)).rejects.toThrow(InputError);
    await expect(readManifest(folder)).rejects.toThrow(/it is a folder, .*rmac data scan .* --out .*manifest.jsonl/);
  });

  test('nothing but InputError and valid records on any bytes', async () => {
    const key = fc.constantFrom('id', 'path', 'landmark', 'group', 'box', '__proto__');
    const value = fc.oneof(fc.string(), fc.constantFrom('a', '..', '/', 'a/..', '.'), fc.double(), fc.jsonValue());
    const recordLike = fc.array(fc.tuple(key, value)).map((pairs) => JSON.stringify(Object.fromEntries(pairs)));
    const content = fc.oneof(
      fc.array(fc.oneof(recordLike, fc.string(), fc.constant(line))).map((lines) => Buffer.from(lines.join('\n'))),
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    );
    await fc.assert(
      fc.asyncProperty(content, async (bytes) => {
        try {
          const records = await read(bytes);
          return records.length > 0 && records.every(({ path }) => path.startsWith(folder));
        } catch (error) {
          return error instanceof InputError && !error.message.includes('\n');
        }
      }),
      { numRuns: 400, seed: 1 },
    );
  });
});

describe('writeManifest', () => {
  test('what is written is read back, byte for byte the same when written again', async () => {
    const records: ImageRecord[] = [
      { id: 'b', path: join(folder, 'x/b.jpg'), landmark: 'l', group: 'g' },
      { id: 'a', path: join(folder, '..odd/a b.jpg'), landmark: 'l', box: { x: -1, y: 2, width: 3, height: 4 } },
    ];
    const out = join(folder, 'written.jsonl');
    await writeManifest(out, records);
    expect(await readManifest(out)).toEqual(records);
    expect(readFileSync(out, 'utf8').split('\n')[0]).toBe('{"id":"b","path":"x/b.jpg","landmark":"l","group":"g"}');
    const before = readFileSync(out, 'utf8');
    await expect(writeManifest(out, [])).rejects.toThrow(/exists; pass --overwrite/);
    await writeManifest(out, records, { overwrite: true });
    expect(readFileSync(out, 'utf8')).toBe(before);
  });

  test('an image outside of the folder is refused with the way out, and nothing is written', async () => {
    const out = join(folder, 'sub/out.jsonl');
    await expect(writeManifest(out, [{ id: 'a', path: join(folder, 'a.jpg'), landmark: 'a' }])).rejects.toThrow(
      /a.jpg lies outside the manifest's folder; write the manifest beside or above its images/,
    );
    await expect(readManifest(out)).rejects.toThrow(/ENOENT/);
  });
});

test.skipIf(sharedData === undefined)('real manifests with groups', async () => {
  const records = await readManifest(join(sharedData as string, 'landmarks', 'manifest-noisy.jsonl'));
  expect(records).toHaveLength(773);
  expect(records.some(({ group }) => group !== undefined)).toBe(true);
});
