/**
 * @file Copies of one photograph: re-encoded, resized, slightly brightened or cropped. Two tests on a grey picture of 32 x 32 must agree, the
 * perceptual hash (signs of low DCT coefficients about their median, Zauner 2010) and the correlation of the pixels, and the shapes must fit.
 * Two photographs from the same spot differ in both.
 */

/** Side of the small grey picture that stands for an image. */
export const signatureSide = 32;
/** Lowest frequencies in the hash, per axis. */
const hashSide = 8;

/** Grey levels, rows from the top left, any range. */
export interface GreyPixels {
  data: ArrayLike<number>;
  width: number;
  height: number;
}

/** The picture shrunk to 32 x 32 by averaging areas, [1024], stretched to 0-255. */
export function imageSignature({ data, width, height }: GreyPixels): Uint8Array {
  const side = signatureSide;
  const columns = shares(width, side);
  const rows = shares(height, side);
  const narrow = new Float64Array(height * side);
  for (let y = 0; y < height; y++) {
    for (const { from, to, weight } of columns) narrow[y * side + to] += weight * data[y * width + from];
  }
  const small = new Float64Array(side * side);
  for (const { from, to, weight } of rows) {
    for (let x = 0; x < side; x++) small[to * side + x] += weight * narrow[from * side + x];
  }
  let [low, high] = [Infinity, -Infinity];
  for (const value of small) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const scale = high > low ? 255 / (high - low) : 0;
  return Uint8Array.from(small, (value) => Math.round((value - low) * scale));
}

/** Which share of which old cell goes into which new one, along one axis. */
function shares(from: number, to: number): { from: number; to: number; weight: number }[] {
  const list: { from: number; to: number; weight: number }[] = [];
  const scale = from / to;
  for (let cell = 0; cell < to; cell++) {
    const [start, end] = [cell * scale, (cell + 1) * scale];
    for (let old = Math.floor(start); old < Math.min(from, Math.ceil(end - 1e-9)); old++) {
      const covered = Math.min(end, old + 1) - Math.max(start, old);
      if (covered > 0) list.push({ from: old, to: cell, weight: covered / scale });
    }
  }
  return list;
}

const cosines = Float64Array.from({ length: hashSide * signatureSide }, (_, i) => {
  const [frequency, x] = [Math.floor(i / signatureSide), i % signatureSide];
  return Math.cos((Math.PI * frequency * (2 * x + 1)) / (2 * signatureSide));
});

/** 64 bits in two words: low DCT coefficients above their median; the mean level is left out. */
export function perceptualHash(signature: Uint8Array): [number, number] {
  const side = signatureSide;
  const half = new Float64Array(side * hashSide);
  for (let y = 0; y < side; y++) {
    for (let u = 0; u < hashSide; u++) {
      for (let x = 0; x < side; x++) half[y * hashSide + u] += signature[y * side + x] * cosines[u * side + x];
    }
  }
  const coefficients = new Float64Array(hashSide * hashSide);
  for (let v = 0; v < hashSide; v++) {
    for (let u = 0; u < hashSide; u++) {
      for (let y = 0; y < side; y++) coefficients[v * hashSide + u] += half[y * hashSide + u] * cosines[v * side + y];
    }
  }
  const sorted = coefficients.slice(1).sort();
  const median = sorted[(sorted.length - 1) / 2];
  const words: [number, number] = [0, 0];
  for (let i = 1; i < coefficients.length; i++) {
    if (coefficients[i] > median) words[i >> 5] |= 1 << (i & 31);
  }
  return [words[0] >>> 0, words[1] >>> 0];
}

/** Bits in which two hashes differ, 0 to 64. */
export function hashDistance([a, b]: readonly [number, number], [c, d]: readonly [number, number]): number {
  return bitCount(a ^ c) + bitCount(b ^ d);
}

function bitCount(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Pearson correlation of two signatures, -1 to 1; 1 for two without any contrast. */
export function signatureCorrelation(a: Uint8Array, b: Uint8Array): number {
  const n = a.length;
  let [sa, sb, aa, bb, ab] = [0, 0, 0, 0, 0];
  for (let i = 0; i < n; i++) {
    sa += a[i];
    sb += b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
    ab += a[i] * b[i];
  }
  const [va, vb] = [n * aa - sa * sa, n * bb - sb * sb];
  if (va === 0 || vb === 0) return va === vb ? 1 : 0;
  return (n * ab - sa * sb) / Math.sqrt(va * vb);
}

/** What near-duplicates are told by. */
export interface DuplicateFacts {
  /** Equal for equal files. */
  image: string;
  width: number;
  height: number;
  signature: Uint8Array;
}

export interface NearDuplicateOptions {
  /** Largest distance of the hashes, bits of 64. Default 8. */
  maxBits?: number;
  /** Smallest correlation of the signatures. Default 0.97. */
  minCorrelation?: number;
  /** Largest relative difference of the aspect ratios. Default 0.05. */
  maxAspectChange?: number;
}

/**
 * Sets of near-duplicates among `images`, as positions: the largest picture of a set first, of equal ones the first in the list. Images that
 * are in no set are alone. Compares all pairs of hashes.
 */
export function nearDuplicateSets(
  images: readonly DuplicateFacts[],
  { maxBits = 8, minCorrelation = 0.97, maxAspectChange = 0.05 }: NearDuplicateOptions = {},
): number[][] {
  const hashes = images.map(({ signature }) => perceptualHash(signature));
  // Blank pictures are all alike and say nothing.
  const flat = images.map(({ signature }) => signature.every((value) => value === signature[0]));
  const aspects = images.map(({ width, height }) => Math.log(width / height));
  const setOf = new Map<number, number[]>();
  for (let i = 0; i < images.length; i++) {
    for (let j = i + 1; j < images.length; j++) {
      if (images[i].image !== images[j].image) {
        if (flat[i] || flat[j] || hashDistance(hashes[i], hashes[j]) > maxBits) continue;
        if (Math.abs(aspects[i] - aspects[j]) > maxAspectChange) continue;
        if (signatureCorrelation(images[i].signature, images[j].signature) < minCorrelation) continue;
      }
      const [one, other] = [setOf.get(i) ?? [i], setOf.get(j) ?? [j]];
      if (one === other) continue;
      const joined = [...one, ...other];
      for (const member of joined) setOf.set(member, joined);
    }
  }
  const area = (i: number) => images[i].width * images[i].height;
  return [...new Set(setOf.values())].map((set) => set.toSorted((x, y) => area(y) - area(x) || x - y));
}
