import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import * as tf from '@tensorflow/tfjs';
import * as fc from 'fast-check';
import sharp from 'sharp';
import { afterAll, describe, expect, test } from 'vitest';
import { decodeImage, decodeImages, resizedSides, toTensor } from '../../src/data/images.js';
import type { RgbImage } from '../../src/data/rgb-image.js';
import { InputError } from '../../src/errors.js';
import { sharedData } from '../support/data.js';
import { tiff } from './encoded-images.js';

const folder = mkdtempSync(join(tmpdir(), 'rmac-images-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

function file(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** 48 x 32 in six 16 px blocks (whole JPEG blocks, so that every encoding keeps them flat). */
const blockColours = [
  [200, 40, 40],
  [40, 200, 40],
  [40, 40, 200],
  [200, 200, 40],
  [128, 128, 128],
  [20, 20, 20],
];
const blocks: RgbImage = { width: 48, height: 32, data: new Uint8Array(48 * 32 * 3) };
for (let y = 0; y < 32; y++) {
  for (let x = 0; x < 48; x++) {
    blocks.data.set(blockColours[(y >> 4) * 3 + (x >> 4)], (y * 48 + x) * 3);
  }
}

function encode({ data, width, height }: RgbImage) {
  return sharp(data, { raw: { width, height, channels: 3 } });
}

function pixel({ data, width }: RgbImage, x: number, y: number): number[] {
  return [...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)];
}

function maxDifference(a: RgbImage, b: RgbImage): number {
  expect([a.width, a.height, a.data.length]).toEqual([b.width, b.height, b.data.length]);
  let worst = 0;
  a.data.forEach((value, i) => {
    worst = Math.max(worst, Math.abs(value - b.data[i]));
  });
  return worst;
}

/**
 * The pixels a camera stores for an upright image under an EXIF orientation, by the table of the EXIF standard ("the
 * 0th row is at the visual ..., the 0th column at the visual ..."): [y, x] of the upright image that row r, column c of
 * the file holds, with H and W of the upright image.
 */
const storedAt: Record<number, (r: number, c: number, h: number, w: number) => [number, number]> = {
  1: (r, c) => [r, c], // top, left
  2: (r, c, _, w) => [r, w - 1 - c], // top, right
  3: (r, c, h, w) => [h - 1 - r, w - 1 - c], // bottom, right
  4: (r, c, h) => [h - 1 - r, c], // bottom, left
  5: (r, c) => [c, r], // left, top
  6: (r, c, _, w) => [c, w - 1 - r], // right, top
  7: (r, c, h, w) => [h - 1 - c, w - 1 - r], // right, bottom
  8: (r, c, h) => [h - 1 - c, r], // left, bottom
};

function stored(upright: RgbImage, orientation: number): RgbImage {
  const [width, height] = orientation < 5 ? [upright.width, upright.height] : [upright.height, upright.width];
  const data = new Uint8Array(upright.data.length);
  for (let r = 0; r < height; r++) {
    for (let c = 0; c < width; c++) {
      const [y, x] = storedAt[orientation](r, c, upright.height, upright.width);
      data.set(pixel(upright, x, y), (r * width + c) * 3);
    }
  }
  return { data, width, height };
}

describe('decodeImage: whatever the file holds comes out as upright sRGB', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])('EXIF orientation %i', async (orientation) => {
    const jpeg = await encode(stored(blocks, orientation))
      .withMetadata({ orientation })
      .jpeg({ quality: 100, chromaSubsampling: '4:4:4' })
      .toBuffer();
    expect(maxDifference(await decodeImage(jpeg), blocks)).toBeLessThanOrEqual(3);
    // the crop is of the upright image: block 2 (top right) has its own colour
    const crop = { x: 32, y: 0, width: 16, height: 16 };
    const part = await decodeImage(jpeg, { crop });
    expect([part.width, part.height]).toEqual([16, 16]);
    expect(Math.abs(pixel(part, 8, 8)[2] - 200)).toBeLessThanOrEqual(3);
    // and resizing sees the upright sides: 48 x 32 -> 24 x 16
    const small = await decodeImage(jpeg, { sizing: { longest: 24 } });
    expect([small.width, small.height]).toEqual([24, 16]);
    expect(Math.abs(pixel(small, 20, 4)[2] - 200)).toBeLessThanOrEqual(6);
  });

  test.each(['png', 'webp', 'tiff', 'gif', 'avif'] as const)('%s', async (format) => {
    const bytes = await encode(blocks)
      .toFormat(format, { lossless: true, ...(format === 'tiff' && { compression: 'lzw' }) })
      .toBuffer();
    // gif has a palette, avif a matrix; both close
    expect(maxDifference(await decodeImage(bytes), blocks)).toBeLessThanOrEqual(format === 'gif' ? 8 : 3);
  });

  test('grey is repeated, with and without transparency', async () => {
    const grey = await encode(blocks).greyscale().toColourspace('b-w').png().toBuffer();
    expect((await sharp(grey).metadata()).channels).toBe(1);
    const [r, g, b] = pixel(await decodeImage(grey), 40, 20);
    expect([g, b]).toEqual([r, r]);
    expect(r).toBe(20);
    const half = await sharp(grey).ensureAlpha(0.5).toColourspace('b-w').png().toBuffer();
    expect((await sharp(half).metadata()).channels).toBe(2);
    // 20 at alpha 127/255 over white: 20 * 0.498 + 255 * 0.502 = 138
    expect(Math.abs(pixel(await decodeImage(half), 40, 20)[0] - 138)).toBeLessThanOrEqual(1);
  });

  test('transparency shows white, not black', async () => {
    const clear = await encode(blocks).ensureAlpha(0).png().toBuffer();
    expect(pixel(await decodeImage(clear), 5, 5)).toEqual([255, 255, 255]);
  });

  test('16 bits become 8, not clipped', async () => {
    const deep = await encode(blocks).toColourspace('rgb16').png().toBuffer();
    expect((await sharp(deep).metadata()).depth).toBe('ushort');
    expect(maxDifference(await decodeImage(deep), blocks)).toBeLessThanOrEqual(1);
    const greyDeep = await encode(blocks).toColourspace('grey16').png().toBuffer();
    expect((await sharp(greyDeep).metadata()).depth).toBe('ushort');
    expect(pixel(await decodeImage(greyDeep), 20, 20)).toEqual([128, 128, 128]);
  });

  test.each([8, 16])('a Display P3 profile at %i bits is converted to sRGB', async (bits) => {
    const wide = await encode(blocks)
      .toColourspace(bits === 16 ? 'rgb16' : 'srgb')
      .withIccProfile('p3')
      .png()
      .toBuffer();
    // the stored numbers differ from sRGB's by more than 10, so an ignored profile would show
    const { data } = await sharp(wide, { ignoreIcc: true })
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    expect(maxDifference({ ...blocks, data }, blocks)).toBeGreaterThan(10);
    expect(maxDifference(await decodeImage(wide), blocks)).toBeLessThanOrEqual(3);
  });

  test('CMYK becomes RGB', async () => {
    const cmyk = await encode(blocks)
      .toColourspace('cmyk')
      .jpeg({ quality: 100, chromaSubsampling: '4:4:4' })
      .toBuffer();
    expect((await sharp(cmyk).metadata()).space).toBe('cmyk');
    const image = await decodeImage(cmyk);
    expect(image.data.length).toBe(48 * 32 * 3);
    // print gamut: red stays red, grey stays grey; exact saturated values are not representable
    const [r, g, b] = pixel(image, 5, 5);
    expect(r).toBeGreaterThan(150);
    expect(Math.max(g, b)).toBeLessThan(110);
    for (const value of pixel(image, 20, 20)) expect(Math.abs(value - 128)).toBeLessThan(16);
  });

  test('float samples of a grey image count from 0 to 255, or are refused', async () => {
    const size = { width: 32, height: 12, channels: 1 } as const;
    const ramp = Float32Array.from({ length: 32 * 12 }, (_, i) => i % 241);
    const { data } = await decodeImage(tiff(size, ramp));
    expect(Array.from(data.filter((_, i) => i % 3 === 0))).toEqual(Array.from(ramp));
    const refused: [Float32Array | Uint32Array, RegExp][] = [
      [ramp.map((value) => value / 255), /samples \(float\) are not above 1, .* save it with 8 or 16 bits a channel/],
      [ramp.map((value) => 100 * value), /samples \(float\) are from 0 to 24000, /],
      [ramp.map((value) => value - 100), /samples \(float\) are from -100 to 140, /],
      [Uint32Array.from(ramp, (value) => value * 1e6), /samples \(uint\) are from 0 to 240000000, /],
    ];
    for (const [samples, message] of refused) await expect(decodeImage(tiff(size, samples))).rejects.toThrow(message);
  });

  test('float RGB is refused, for nobody knows whether it is linear', async () => {
    const size = { width: 16, height: 12, channels: 3 } as const;
    const ramp = Float32Array.from({ length: 16 * 12 * 3 }, (_, i) => i % 241);
    for (const samples of [ramp, ramp.map((value) => value / 255)])
      await expect(decodeImage(tiff(size, samples))).rejects.toThrow(/nothing says which is white/);
  });

  test('an image of five channels is refused in words', async () => {
    const plane = { raw: { width: 48, height: 32, channels: 1 as const } };
    const extra = Buffer.alloc(48 * 32, 77);
    const five = await encode(blocks).joinChannel([extra, extra], plane).tiff({ compression: 'none' }).toBuffer();
    expect((await sharp(five).metadata()).channels).toBe(5);
    await expect(decodeImage(five)).rejects.toThrow(/has 5 channels; expected grey, RGB or CMYK/);
  });

  test('the first frame of an animation', async () => {
    const frames = [blocks.data, new Uint8Array(blocks.data.length)];
    const gif = await sharp(Buffer.concat(frames), { raw: { width: 48, height: 64, channels: 3, pageHeight: 32 } })
      .gif({ delay: [100, 100] })
      .toBuffer();
    expect((await sharp(gif).metadata()).pages).toBe(2);
    expect(maxDifference(await decodeImage(gif), blocks)).toBeLessThanOrEqual(8);
  });
});

