/**
 * @file Integral max-pooling (Tolias et al. 2016, section 4.2): the maximum of a channel over any box from four numbers.
 *
 *   max_{p in R} X(p)  ~  (sum_{p in R} X(p)^alpha)^(1/alpha),   the sum from an integral image of X^alpha
 *
 * The approximation is never below the maximum and at most |R|^(1/alpha) above it; alpha = 1 is sum pooling. Sums are 64-bit
 * and every channel is divided by its largest activation first. A difference of sums loses the digits that its corners share: where fewer
 * than 2^-30 of the largest corner remain, `approximateMax` adds up the box's own cells. Integers up to 8, as the compact store
 * holds them, are summed undivided and exactly; of sums that are neither exact nor have cells to look at, what is below 2^-40 counts as 0.
 */
import type { Region } from '../../models/regions.js';
import type { ActivationMap } from './activation-map.js';

/** Exponent of all experiments of the paper. */
export const defaultAlpha = 10;

/** Differences of sums below this are rounding. */
export const smallestSum = 2 ** -40;

/** Whether a difference of sums has lost its digits: it is rounding, or less than 2^-30 of its largest corner. */
export function isLost(sum: number, corner: number): boolean {
  return sum < smallestSum || sum < 2 ** -30 * corner;
}

/** Integral images of X^alpha of the channels that are positive anywhere. */
export interface IntegralMap {
  height: number;
  width: number;
  /** Channels of the map, with or without activations. */
  channels: number;
  alpha: number;
  /** [A] ascending: the channels that have activations. */
  active: Int32Array;
  /** [A] what the channel's values were divided by before they were raised to alpha. */
  scale: Float64Array;
  /** [height + 1, width + 1, A] sum over the cells above and left of the corner. May be longer than that. */
  sums: Float64Array;
  /** The activations, for boxes in which all are small beside those outside. */
  source?: ActivationMap;
}

export interface IntegralOptions {
  /** Default 10. */
  alpha?: number;
}

/** Integral images of a map. */
export function integralMap(source: ActivationMap, { alpha = defaultAlpha }: IntegralOptions = {}): IntegralMap {
  checkAlpha(alpha);
  const { height, width, channels, values } = source;
  const largest = new Float64Array(channels);
  for (let at = 0; at < values.length; at += channels) {
    for (let c = 0; c < channels; c++) if (values[at + c] > largest[c]) largest[c] = values[at + c];
  }
  const active = Int32Array.from(largest.keys()).filter((c) => largest[c] > 0);
  const scale = Float64Array.from(active, (c) => largest[c]);
  const count = active.length;
  const sums = new Float64Array((height + 1) * (width + 1) * count);
  const power = powerFunction(alpha);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * width + x) * channels;
      const to = ((y + 1) * (width + 1) + x + 1) * count;
      for (let a = 0; a < count; a++) {
        const value = values[from + active[a]];
        if (value > 0) sums[to + a] = power(value / scale[a]);
      }
    }
  }
  integrate(sums, height, width, count);
  return { height, width, channels, alpha, active, scale, sums, source };
}

/** Turns powers, one row down and one column right of their cell, into sums in place. [height + 1, width + 1, count]. */
export function integrate(sums: Float64Array, height: number, width: number, count: number): void {
  const rowLength = (width + 1) * count;
  for (let y = 1; y <= height; y++) {
    for (let at = y * rowLength + count; at < (y + 1) * rowLength; at++) sums[at] += sums[at - count];
    for (let at = y * rowLength + count; at < (y + 1) * rowLength; at++) sums[at] += sums[at - rowLength];
  }
}

/**
 * Maxima of the box, approximately. [C] (sum pooling where alpha is 1), for the box's cells inside the map; exactly: `poolRegions`.
 * `out` is overwritten if given.
 */
export function approximateMax(
  { width, channels, alpha, active, scale, sums, source }: IntegralMap,
  box: Region,
  out: Float32Array = new Float32Array(channels),
): Float32Array {
  const { yMin, xMin, yMax, xMax } = box;
  out.fill(0);
  if (yMax <= yMin || xMax <= xMin) return out; // an empty region gives 0, as in regionMaxPool
  const count = active.length;
  const corner = (y: number, x: number) => (y * (width + 1) + x) * count;
  const [a, b, c, d] = [corner(yMin, xMin), corner(yMin, xMax), corner(yMax, xMin), corner(yMax, xMax)];
  for (let i = 0; i < count; i++) {
    const sum = sums[d + i] - sums[c + i] - sums[b + i] + sums[a + i];
    if (source !== undefined && isLost(sum, sums[d + i])) out[active[i]] = powerMean(source, active[i], box, alpha);
    else if (sum >= smallestSum) out[active[i]] = scale[i] * (alpha === 1 ? sum : sum ** (1 / alpha));
  }
  return out;
}

/** (sum X^alpha)^(1/alpha) of a channel over a box, cell by cell, divided by their largest so that no power vanishes. */
export function powerMean(
  { width, channels, values }: ActivationMap,
  channel: number,
  { yMin, xMin, yMax, xMax }: Region,
  alpha: number,
): number {
  let [largest, sum] = [0, 0];
  const visit = (use: (value: number) => void) => {
    for (let y = yMin; y < yMax; y++) {
      for (let x = xMin; x < xMax; x++) use(values[(y * width + x) * channels + channel]);
    }
  };
  visit((value) => (largest = Math.max(largest, value)));
  if (largest === 0) return 0;
  visit((value) => (sum += Math.max(0, value / largest) ** alpha));
  return largest * sum ** (1 / alpha);
}

/** The box of all cells. */
export function wholeMap({ height, width }: { height: number; width: number }): Region {
  return { yMin: 0, xMin: 0, yMax: height, xMax: width };
}

/** @throws Error for an exponent under which powers are no maximum. */
export function checkAlpha(alpha: number): void {
  if (!(alpha >= 1 && alpha <= 100)) throw new Error(`integralMap: alpha from 1 to 100 expected, got ${alpha}.`);
}

/** x^alpha; a few products where alpha is whole, which is several times faster than Math.pow. */
export function powerFunction(alpha: number): (x: number) => number {
  if (!Number.isInteger(alpha)) return (x) => x ** alpha;
  return (x) => {
    let [result, square] = [1, x];
    for (let bits = alpha; bits > 0; bits >>= 1) {
      if (bits & 1) result *= square;
      square *= square;
    }
    return result;
  };
}
