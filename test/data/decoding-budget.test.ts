import { Worker } from 'node:worker_threads';
import sharp from 'sharp';
import { afterEach, expect, test } from 'vitest';
import { withinBudget, withoutOtherDecodes } from '../../src/data/decoding-budget.js';
import { decodeImage, decodeImages } from '../../src/data/images.js';
import { InputError, UsageError } from '../../src/errors.js';
import { webpHeader } from './encoded-images.js';

afterEach(() => {
  delete process.env.RMAC_DECODING_MB;
});

const soon = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('what is in hand never exceeds the budget, and all come to their turn', async () => {
  let inHand = 0;
  let most = 0;
  const sizes = [400, 700, 300, 900, 100, 100, 100, 1000, 50, 600];
  const done = sizes.map((mb, i) =>
    withinBudget(mb * 1e6, `image ${i}`, async () => {
      inHand += mb;
      most = Math.max(most, inHand);
      await soon(5);
      inHand -= mb;
      return i;
    }),
  );
  expect(await Promise.all(done)).toEqual(sizes.map((_, i) => i));
  expect(most).toBe(1000); // 900 + 100 and the 1000 alone
});

test('a failed one gives its share back', async () => {
  for (let i = 0; i < 3; i++) {
    await expect(withinBudget(1e9, 'x', () => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
  }
});

test('alone means that nothing is decoded meanwhile', async () => {
  const events: string[] = [];
  const note = (name: string) => async () => {
    events.push(`${name} begins`);
    await soon(10);
    events.push(`${name} ends`);
  };
  await Promise.all([
    withinBudget(1e6, '', note('a')),
    withoutOtherDecodes(note('b')),
    withinBudget(1e6, '', note('c')),
  ]);
  expect(events).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
});

test('worker threads have a share in the same budget', async () => {
  const used = await withinBudget(123e6, 'x', async () => {
    const code = `const { getEnvironmentData, parentPort } = require('node:worker_threads');
      parentPort.postMessage(new Int32Array(getEnvironmentData('rmac.decoding-kb'))[0]);`;
    const worker = new Worker(code, { eval: true });
    return new Promise((resolve) => worker.once('message', resolve));
  });
  expect(used).toBe(123_000);
});

test('an image that alone takes more is refused in one line, before it is decoded', async () => {
  // 198.8 megapixels of a lossless WebP: 38 bytes that would become 1.6 GB
  const error: unknown = await decodeImage(webpHeader(14_100, 14_100)).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(InputError);
  expect((error as Error).message).toMatch(
    /takes 2\d{3} MB to decode, more than the 1000 MB for all images at once; scale it down first, or set RMAC_DECODING_MB=2\d{3}\.$/,
  );
  // a row of 23 million pixels, which every step of a resize holds many rows of
  const line = await sharp({ create: { width: 2_000_000, height: 8, channels: 3, background: '#777' } })
    .png()
    .toBuffer();
  await expect(decodeImage(line, { sizing: { longest: 32 } })).rejects.toThrow(/takes 18\d\d MB to decode/);
});

test('RMAC_DECODING_MB sets it', async () => {
  const png = await sharp({ create: { width: 700, height: 700, channels: 3, background: '#777' } })
    .png()
    .toBuffer();
  process.env.RMAC_DECODING_MB = '2';
  await expect(decodeImage(png)).rejects.toThrow(/takes 3 MB to decode, more than the 2 MB/); // .6 for columns, 1.5 of RGB
  process.env.RMAC_DECODING_MB = '3';
  const images = Array.from({ length: 6 }, () => png);
  const decoded = await Promise.all(images.map((bytes) => decodeImage(bytes)));
  expect(decoded.every(({ width }) => width === 700)).toBe(true);
  process.env.RMAC_DECODING_MB = 'much';
  await expect(decodeImage(png)).rejects.toThrow(UsageError);
  const all = async () => {
    for await (const outcome of decodeImages(['a'], () => ({ path: import.meta.filename }), {
      sizing: { longest: 8 },
    })) {
      expect('error' in outcome).toBe(true); // this file is no photograph: its own fault, not of the budget
    }
  };
  await all();
});