describe('sizing', () => {
  test('the longer side becomes `longest`, the shorter follows', () => {
    // 640 x 427 at 320: 427 * 0.5 = 213.5 -> 214
    expect(resizedSides(640, 427, { longest: 320 })).toEqual({ width: 320, height: 214 });
    expect(resizedSides(427, 640, { longest: 320 })).toEqual({ width: 214, height: 320 });
    // enlarging is on unless told otherwise
    expect(resizedSides(100, 50, { longest: 200 })).toEqual({ width: 200, height: 100 });
    expect(resizedSides(100, 50, { longest: 200, upscale: false })).toEqual({ width: 100, height: 50 });
    expect(resizedSides(100, 50, { longest: 'none' })).toEqual({ width: 100, height: 50 });
    // a sliver keeps one row
    expect(resizedSides(1000, 8, { longest: 50 })).toEqual({ width: 50, height: 1 });
  });

  test('multipleOf snaps both sides to the nearest multiple, at least one', () => {
    // 362 / 32 = 11.3 -> 11 * 32; 362 * 427 / 640 = 241.5 / 32 = 7.5 -> 8 * 32
    expect(resizedSides(640, 427, { longest: 362, multipleOf: 32 })).toEqual({ width: 352, height: 256 });
    expect(resizedSides(1000, 10, { longest: 320, multipleOf: 32 })).toEqual({ width: 320, height: 32 });
    expect(resizedSides(50, 50, { longest: 'none', multipleOf: 16 })).toEqual({ width: 48, height: 48 });
  });

  test('shrinking by 8 equals the mean of 8 x 8 blocks on a smooth image', async () => {
    // a ramp: every antialiased symmetric filter gives the block mean away from the borders
    const [width, height] = [256, 128];
    const data = new Uint8Array(width * height * 3);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) data.fill(x, (y * width + x) * 3, (y * width + x) * 3 + 3);
    const png = await encode({ data, width, height }).png().toBuffer();
    for (const kernel of ['lanczos3', 'linear', 'cubic'] as const) {
      const small = await decodeImage(png, { sizing: { longest: 32, kernel } });
      // column k covers x = 8k .. 8k + 7, mean 8k + 3.5
      for (let k = 4; k < 28; k++) expect(Math.abs(pixel(small, k, 8)[0] - (8 * k + 3.5))).toBeLessThanOrEqual(1);
    }
  });

  test('a JPEG that is shrunk while decoding equals one that is decoded first', async () => {
    const noisy = await encode(blocks).resize(1536, 1024, { kernel: 'cubic' }).blur(3).jpeg({ quality: 95 }).toBuffer();
    const decoded = await decodeImage(noisy);
    const png = await encode(decoded).png().toBuffer();
    const sizing = { longest: 96 }; // a factor of 16: libjpeg does 8 of it
    expect(maxDifference(await decodeImage(noisy, { sizing }), await decodeImage(png, { sizing }))).toBeLessThanOrEqual(
      4,
    );
  });

  test('the crop is rounded, clipped to the image, and resized after', async () => {
    const png = await encode(blocks).png().toBuffer();
    const clipped = await decodeImage(png, { crop: { x: 31.6, y: -5, width: 100, height: 21.4 } });
    expect([clipped.width, clipped.height]).toEqual([16, 16]); // x 32..48, y 0..16
    expect(pixel(clipped, 0, 15)).toEqual([40, 40, 200]);
    const sized = await decodeImage(png, { crop: { x: 32, y: 0, width: 16, height: 16 }, sizing: { longest: 32 } });
    expect([sized.width, sized.height]).toEqual([32, 32]);
    for (const x of [48, Number.NaN, Number.POSITIVE_INFINITY, -1e300]) {
      await expect(decodeImage(png, { crop: { x, y: 0, width: 10, height: 10 } })).rejects.toThrow(
        /no pixel of the 48x32/,
      );
    }
  });
});

