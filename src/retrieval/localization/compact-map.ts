/**
 * @file Activation maps small enough to keep for a whole collection (Tolias et al. 2016, section 5.2): nine levels, sparse, delta-coded.
 *
 * An activation x becomes the level floor((15 + min(s x, 128)) / 16), 0 to 8. With s = 1 that is the paper's rule, made for networks whose
 * input is 0-255 (AlexNet, VGG); others need a scale of their own (`fittedScale`). A box's cosine with a query does not depend on s.
 *
 * Codes, channel after channel: the number of cells above level 0 (varint, 7 bits a byte, low bits first), then for each of them, in
 * row order, one byte (gap << 3) | (level - 1) with the number of level-0 cells since the one before; a gap of 31 or more is
 * written as 31 and a varint of gap - 31.
 */
import { InputError } from '../../errors.js';
import type { ActivationMap } from './activation-map.js';
import {
  checkAlpha,
  defaultAlpha,
  integrate,
  type IntegralMap,
  type IntegralOptions,
  powerFunction,
} from './integral-max.js';

export const highestLevel = 8;
const saturation = 128;
const gapEscape = 31;

/** Most activations (cells times channels) of a map that is read: 2048 channels of 256 x 256 cells. */
export const mostActivations = 1 << 27;

/** A feature map in about a byte per positive activation (Tolias et al. 2016, section 5.2). */
export interface CompactMap {
  height: number;
  width: number;
  channels: number;
  /** What activations were multiplied by before rounding. */
  scale: number;
  codes: Uint8Array;
}

/** Level of an activation. */
export function levelOf(x: number, scale: number = 1): number {
  return x > 0 ? Math.floor((15 + Math.min(x * scale, saturation)) / 16) : 0;
}

/**
 * The scale that saturates at two thirds of the map's largest activation. Cosine of the maxima of nine levels to the exact ones with it: 0.97
 * (DenseNet-121), 0.99 (ResNet-50 to conv4; the project's small trunk); saturating at the largest gives 0.96 to 0.99. 1 for zeros.
 */
export function fittedScale({ values }: ActivationMap): number {
  let largest = 0;
  for (const value of values) if (value > largest) largest = value;
  const scale = Math.fround((1.5 * saturation) / largest);
  return Number.isFinite(scale) ? scale : 1;
}

/**
 * What levels stand for when they are read. `levels`: themselves, as in the paper. `centres`: 16 l - 7, the middle of what was rounded to l,
 * which lies nearer to the maxima (DenseNet-121: cosine 0.985 instead of 0.972).
 */
export const levelValues = {
  levels: Float64Array.from({ length: highestLevel + 1 }, (_, level) => level),
  centres: Float64Array.from({ length: highestLevel + 1 }, (_, level) => (level === 0 ? 0 : 16 * level - 7)),
} as const;
export type LevelValues = keyof typeof levelValues;

/** Encodes a map. `scale`: default `fittedScale`; 1 is the paper's rule. */
export function compactMap(map: ActivationMap, { scale = fittedScale(map) }: { scale?: number } = {}): CompactMap {
  const { height, width, channels, values } = map;
  const cells = height * width;
  const writer = new ByteWriter();
  const found = new Uint8Array(cells);
  for (let c = 0; c < channels; c++) {
    let count = 0;
    for (let cell = 0; cell < cells; cell++) {
      const level = levelOf(values[cell * channels + c], scale);
      found[cell] = level;
      if (level > 0) count++;
    }
    writer.varint(count);
    for (let cell = 0, gap = 0; count > 0; cell++) {
      if (found[cell] === 0) {
        gap++;
        continue;
      }
      writer.byte((Math.min(gap, gapEscape) << 3) | (found[cell] - 1));
      if (gap >= gapEscape) writer.varint(gap - gapEscape);
      gap = 0;
      count--;
    }
  }
  return { height, width, channels, scale, codes: writer.bytes() };
}

