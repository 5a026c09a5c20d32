import * as fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { decodeImage } from '../../src/data/images.js';
import { silenceJpegRemarks } from '../../src/data/jpeg-remarks.js';
import { silenceTiffRemarks } from '../../src/data/tiff-remarks.js';
import { beforeMarker, tiff, withJfif, withPhoneScanHeader } from './encoded-images.js';

const [width, height] = [64, 48];
const picture = new Uint8Array(width * height * 3).map((_, i) => (i * 7919) % 256);
const encoder = () => sharp(picture, { raw: { width, height, channels: 3 } }).blur(2);
const stray = new Uint8Array(18).fill(0x41);

describe('what a decoder only remarks on costs no photograph, and no pixel', () => {
  test.each(['sequential', 'progressive'])('%s JPEG', async (kind) => {
    const jpeg = withJfif(
      await encoder()
        .jpeg({ progressive: kind === 'progressive' })
        .toBuffer(),
    );
    const plain = await decodeImage(jpeg);
    const jfif = Buffer.from(jpeg);
    jfif[jfif.indexOf('JFIF') + 5] = 2;
    const remarks: [string, Buffer][] = [
      ['before the quantisation table', beforeMarker(jpeg, 0xdb, stray)],
      ['before the scan', beforeMarker(jpeg, 0xda, stray)],
      ['coded zeros', beforeMarker(jpeg, 0xc4, Buffer.from([0, 0xff, 0, 0xff, 0xff, 0]))],
      ['version 2', jfif],
      ...(kind === 'progressive' ? [] : [['Se 0', withPhoneScanHeader(jpeg)] as [string, Buffer]]),
    ];
    for (const [name, bytes] of remarks) {
      await expect(sharp(bytes).raw().toBuffer(), name).rejects.toThrow();
      expect((await decodeImage(bytes)).data, name).toEqual(plain.data);
    }
  });

  test('an image in memory stays as it is', async () => {
    const bytes = withPhoneScanHeader(await encoder().jpeg().toBuffer());
    const before = Buffer.from(bytes);
    await decodeImage(bytes);
    expect(bytes.equals(before)).toBe(true);
  });

  test('TIFF: tags out of order, twice, unknown, or metadata that is wrong', async () => {
    const size = { width, height, channels: 3 } as const;
    const plain = await decodeImage(tiff(size, picture));
    expect(plain.data).toEqual(picture);
    const remarks: [string, Buffer][] = [
      ['out of order', tiff(size, picture, { sorted: false, tags: [[254, 4, 0]] })],
      ['a text with a zero', tiff(size, picture, { tags: [[270, 2, Buffer.from('a\0b\0')]] })],
      ['an unknown tag', tiff(size, picture, { tags: [[60_000, 3, 5]] })],
      ['a tag twice', tiff(size, picture, { tags: [[270, 2, Buffer.from('ab')], [270, 2, Buffer.from('cd')]] })], // biome-ignore format: one line
    ];
    for (const [name, bytes] of remarks) expect((await decodeImage(bytes)).data, name).toEqual(picture);
    const turned = await decodeImage(tiff(size, picture, { tags: [[274, 3, 6]] }));
    expect([turned.width, turned.height]).toEqual([height, width]);
  });

  test('garbled pixels are an error all the same', async () => {
    // The same each time: one in some hundreds of noises decodes without a warning.
    const grain = new Uint8Array(200 * 150 * 3).map((_, i) => 128 + 90 * Math.sin(i * i));
    const noisy = sharp(grain, { raw: { width: 200, height: 150, channels: 3 } });
    const jpeg = await noisy.jpeg({ progressive: true }).toBuffer();
    const inTiff = await noisy.tiff({ compression: 'jpeg' }).toBuffer();
    for (const bytes of [beforeMarker(withJfif(jpeg), 0xdb, stray), inTiff]) {
      await expect(decodeImage(bytes)).resolves.toBeDefined();
      const garbled = Buffer.from(bytes);
      for (let part = 0.3; part < 0.85; part += 0.05) garbled[Math.floor(part * bytes.length)] ^= 0x5a;
      await expect(decodeImage(garbled)).rejects.toThrow(/broken image \(its data is cut short or garbled\)/);
    }
  });
});

describe('any bytes', () => {
  const bytes = fc.uint8Array({ maxLength: 120 });
  test('JPEG: ends, and a second pass changes nothing', () => {
    const marker = fc.constantFrom(0xff, 0xd8, 0xda, 0xc0, 0xc2, 0xe0, 0xd0, 0xd9, 0, 4, 8);
    fc.assert(
      fc.property(
        fc.oneof(
          bytes,
          fc.uint8Array({ maxLength: 120 }).map((a) => a),
          fc.array(marker),
        ),
        (tail) => {
          const jpeg = Buffer.from([0xff, 0xd8, 0xff, ...tail]);
          silenceJpegRemarks(jpeg);
          const once = Buffer.from(jpeg);
          silenceJpegRemarks(jpeg);
          expect(jpeg.equals(once)).toBe(true);
        },
      ),
      { numRuns: 2000, seed: 3 },
    );
  });

  test('TIFF: ends', () => {
    const head = fc.constantFrom('II*\0\x08\0\0\0', 'MM\0*\0\0\0\x08', 'II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0');
    fc.assert(
      fc.property(head, bytes, (start, tail) =>
        silenceTiffRemarks(Buffer.concat([Buffer.from(start, 'latin1'), tail])),
      ),
      { numRuns: 2000, seed: 4 },
    );
  });
});
