import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { photographFormat, unfitReason } from '../../src/data/image-format.js';
import { decodeImage } from '../../src/data/images.js';
import { sharp, withSvg } from '../../src/data/raster-loaders.js';
import { uprightSize } from '../../src/data/upright-size.js';

const folder = mkdtempSync(join(tmpdir(), 'rmac-loaders-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="48"><rect width="64" height="48"/></svg>';

test('an SVG is no photograph, whatever it begins with', async () => {
  const disguises = [
    '<!--ftypavif-->',
    '\0\0\0\x1cftypavif',
    'RIFF\0\0\0\0WEBP',
    'GIF89a',
    '<?xml version="1.0"?>',
    '',
  ];
  for (const start of disguises) {
    const bytes = Buffer.from(`${start}${svg}`, 'latin1');
    await expect(decodeImage(bytes), start).rejects.toThrow(/not a photograph|broken image/);
    const path = join(folder, 'disguise.jpg');
    writeFileSync(path, bytes);
    await expect(decodeImage(path), start).rejects.toThrow(/not a photograph|broken image/);
    await expect(uprightSize(path), start).rejects.toThrow(/not a photograph|broken image/);
  }
});

test('libvips itself loads raster images only', async () => {
  await expect(sharp(Buffer.from(svg)).metadata()).rejects.toThrow(/unsupported image format/);
  const path = join(folder, 'drawing.svg');
  writeFileSync(path, svg);
  await expect(sharp(path).metadata()).rejects.toThrow(/unsupported image format/);
  const ppm = Buffer.concat([Buffer.from('P6\n16 16\n255\n'), Buffer.alloc(768)]);
  await expect(sharp(ppm).metadata()).rejects.toThrow(/unsupported image format/);
});

test('SVG of our own is drawn, and blocked again after, also after a failure', async () => {
  const drawn = await withSvg(() => sharp(Buffer.from(svg)).raw().toBuffer({ resolveWithObject: true }));
  expect([drawn.info.width, drawn.info.height]).toEqual([64, 48]);
  await expect(withSvg(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
  await expect(sharp(Buffer.from(svg)).metadata()).rejects.toThrow(/unsupported image format/);
});

test('the brands of a HEIF file decide, as libvips reads them', () => {
  const box = (length: number, brands: string) => {
    const size = Buffer.alloc(4);
    size.writeUInt32BE(length);
    return Buffer.concat([size, Buffer.from(`ftyp${brands}`)]);
  };
  expect(photographFormat(box(28, 'avif\0\0\0\0avifmif1miaf'))).toBe('heif');
  expect(photographFormat(box(28, 'mif1\0\0\0\0mif1avifmiaf'))).toBe('heif');
  expect(unfitReason(box(24, 'mif1\0\0\0\0mif1heic'))).toMatch(/^HEIC cannot be decoded/);
  expect(unfitReason(box(24, 'heic\0\0\0\0mif1heic'))).toMatch(/^HEIC cannot be decoded/);
  // a length that libvips takes for no box, and a brand behind the box
  expect(unfitReason(box(0x3c212d2d, 'avif'))).toMatch(/^not a photograph/);
  expect(unfitReason(box(20, 'isom\0\0\0\0isomavif'))).toMatch(/^not a photograph/);
});