describe('bad files: one clear line that names the file', () => {
  test.each<[string, string | Uint8Array, RegExp]>([
    ['empty.jpg', new Uint8Array(0), /the file is empty/],
    ['text.jpg', 'not an image at all', /not a photograph; expected JPEG, PNG/],
    ['drawing.svg', '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"/>', /not a photograph/],
    ['page.pdf', '%PDF-1.7\n', /not a photograph/],
    ['phone.heic', '\0\0\0\x18ftypheic\0\0\0\0mif1heic', /HEIC cannot be decoded here; convert it to JPEG/],
    ['header.jpg', Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16]), /broken image \(.+\); replace or remove it/],
  ])('%s', async (name, content, message) => {
    const path = file(name, typeof content === 'string' ? Buffer.from(content, 'latin1') : content);
    const error: unknown = await decodeImage(path).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(InputError);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message.startsWith(`${path}: `)).toBe(true);
    expect((error as Error).message).not.toContain('\n');
  });

  test('a missing file, a folder, a pipe', async () => {
    await expect(decodeImage(join(folder, 'absent.jpg'))).rejects.toThrow(/absent.jpg: no such image file/);
    await expect(decodeImage(folder)).rejects.toThrow(/expected an image file/);
    if (process.platform !== 'win32') {
      const pipe = join(folder, 'pipe.jpg');
      execFileSync('mkfifo', [pipe]);
      await expect(decodeImage(pipe)).rejects.toThrow(/expected an image file/);
    }
  });

  test.each(['jpeg', 'png', 'webp', 'tiff', 'gif', 'avif'] as const)(
    'a truncated %s is an error, not half grey',
    async (format) => {
      const noise = await sharp({
        create: {
          width: 200,
          height: 150,
          channels: 3,
          background: '#000',
          noise: { type: 'gaussian', mean: 128, sigma: 40 },
        },
      })
        .toFormat(format)
        .toBuffer();
      await expect(decodeImage(noise, { sizing: { longest: 32 } })).resolves.toMatchObject({ width: 32, height: 24 });
      for (const part of [0.5, 0.9]) {
        const cut = noise.subarray(0, Math.floor(noise.length * part));
        await expect(decodeImage(cut, { sizing: { longest: 32 } })).rejects.toThrow(InputError);
      }
    },
  );

  test('garbled JPEG data is an error, bytes after its end are not', async () => {
    const jpeg = await sharp({
      create: {
        width: 200,
        height: 150,
        channels: 3,
        background: '#000',
        noise: { type: 'gaussian', mean: 128, sigma: 40 },
      },
    })
      .jpeg()
      .toBuffer();
    const garbled = Buffer.from(jpeg);
    garbled.set([0xff, 0xd9], jpeg.length >> 1); // an end-of-image marker in the middle
    await expect(decodeImage(garbled)).rejects.toThrow(/broken image/);
    await expect(decodeImage(Buffer.concat([jpeg, Buffer.from('trailing')]))).resolves.toBeDefined();
    // some phones leave the scan header's last byte at 0 where the standard says 63; no pixel depends on it
    const phone = Buffer.from(jpeg);
    phone[phone.indexOf(Buffer.from([0xff, 0xda])) + 12] = 0;
    await expect(sharp(phone).raw().toBuffer()).rejects.toThrow(/Invalid SOS parameters/);
    expect(maxDifference(await decodeImage(phone), await decodeImage(jpeg))).toBe(0);
    // and a truncated one is still an error
    await expect(decodeImage(phone.subarray(0, phone.length >> 1))).rejects.toThrow(/broken image/);
  });

  test('1x1 and other placeholders are too small, unless allowed', async () => {
    const dot = await encode({ data: new Uint8Array([1, 2, 3]), width: 1, height: 1 })
      .png()
      .toBuffer();
    await expect(decodeImage(dot)).rejects.toThrow(
      /1x1 px is too small for a photograph; expected at least 8 px a side/,
    );
    expect([...(await decodeImage(dot, { minSide: 1 })).data]).toEqual([1, 2, 3]);
  });

  test('a decompression bomb is refused before it is decoded', async () => {
    // 20,000 x 20,000 one-bit pixels: 49 kB of zeros that would be 1.2 GB of RGB
    const chunk = (type: string, body: Uint8Array) => {
      const content = Buffer.concat([Buffer.from(type), body]);
      const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
      length.writeUInt32BE(body.length);
      sum.writeUInt32BE(crc32(content));
      return Buffer.concat([length, content, sum]);
    };
    const header = Buffer.from([0, 0, 0x4e, 0x20, 0, 0, 0x4e, 0x20, 1, 0, 0, 0, 0]);
    const pixels = deflateSync(Buffer.alloc(20_000 * 2501));
    const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]);
    const bomb = Buffer.concat([
      signature,
      chunk('IHDR', header),
      chunk('IDAT', pixels),
      chunk('IEND', Buffer.alloc(0)),
    ]);
    expect((await sharp(bomb, { limitInputPixels: false }).metadata()).width).toBe(20_000);
    const started = performance.now();
    await expect(decodeImage(bomb)).rejects.toThrow(/more than 200 megapixels, refused/);
    expect(performance.now() - started).toBeLessThan(200);
    const png = await encode(blocks).png().toBuffer();
    await expect(decodeImage(png, { maxPixels: 48 * 32 - 1 })).rejects.toThrow(/megapixels, refused/);
    await expect(decodeImage(png, { maxPixels: 48 * 32 })).resolves.toBeDefined();
  });

  test('60 megapixels decode to 1024 px within bounded memory', async () => {
    const noise = { type: 'gaussian' as const, mean: 128, sigma: 40 };
    const strip = await sharp({ create: { width: 9000, height: 64, channels: 3, background: '#000', noise } })
      .png()
      .toBuffer();
    const path = join(folder, 'huge.jpg');
    await sharp({ create: { width: 9000, height: 6700, channels: 3, background: '#a06030' } })
      .composite([{ input: strip, top: 3000, left: 0 }])
      .jpeg()
      .toFile(path);
    const small = file('small.png', await encode(blocks).png().toBuffer());
    // its own process, so that the peak is the decoder's; 60.3 megapixels of RGB would be 181 MB
    const program = `
      const { decodeImage } = await import('./src/data/images.ts');
      await decodeImage(${JSON.stringify(small)}, { sizing: { longest: 1024 } });
      const before = process.resourceUsage().maxRSS;
      const { width, height } = await decodeImage(${JSON.stringify(path)}, { sizing: { longest: 1024 } });
      console.log(JSON.stringify({ width, height, grownMb: (process.resourceUsage().maxRSS - before) / 1024 }));`;
    const output = execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
      cwd: resolve(import.meta.dirname, '../..'),
      encoding: 'utf8',
    });
    const { width, height, grownMb } = JSON.parse(output) as { width: number; height: number; grownMb: number };
    expect([width, height]).toEqual([1024, 762]); // 6700 * 1024 / 9000 = 762.3
    expect(grownMb).toBeLessThan(90);
  }, 60_000);
});

