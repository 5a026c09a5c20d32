import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { extractArchive, type ExtractOptions } from '../../src/data/extract-archive.js';
import { InputError } from '../../src/errors.js';
import { type TarEntry, tarOf, tgzOf, zipOf } from './archives.js';

const root = mkdtempSync(join(tmpdir(), 'rmac-archive-'));
let count = 0;
function place(bytes: Buffer): { archive: string; folder: string } {
  const archive = join(root, `${count++}.bin`);
  writeFileSync(archive, bytes);
  return { archive, folder: `${archive}.out` };
}
const unpack = (bytes: Buffer, options?: ExtractOptions) => {
  const { archive, folder } = place(bytes);
  return extractArchive(archive, folder, options);
};
const refused = async (bytes: Buffer, message: RegExp, options?: ExtractOptions) => {
  const running = unpack(bytes, options);
  await expect(running).rejects.toThrow(InputError);
  await expect(running).rejects.toThrow(message);
};

describe('extractArchive', () => {
  const files = { 'a/one.jpg': 'first', './two.txt': 'second', 'a/b/c/three': Buffer.alloc(300_000, 7) };

  test('tar, tar.gz and zip come out as they went in', async () => {
    const entries = Object.entries(files).map(([name, content]) => ({ name, content }));
    const folderEntry: TarEntry = { name: 'empty/', type: 'directory' };
    const tarred = await tarOf([folderEntry, ...entries]);
    for (const bytes of [
      tarred,
      gzipSync(tarred),
      zipOf([
        { name: 'empty/', content: '', mode: 0o040755 },
        ...entries.filter(({ name }) => !name.startsWith('.')),
        { name: 'two.txt', content: 'second' },
      ]),
    ]) {
      const { archive, folder } = place(bytes);
      expect(await extractArchive(archive, folder)).toEqual({ files: 3, bytes: 300_011 });
      expect(readFileSync(join(folder, 'a/one.jpg'), 'utf8')).toBe('first');
      expect(readFileSync(join(folder, 'two.txt'), 'utf8')).toBe('second');
      expect(readFileSync(join(folder, 'a/b/c/three'))).toEqual(files['a/b/c/three']);
      expect(readdirSync(join(folder, 'empty'))).toEqual([]);
    }
  });

  test('sizes that no file has end the unpacking instead of never', async () => {
    for (const size of ['abc', '-1', '99999999999999999999']) {
      const record = ` size=${size}\n`;
      const bytes = await tarOf([
        { name: 'PaxHeader', content: `${record.length + 2}${record}` },
        { name: 'a.jpg', content: 'x' },
      ]);
      bytes[156] = 0x78; // the first entry becomes an extended header
      bytes.write('        ', 148);
      const sum = bytes.subarray(0, 512).reduce((total, byte) => total + byte, 0);
      bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
      await refused(bytes, /damaged or incomplete \(an entry has the size/);
    }
  });

  test('a zip entry that is damaged from its first byte on is an error of the archive', async () => {
    const bytes = zipOf([{ name: 'a.jpg', content: Buffer.alloc(1000, 'abc'), deflate: true }]);
    bytes[30 + 'a.jpg'.length] = 0x07; // a block of a type that there is not
    await refused(bytes, /damaged or incomplete/);
  });

  test('names that lead out of the folder are refused, and nothing is written outside', async () => {
    for (const name of ['../out', 'a/../../out', '/tmp/rmac-out', 'a\\..\\..\\out', 'C:out', 'a/\u0007b']) {
      await refused(gzipSync(await tarOf([{ name, content: 'x' }])), /leads out of the folder or has an odd name/);
      await refused(
        zipOf([{ name, content: 'x', flags: 0x800 }]),
        /leads out|absolute path|invalid relative path|invalid characters|odd name/,
      );
    }
    expect(existsSync(join(root, 'out')) || existsSync('/tmp/rmac-out')).toBe(false);
  });

  test('links and devices are refused by name', async () => {
    const links: TarEntry[] = [
      { name: 'l', type: 'symlink', linkname: '/etc/passwd' },
      { name: 'l', type: 'link', linkname: '../x' },
      { name: 'l', type: 'fifo' },
      { name: 'l', type: 'character-device', devmajor: 1, devminor: 3 },
    ];
    for (const link of links) {
      await refused(await tarOf([link, { name: 'l/file', content: 'x' }]), /"l" is a .*, only files and folders/);
    }
    await refused(zipOf([{ name: 'l', content: '/etc/passwd', mode: 0o120777 }]), /"l" is a link or a device/);
    await refused(zipOf([{ name: 'l', content: 'x'.repeat(13), size: 1, flags: 1 }]), /encrypted/);
  });

  test('bombs are bounded by bytes and by files', async () => {
    const zeros = gzipSync(await tarOf([{ name: 'zeros', content: Buffer.alloc(8 << 20) }]));
    await refused(zeros, /unpacks to more than \d+ bytes/);
    expect(await unpack(zeros, { maxBytes: 8 << 20 })).toMatchObject({ bytes: 8 << 20 });
    await refused(await tgzOf({ a: '1', b: '2', c: '3' }), /more than 2 files/, { maxFiles: 2 });
  });

  test('an entry that occurs twice, or lies in a file, is refused', async () => {
    await refused(
      await tarOf([
        { name: 'a', content: '1' },
        { name: 'a', content: '2' },
      ]),
      /"a" occurs twice/,
    );
    await refused(
      await tarOf([
        { name: 'a', content: '1' },
        { name: 'a/b', content: '2' },
      ]),
      /"a\/b" lies in a file/,
    );
    await refused(
      zipOf([
        { name: 'a', content: '1' },
        { name: 'a', content: '2' },
      ]),
      /"a" occurs twice/,
    );
  });

  test('truncated and damaged archives, and pages instead of archives', async () => {
    const whole = await tgzOf(files);
    await refused(whole.subarray(0, whole.length - 20), /damaged or incomplete .*download it again/);
    const changed = Buffer.from(whole);
    changed[whole.length - 6] ^= 0xff; // gzip's own checksum
    await refused(changed, /damaged or incomplete/);
    const plain = await tarOf([{ name: 'a', content: Buffer.alloc(5000, 1) }]);
    await refused(plain.subarray(0, 2000), /damaged or incomplete/);
    const zip = zipOf([{ name: 'a', content: 'content' }]);
    await refused(zip.subarray(0, zip.length - 30), /damaged or incomplete/);
    await refused(zipOf([{ name: 'a', content: 'content', crc32: 1 }]), /the checksum of "a" is wrong/);
    await refused(Buffer.from('<html>404</html>'), /no \.tar, \.tar\.gz or \.zip; perhaps the server sent a page/);
    await refused(Buffer.alloc(0), /no \.tar/);
    await expect(extractArchive(join(root, 'none'), join(root, 'x'))).rejects.toThrow(/Cannot read/);
  });

  test('stopping ends it with a line', async () => {
    const stop = new AbortController();
    await refused(await tgzOf({ a: '1', b: '2' }), /Stopped while unpacking/, {
      signal: stop.signal,
      onFile: () => stop.abort(),
    });
  });

  test('whatever the bytes are, the error is an InputError', async () => {
    const bases = [
      await tgzOf(files),
      await tarOf([{ name: 'a/b', content: 'x' }]),
      zipOf([{ name: 'a/b', content: 'xyz' }]),
    ];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...bases), fc.nat(), fc.nat(255), async (base, at, value) => {
        const bytes = Buffer.from(base);
        bytes[at % bytes.length] = value;
        await unpack(bytes).catch((error: unknown) => expect(error).toBeInstanceOf(InputError));
      }),
      { numRuns: 150, seed: 2 },
    );
  });
});