/**
 * Calls `visit` for every cell above level 0, channel after channel, cells in row order.
 * @throws InputError where the codes do not describe a map of this size.
 */
export function forEachLevel(
  { height, width, channels, codes }: CompactMap,
  visit: (channel: number, cell: number, level: number) => void,
): void {
  const cells = height * width;
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      if (at >= codes.length) throw broken('they end too early');
      const byte = codes[at++];
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw broken('a number is too long');
  };
  for (let channel = 0; channel < channels; channel++) {
    let cell = -1;
    for (let left = varint(); left > 0; left--) {
      if (at >= codes.length) throw broken('they end too early');
      const code = codes[at++];
      const gap = code >> 3;
      cell += 1 + gap;
      if (gap === gapEscape) cell += varint();
      if (cell >= cells) throw broken(`channel ${channel} has more than ${cells} cells`);
      visit(channel, cell, (code & 7) + 1);
    }
  }
  if (at !== codes.length) throw broken(`${codes.length - at} bytes too many`);
}

/** The levels as a map. Activations are a constant times that; cosines and R-MAC do not depend on it. */
export function levelMap(map: CompactMap, { read = 'levels' }: { read?: LevelValues } = {}): ActivationMap {
  const table = levelValues[read];
  const { height, width, channels } = map;
  const values = new Float32Array(height * width * channels);
  forEachLevel(map, (channel, cell, level) => (values[cell * channels + channel] = table[level]));
  return { height, width, channels, values };
}

export interface LevelIntegralOptions extends IntegralOptions {
  /** Default 'levels', whose sums at alpha = 10 are exact. */
  read?: LevelValues;
  /** Used for the sums where it is large enough: many maps then need one. */
  buffer?: Float64Array;
}

/** Integral images of the levels, powers by table. */
export function integralOfLevels(
  map: CompactMap,
  { alpha = defaultAlpha, read = 'levels', buffer }: LevelIntegralOptions = {},
): IntegralMap {
  checkAlpha(alpha);
  const { height, width, channels } = map;
  const active = activeChannels(map);
  const slot = new Int32Array(channels);
  active.forEach((channel, a) => (slot[channel] = a));
  const power = powerFunction(alpha);
  // centres are divided by the largest, so that sums are at least as large as `smallestSum` allows
  const unit = read === 'levels' ? 1 : levelValues[read][highestLevel];
  const powers = levelValues[read].map((value) => power(value / unit));
  const count = active.length;
  const length = (height + 1) * (width + 1) * count;
  const sums = buffer !== undefined && buffer.length >= length ? buffer.fill(0, 0, length) : new Float64Array(length);
  const place = Int32Array.from(
    { length: height * width },
    (_, cell) => ((Math.floor(cell / width) + 1) * (width + 1) + (cell % width) + 1) * count,
  );
  forEachLevel(map, (channel, cell, level) => (sums[place[cell] + slot[channel]] = powers[level]));
  integrate(sums, height, width, count);
  return { height, width, channels, alpha, active, scale: new Float64Array(count).fill(unit), sums };
}

function activeChannels(map: CompactMap): Int32Array {
  const seen = new Uint8Array(map.channels);
  forEachLevel(map, (channel) => (seen[channel] = 1));
  return Int32Array.from(seen.keys()).filter((channel) => seen[channel] === 1);
}

function broken(why: string): InputError {
  return new InputError(`The codes of an activation map are damaged: ${why}.`);
}

/** Bytes that grow. */
class ByteWriter {
  #bytes = new Uint8Array(1024);
  #length = 0;

  byte(value: number): void {
    if (this.#length === this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#bytes.length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[this.#length++] = value;
  }

  varint(value: number): void {
    let rest = value;
    for (; rest >= 0x80; rest >>>= 7) this.byte((rest & 0x7f) | 0x80);
    this.byte(rest);
  }

  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}