describe('nothing but InputError, whatever the bytes are', () => {
  const onlyInputError = async (bytes: Uint8Array) => {
    try {
      const { data, width, height } = await decodeImage(bytes, { sizing: { longest: 16 } });
      return data.length === width * height * 3;
    } catch (error) {
      return error instanceof InputError && !error.message.includes('\n');
    }
  };

  test('random bytes, with and without a signature', async () => {
    const signature = fc.constantFrom(
      '',
      '\xff\xd8\xff',
      '\x89PNG\r\n\x1a\n',
      'GIF89a',
      'RIFF\0\0\0\0WEBP',
      'II*\0',
      '\0\0\0\x1cftypavif',
    );
    await fc.assert(
      fc.asyncProperty(signature, fc.uint8Array({ maxLength: 200 }), (head, tail) =>
        onlyInputError(Buffer.concat([Buffer.from(head, 'latin1'), tail])),
      ),
      { numRuns: 150, seed: 1 },
    );
  });

  test('flipped bits and cuts in real encodings', async () => {
    const formats = ['jpeg', 'png', 'webp', 'tiff', 'gif', 'avif'] as const;
    const encodings = await Promise.all(formats.map((format) => encode(blocks).toFormat(format).toBuffer()));
    const position = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...encodings),
        fc.array(fc.tuple(position, fc.integer({ min: 1, max: 255 })), { maxLength: 6 }),
        fc.option(position),
        (encoding, flips, cut) => {
          const bytes = Buffer.from(encoding);
          for (const [at, mask] of flips) bytes[Math.floor(at * bytes.length)] ^= mask;
          return onlyInputError(cut === null ? bytes : bytes.subarray(0, Math.floor(cut * bytes.length)));
        },
      ),
      { numRuns: 300, seed: 2 },
    );
  });
});

