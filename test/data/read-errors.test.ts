import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import type * as fs from 'node:fs/promises';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { thumbnail } from '../../src/report/thumbnail.js';
import { contentKey } from '../../src/cleaning/features/describe-photographs.js';
import { decodeImage, decodeImages } from '../../src/data/images.js';
import { scanFolder } from '../../src/data/scan.js';
import { uprightSize } from '../../src/data/upright-size.js';
import { InputError } from '../../src/errors.js';

/** Files named after a code of the system cannot be opened: EMFILE.png. */
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof fs>();
  const open: typeof real.open = async (path, ...rest) => {
    const code = /(E[A-Z]{2,})\.png$/.exec(String(path))?.[1];
    if (code !== undefined) throw Object.assign(new Error(`${code}: open`), { code, syscall: 'open', path });
    return real.open(path, ...rest);
  };
  return { ...real, open };
});

const folder = mkdtempSync(join(tmpdir(), 'rmac-read-'));
afterAll(() => rm(folder, { recursive: true, force: true }));
let png: Buffer;
beforeAll(async () => {
  png = await sharp({ create: { width: 20, height: 20, channels: 3, background: '#777' } })
    .png()
    .toBuffer();
});

test.each(['EMFILE', 'EACCES', 'EIO'])('%s is no fault of the photograph: it ends the work', async (code) => {
  const path = join(folder, code, 'tower', `${code}.png`);
  mkdirSync(join(folder, code, 'tower'), { recursive: true });
  writeFileSync(path, png);
  writeFileSync(join(folder, code, 'tower', 'whole.png'), png);
  const attempts: (() => Promise<unknown>)[] = [
    () => decodeImage(path),
    () => uprightSize(path),
    () => contentKey(path),
    () => thumbnail(path),
    () => scanFolder(join(folder, code)),
    () => decodeImages([path], (item) => ({ path: item }), { sizing: { longest: 8 } }).next(),
  ];
  for (const attempt of attempts) {
    const error: unknown = await attempt().catch((thrown: unknown) => thrown);
    expect(error).not.toBeInstanceOf(InputError);
    expect(error).toMatchObject({ code, syscall: 'open', path });
  }
});

test('a path that leads to nothing is a fault of the input', async () => {
  for (const name of ['absent.png', 'whole.png/inside.png', `${'a'.repeat(300)}.png`, 'zero\0.png']) {
    writeFileSync(join(folder, 'whole.png'), png);
    await expect(decodeImage(join(folder, name)), name).rejects.toThrow(/no such image file/);
  }
});
