/**
 * @file How far a mean over queries may be chance: percentile intervals by the bootstrap (Efron & Tibshirani 1993, 13.3).
 *
 * What is drawn with replacement is the landmark, with all of its queries: the five queries of one building are alike,
 * and drawing them alone would make the interval too narrow. The mean of a resample is over the queries in it, as mAP is.
 */
import seedrandom from 'seedrandom';
import { groupBy } from '../../data/group-by.js';

/** One query's figure (AP, or a difference of two), and what it is drawn with: its landmark, or itself. */
export interface UnitValue {
  unit: string;
  value: number;
}

export interface BootstrapOptions {
  /** Resamples. Default 10000. */
  samples?: number;
  /** Share of resamples inside the interval. Default 0.95. */
  level?: number;
  /** Default 0. */
  seed?: number;
}

export interface Interval {
  mean: number;
  low: number;
  high: number;
  level: number;
  samples: number;
  /** How many landmarks (or queries) were drawn from. */
  units: number;
}

/**
 * Mean of `values` and its bootstrap percentile interval over their units. The same values, seed and options give the
 * same interval, whatever the order of `values` within a unit.
 * @throws RangeError for fewer than two units (nothing varies), no resamples, a level outside (0, 1), or a value that is NaN.
 */
export function bootstrapInterval(
  values: readonly UnitValue[],
  { samples = 10_000, level = 0.95, seed = 0 }: BootstrapOptions = {},
): Interval {
  if (!(level > 0 && level < 1)) throw new RangeError(`bootstrapInterval: level ${level} is not between 0 and 1.`);
  if (!(Number.isSafeInteger(samples) && samples > 0)) {
    throw new RangeError(`bootstrapInterval: ${samples} resamples, at least 1 expected.`);
  }
  const { sums, counts } = unitSums(values, 'bootstrapInterval');
  const units = sums.length;
  if (units < 2) throw new RangeError(`bootstrapInterval: ${units} units to draw from, at least 2 expected.`);

  const random = seedrandom(`rmac bootstrap ${seed}`);
  const means = new Float64Array(samples);
  for (let sample = 0; sample < samples; sample++) {
    let sum = 0;
    let count = 0;
    for (let draw = 0; draw < units; draw++) {
      const unit = Math.floor(random() * units);
      sum += sums[unit];
      count += counts[unit];
    }
    means[sample] = sum / count;
  }
  means.sort();
  const outside = (1 - level) / 2;
  return {
    mean: meanOf(sums, counts),
    low: quantile(means, outside),
    high: quantile(means, 1 - outside),
    level,
    samples,
    units,
  };
}

/** Sum and number of the values of each unit, units in order of first appearance. */
export function unitSums(values: readonly UnitValue[], caller: string): { sums: Float64Array; counts: Int32Array } {
  const wrong = values.find(({ value }) => !Number.isFinite(value));
  if (wrong !== undefined) {
    throw new RangeError(`${caller}: the value of "${wrong.unit}" is ${wrong.value}; leave out queries without an AP.`);
  }
  const groups = [...groupBy(values, ({ unit }) => unit).values()];
  return {
    sums: Float64Array.from(groups, (group) => group.reduce((sum, { value }) => sum + value, 0)),
    counts: Int32Array.from(groups, (group) => group.length),
  };
}

/** Mean over the values of all units. */
export function meanOf(sums: Float64Array, counts: Int32Array): number {
  return sums.reduce((a, b) => a + b, 0) / counts.reduce((a, b) => a + b, 0);
}

/** Quantile of ascending values, linear between neighbours (NumPy's default). */
function quantile(ascending: Float64Array, share: number): number {
  const position = share * (ascending.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, ascending.length - 1);
  return ascending[below] + (position - below) * (ascending[above] - ascending[below]);
}