describe('decodeImages', () => {
  const paths = Array.from({ length: 12 }, (_, i) => join(folder, `series-${i}.png`));
  const writeSeries = async () => {
    for (const [i, path] of paths.entries()) {
      // sizes differ, so that they do not finish in order
      const side = i % 3 === 0 ? 600 : 20;
      writeFileSync(
        path,
        await sharp({ create: { width: side, height: side, channels: 3, background: { r: i, g: 0, b: 0 } } })
          .png()
          .toBuffer(),
      );
    }
  };

  test('keeps the order and goes on after a bad image', async () => {
    await writeSeries();
    const broken = file('series-broken.png', Buffer.from('nothing'));
    const items = [...paths.slice(0, 5), broken, ...paths.slice(5)];
    const seen: (number | string)[] = [];
    for await (const outcome of decodeImages(items, (path) => ({ path }), { sizing: { longest: 16 } })) {
      seen.push('image' in outcome ? outcome.image.data[0] : outcome.error.name);
    }
    expect(seen).toEqual([0, 1, 2, 3, 4, 'InputError', 5, 6, 7, 8, 9, 10, 11]);
  });

  test('an error of `load` belongs to its item', async () => {
    await writeSeries();
    const load = (i: number) => {
      if (i === 1) throw new InputError('no path for 1');
      return { path: paths[i] };
    };
    const seen: string[] = [];
    for await (const outcome of decodeImages([0, 1, 2], load, { sizing: { longest: 16 } })) {
      seen.push('image' in outcome ? 'image' : outcome.error.message);
    }
    expect(seen).toEqual(['image', 'no path for 1', 'image']);
  });

  test('stopping early pulls no more than `ahead` items and ends the source', async () => {
    await writeSeries();
    let pulled = 0;
    let ended = false;
    function* source() {
      try {
        for (const path of paths) {
          pulled++;
          yield path;
        }
      } finally {
        ended = true;
      }
    }
    for await (const outcome of decodeImages(source(), (path) => ({ path }), { sizing: { longest: 16 }, ahead: 3 })) {
      expect('image' in outcome).toBe(true);
      break;
    }
    expect(pulled).toBe(3);
    expect(ended).toBe(true);
  });
});

test('toTensor: [1, H, W, 3], 0-255, unscaled', async () => {
  await tf.setBackend('cpu');
  const tensor = toTensor({ width: 2, height: 1, data: new Uint8Array([1, 2, 3, 253, 254, 255]) });
  expect(tensor.shape).toEqual([1, 1, 2, 3]);
  expect(tensor.dtype).toBe('float32');
  expect([...tensor.dataSync()]).toEqual([1, 2, 3, 253, 254, 255]);
  tensor.dispose();
});

test.skipIf(sharedData === undefined)('real photographs decode without a complaint', async () => {
  const landmark = join(sharedData as string, 'landmarks', 'hawa_mahal');
  const files = readdirSync(landmark).slice(0, 24);
  for await (const outcome of decodeImages(files, (name) => ({ path: join(landmark, name) }), {
    sizing: { longest: 256, multipleOf: 32 },
  })) {
    expect(outcome).toHaveProperty('image');
    if ('image' in outcome) expect([outcome.image.width % 32, outcome.image.height % 32]).toEqual([0, 0]);
  }
});
