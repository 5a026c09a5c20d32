/**
 * @file Approximate max-pooling localisation, AML (Tolias et al. 2016, section 5.1): the box of a map whose maxima are most like a query's.
 *
 *   argmax_R  f_R · q / (|f_R| |q|),   f_R the maxima of the box by integral max-pooling, q the maxima of the query
 *
 * Boxes begin at every `step`-th cell and are 2, 2 + step, 2 + 2 step ... cells a side; those whose aspect differs from the query's by more than the
 * factor `aspectBound` are left out. The best is refined by coordinate descent: each side moves by `refineStep` cells either
 * way while that helps, at most `refineRounds` times round, then by one cell less, down to 1.
 */
import type { Region } from '../../models/regions.js';
import { type IntegralMap, isLost, powerMean, smallestSum, wholeMap } from './integral-max.js';

export interface LocalizationTarget {
  /** [C] maxima of the query over its map (MAC before any whitening). */
  maxima: ArrayLike<number>;
  /** Height over width of the query; any aspect is searched without it. */
  aspect?: number;
}

export interface LocalizeOptions {
  /** t of the paper. Default 3. */
  step?: number;
  /** s of the paper: largest factor between the aspects of box and query, at least 1. Default 1.1. */
  aspectBound?: number;
  /** Largest move of a side in the refinement; 0 leaves it out. Default 3. */
  refineStep?: number;
  /** Default 5. */
  refineRounds?: number;
}

export interface LocalizedBox {
  region: Region;
  /** Cosine of the box's approximate maxima and the query's; 0 where either has none. */
  score: number;
  /** Boxes that were compared. */
  visited: number;
}

/** Smallest side of a box, in cells, where the map has as many (as in the authors' program). */
const smallestCells = 2;

/** Cosine of the maxima of a box with the query's. */
export type BoxScore = (yMin: number, xMin: number, yMax: number, xMax: number) => number;

/** The best box of a coarse search, refined. The whole map where no box has the aspect asked for and none refined is better. */
export function localize(
  map: IntegralMap,
  target: LocalizationTarget,
  { step = 3, aspectBound = 1.1, refineStep = 3, refineRounds = 5 }: LocalizeOptions = {},
): LocalizedBox {
  if (!(Number.isSafeInteger(step) && step >= 1))
    throw new Error(`localize: a step of at least 1 expected, got ${step}.`);
  if (!(aspectBound >= 1)) throw new Error(`localize: an aspectBound of at least 1 expected, got ${aspectBound}.`);
  const score = boxScore(map, target.maxima);
  const best = search(map, score, { step, aspectBound, aspect: target.aspect });
  return refine(map, score, best, { refineStep, refineRounds });
}

/** Every box of at least 2 x 2 cells, whatever its aspect. */
export function localizeExhaustively(map: IntegralMap, target: LocalizationTarget): LocalizedBox {
  return search(map, boxScore(map, target.maxima), { step: 1, aspectBound: Infinity, aspect: undefined });
}

function search(
  map: IntegralMap,
  score: BoxScore,
  { step, aspectBound, aspect }: { step: number; aspectBound: number; aspect: number | undefined },
): LocalizedBox {
  const { height, width } = map;
  const best: LocalizedBox = { region: wholeMap(map), score: -Infinity, visited: 0 };
  // a tolerance of rounding: a factor of exactly the bound is inside
  const bound = Math.log(aspectBound) + 1e-9;
  const logAspect = aspect === undefined ? 0 : Math.log(aspect);
  const [shortest, narrowest] = [Math.min(smallestCells, height), Math.min(smallestCells, width)];
  for (let h = shortest; h <= height; h += step) {
    for (let w = narrowest; w <= width; w += step) {
      if (aspect !== undefined && Math.abs(Math.log(h / w) - logAspect) > bound) continue;
      for (let y = 0; y + h <= height; y += step) {
        for (let x = 0; x + w <= width; x += step) {
          const value = score(y, x, y + h, x + w);
          best.visited++;
          if (value > best.score) {
            best.score = value;
            best.region = { yMin: y, xMin: x, yMax: y + h, xMax: x + w };
          }
        }
      }
    }
  }
  if (best.visited === 0) best.score = score(0, 0, height, width);
  return best;
}

