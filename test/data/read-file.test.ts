import { execFileSync } from 'node:child_process';
import { mkdtempSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeFolder } from '../../src/data/files.js';
import { readFile, readText } from '../../src/data/read-file.js';
import { wholeLines } from '../../src/data/whole-lines.js';
import { InputError } from '../../src/errors.js';

const folder = mkdtempSync(join(tmpdir(), 'rmac-read-'));
const on = (...systems: string[]) => test.skipIf(!systems.includes(process.platform));

test('files are read whole, as bytes and as text; folders and files too large for a text are refused', async () => {
  const file = join(folder, 'a.txt');
  writeFileSync(file, 'é\n');
  expect(await readText(file)).toBe('é\n');
  expect(await readFile(file)).toEqual(Buffer.from('é\n'));
  await expect(readFile(folder)).rejects.toThrow(/is a folder, a file is expected/);
  await expect(readFile(join(folder, 'none'))).rejects.toThrow(/ENOENT/);
  const large = join(folder, 'large');
  writeFileSync(large, '');
  truncateSync(large, 2 ** 28 + 1);
  await expect(readText(large)).rejects.toThrow(/more than 268435456 bytes/);
});

on('linux', 'darwin')('a device is refused, a pipe is no file of bytes', async () => {
  await expect(readFile('/dev/zero')).rejects.toThrow(InputError);
  await expect(readText('/dev/zero')).rejects.toThrow(/device or a pipe/);
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  await expect(readFile(pipe)).rejects.toThrow(/device or a pipe/);
});

on('linux')('a folder that the system does not allow is an error at once', async () => {
  await expect(makeFolder('/proc/rmac/none')).rejects.toThrow(/ENOENT|EACCES/);
  await makeFolder(join(folder, 'x/y/z'));
  await makeFolder(join(folder, 'x/y/z'));
  await expect(makeFolder(join(folder, 'a.txt/x'))).rejects.toThrow(/ENOTDIR/);
});

test('lines over several reads are whole; one of over 64 MiB ends them', async () => {
  const file = join(folder, 'lines');
  const collect = async () => {
    const lengths: number[] = [];
    for await (const line of wholeLines(file)) lengths.push(line.length);
    return lengths;
  };
  writeFileSync(file, `a\n${'b'.repeat(3_000_000)}\n\ncut short`);
  expect(await collect()).toEqual([1, 3_000_000, 0]);
  writeFileSync(file, Buffer.concat([Buffer.from('a\n'), Buffer.alloc(2 ** 26 + 2 ** 20), Buffer.from('\nb\n')]));
  expect(await collect()).toEqual([1]);
});
