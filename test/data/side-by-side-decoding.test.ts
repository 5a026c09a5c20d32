import * as fc from 'fast-check';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { decodeImage } from '../../src/data/images.js';
import { beforeMarker, withPhoneScanHeader } from './encoded-images.js';

/** Pixels or the reason: all that a decode gives. */
async function verdict(bytes: Uint8Array): Promise<string> {
  return decodeImage(bytes, { sizing: { longest: 32 } }).then(
    ({ data }) => Buffer.from(data).toString('base64'),
    (error: Error) => error.message,
  );
}

/** Whole, remarked on, garbled and cut images of every format. */
async function encodings(): Promise<Buffer[]> {
  const noise = { type: 'gaussian', mean: 128, sigma: 30 } as const;
  const create = { width: 96, height: 64, channels: 3, background: '#000', noise } as const;
  const encoded = await Promise.all([
    ...(['png', 'webp', 'tiff', 'gif'] as const).map((format) => sharp({ create }).toFormat(format).toBuffer()),
    sharp({ create }).tiff({ compression: 'deflate' }).toBuffer(),
    ...[1, 2, 3, 4].map((n) =>
      sharp({ create })
        .jpeg({ progressive: n === 4 })
        .toBuffer(),
    ),
  ]);
  const jpegs = encoded.slice(5, 8);
  return [...encoded, ...jpegs.map(withPhoneScanHeader), beforeMarker(jpegs[0], 0xda, Buffer.from('stray'))];
}

test('files decoded side by side have the verdicts they have alone', { timeout: 60_000 }, async () => {
  const originals = await encodings();
  const place = fc.noBias(fc.nat(999_999)).map((n) => n / 1e6);
  const mutation = fc.record({
    original: fc.nat(originals.length - 1),
    changes: fc.array(fc.tuple(place, fc.integer({ min: 1, max: 255 })), { maxLength: 2 }),
    length: fc.oneof({ weight: 6, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: place }),
  });
  const mutated = fc.sample(mutation, { numRuns: 120, seed: 20 }).map(({ original, changes, length }) => {
    const bytes = Buffer.from(originals[original]);
    for (const [at, mask] of changes) bytes[Math.floor(at * bytes.length)] ^= mask;
    return bytes.subarray(0, Math.ceil(length * bytes.length));
  });
  const files = [...mutated, ...originals];

  const alone: string[] = [];
  for (const file of files) alone.push(await verdict(file));
  const refused = alone.filter((text) => text.includes('broken image')).length;
  expect(refused).toBeGreaterThan(20);
  expect(refused).toBeLessThan(files.length - 30);
  expect(alone.slice(mutated.length).every((text) => !text.includes('image'))).toBe(true);

  const orders = fc.shuffledSubarray([...files.keys()], { minLength: files.length });
  for (const order of fc.sample(orders, { numRuns: 6, seed: 21 })) {
    const beside = await Promise.all(order.map((n) => verdict(files[n])));
    expect(beside).toEqual(order.map((n) => alone[n]));
  }
});