function refine(
  { height, width }: IntegralMap,
  score: BoxScore,
  start: LocalizedBox,
  { refineStep, refineRounds }: { refineStep: number; refineRounds: number },
): LocalizedBox {
  const { yMin, xMin, yMax, xMax } = start.region;
  const sides = [yMin, xMin, yMax, xMax];
  let { score: best, visited } = start;
  const limits = [height, width];
  for (let by = refineStep; by >= 1; by--) {
    for (let round = 0, moved = true; moved && round < refineRounds; round++) {
      moved = false;
      for (let move = 0; move < 8; move++) {
        const side = move >> 1;
        const axis = side & 1;
        const previous = sides[side];
        sides[side] += move & 1 ? by : -by;
        const fits =
          sides[axis] >= 0 &&
          sides[axis + 2] <= limits[axis] &&
          sides[axis + 2] - sides[axis] >= Math.min(smallestCells, limits[axis]);
        let value = -Infinity;
        if (fits) {
          value = score(sides[0], sides[1], sides[2], sides[3]);
          visited++;
        }
        if (value > best) {
          best = value;
          moved = true;
        } else sides[side] = previous;
      }
    }
  }
  return { region: { yMin: sides[0], xMin: sides[1], yMax: sides[2], xMax: sides[3] }, score: best, visited };
}

/** The function that compares boxes of a map with a query's maxima [C]. */
export function boxScore(map: IntegralMap, maxima: ArrayLike<number>): BoxScore {
  const { width, channels, alpha, active, scale, sums, source } = map;
  if (maxima.length !== channels) {
    throw new Error(`localize: a query of ${channels} channels expected, as the map has, got ${maxima.length}.`);
  }
  const count = active.length;
  let squared = 0;
  for (let c = 0; c < channels; c++) squared += maxima[c] ** 2;
  // f = scale root(sum), so that f · q = root · (scale q) and |f|^2 = root^2 · scale^2
  const weights = Float64Array.from(active, (channel, a) => scale[a] * maxima[channel]);
  const squaredScale = scale.map((value) => value * value);
  const root = rootTable(alpha);
  const float = new Float32Array(1);
  const bits = new Uint32Array(float.buffer);
  return (yMin, xMin, yMax, xMax) => {
    const a = (yMin * (width + 1) + xMin) * count;
    const b = (yMin * (width + 1) + xMax) * count;
    const c = (yMax * (width + 1) + xMin) * count;
    const d = (yMax * (width + 1) + xMax) * count;
    let dot = 0;
    let norm = 0;
    for (let i = 0; i < count; i++) {
      float[0] = sums[d + i] - sums[c + i] - sums[b + i] + sums[a + i];
      let value = root[bits[0] >>> tableShift];
      if (source !== undefined && isLost(float[0], sums[d + i])) {
        value = powerMean(source, active[i], { yMin, xMin, yMax, xMax }, alpha) / scale[i];
      }
      dot += weights[i] * value;
      norm += squaredScale[i] * value * value;
    }
    const length = norm * squared;
    return length > 0 ? dot / Math.sqrt(length) : 0;
  };
}

// sign, exponent and 9 bits of the mantissa of a float32: a sum is known to 2^-10, its 10th root to 1e-4
const tableShift = 14;
const tables = new Map<number, Float32Array>();

/** x^(1/alpha) by the leading bits of x as float32; 0 for what is negative or below `smallestSum`. */
function rootTable(alpha: number): Float32Array {
  let table = tables.get(alpha);
  if (table === undefined) {
    table = new Float32Array(2 ** (32 - tableShift));
    const bits = new Uint32Array(1);
    const float = new Float32Array(bits.buffer);
    for (let i = 0; i < table.length / 2; i++) {
      bits[0] = (i << tableShift) + (1 << (tableShift - 1)); // the middle of the interval
      if (float[0] >= smallestSum && Number.isFinite(float[0])) table[i] = float[0] ** (1 / alpha);
    }
    tables.set(alpha, table);
  }
  return table;
}
