import sharp, { type Sharp } from 'sharp';
import { expect, test } from 'vitest';
import {
  hashDistance,
  imageSignature,
  nearDuplicateSets,
  perceptualHash,
  signatureCorrelation,
  signatureSide,
} from '../../../src/cleaning/features/near-duplicates.js';

/** A picture of a few soft blobs at places that depend on `seed`. */
function picture(seed: number, width = 160, height = 120) {
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let value = 90;
      for (let k = 1; k <= 6; k++) {
        const [cx, cy] = [
          ((Math.sin(seed * 7.1 + k * 3.3) + 1) / 2) * width,
          ((Math.cos(seed * 5.7 + k * 1.9) + 1) / 2) * height,
        ];
        value += (k % 2 === 0 ? 110 : -80) * Math.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * (4 + 3 * k) ** 2));
      }
      data[y * width + x] = Math.max(0, Math.min(255, value));
    }
  }
  return { data, width, height };
}

async function changed(seed: number, change: (image: Sharp) => Sharp) {
  const { data, width, height } = picture(seed);
  const encoded = await change(sharp(data, { raw: { width, height, channels: 1 } })).toBuffer();
  const { data: raw, info } = await sharp(encoded).greyscale().raw().toBuffer({ resolveWithObject: true });
  return { data: raw, width: info.width, height: info.height };
}

const facts = (image: string, grey: { data: ArrayLike<number>; width: number; height: number }) => ({
  image,
  width: grey.width,
  height: grey.height,
  signature: imageSignature(grey),
});

test('a signature is the mean over areas, stretched to the full range', () => {
  // 64 x 48 to 32 x 32: two columns and one and a half rows a cell.
  const data = Float64Array.from({ length: 64 * 48 }, (_, i) => Math.floor(i / 64));
  const signature = imageSignature({ data, width: 64, height: 48 });
  // Cell 0 averages rows 0 and half of 1: 1/3; cell 31 rows 47 and half of 46: 46 2/3. Cell 1: half of 1, all of 2: 5/3.
  const level = (mean: number) => Math.round(((mean - 1 / 3) * 255) / (46 + 2 / 3 - 1 / 3));
  expect(signature[0]).toBe(0);
  expect(signature[signatureSide]).toBe(level(5 / 3));
  expect(signature[signatureSide * 31]).toBe(255);
});

test('the hash is the sign of low DCT coefficients about their median, by the definition of the transform', () => {
  const signature = imageSignature(picture(3));
  const coefficients: number[] = [];
  for (let v = 0; v < 8; v++) {
    for (let u = 0; u < 8; u++) {
      let sum = 0;
      for (let y = 0; y < 32; y++) {
        for (let x = 0; x < 32; x++) {
          const basis = Math.cos(((2 * x + 1) * u * Math.PI) / 64) * Math.cos(((2 * y + 1) * v * Math.PI) / 64);
          sum += signature[y * 32 + x] * basis;
        }
      }
      coefficients.push(sum);
    }
  }
  const median = coefficients.slice(1).toSorted((a, b) => a - b)[31];
  const hash = perceptualHash(signature);
  for (let i = 1; i < 64; i++) expect((hash[i >> 5] >>> (i & 31)) & 1).toBe(coefficients[i] > median ? 1 : 0);
});

test('hash distance counts bits', () => {
  expect(hashDistance([0, 0], [0, 0])).toBe(0);
  expect(hashDistance([0xffffffff, 1], [0, 0x80000000])).toBe(34);
});

test('re-encoded, resized, brightened and slightly cropped copies are found, other pictures are not', async () => {
  const original = picture(1);
  const copies = [
    await changed(1, (image) => image.jpeg({ quality: 30 })),
    await changed(1, (image) => image.resize(83, 62).png()),
    await changed(1, (image) => image.resize(480, 360).webp()),
    await changed(1, (image) => image.linear(0.7, 40).png()),
    await changed(1, (image) => image.extract({ left: 1, top: 1, width: 157, height: 118 }).png()),
  ];
  const others = [2, 3, 4, 5, 6, 7].map((seed) => picture(seed));
  const list = [original, ...others.slice(0, 3), ...copies, ...others.slice(3)].map((grey, i) => facts(`${i}`, grey));
  // The enlarged copy is the largest.
  expect(nearDuplicateSets(list)).toEqual([[6, 0, 4, 7, 8, 5]]);
});

test('a mirrored, an inverted and a stretched picture are no copies', async () => {
  const list = [
    picture(1),
    await changed(1, (image) => image.flop().png()),
    await changed(1, (image) => image.negate().png()),
    await changed(1, (image) => image.resize(160, 90, { fit: 'fill' }).png()),
  ].map((grey, i) => facts(`${i}`, grey));
  expect(nearDuplicateSets(list)).toEqual([]);
});

test('blank pictures are not taken for copies of each other unless their files are equal', () => {
  const blank = (image: string) => facts(image, { data: new Uint8Array(64 * 64).fill(200), width: 64, height: 64 });
  expect(nearDuplicateSets([blank('a'), blank('b'), blank('a')])).toEqual([[0, 2]]);
  expect(signatureCorrelation(blank('a').signature, blank('b').signature)).toBe(1);
});
