/**
 * @file Whether one system is better than another on the same queries: a paired sign-flip permutation test, and the
 * bootstrap interval of the difference. If the two were alike, each landmark's difference could as well have the other
 * sign; p is the share of all sign choices whose mean difference is at least as far from zero as the measured one
 * (two-sided; Smucker, Allan & Carterette 2007 on such tests for retrieval).
 */
import seedrandom from 'seedrandom';
import {
  bootstrapInterval,
  type BootstrapOptions,
  type Interval,
  meanOf,
  type UnitValue,
  unitSums,
} from './bootstrap.js';

/** One query of both systems. */
export interface PairedScore {
  /** The landmark, or the query itself where there is none. */
  unit: string;
  /** AP (or another figure) of the first system, and of the second. */
  first: number;
  second: number;
}

export interface PairedTest {
  /** Mean of second minus first: above zero where the second system is better. */
  difference: number;
  /** Two-sided. Never 0 where signs are drawn: (extreme + 1) / (samples + 1). */
  p: number;
  /** Whether all 2^units sign choices were counted, or `samples` of them drawn. */
  exact: boolean;
  units: number;
  /** Whether no difference of so few units, however large, could have p < .05: the least p of n units is 2 / 2^n. */
  tooFew: boolean;
  /** Bootstrap percentile interval of the difference; undefined with fewer than two units. */
  interval: Interval | undefined;
}

/** Up to so many units all sign choices are counted. */
const exactUnits = 16;
/** 2 / 2^5 is .06. */
export const fewestUnits = 6;
/** Sums that differ by rounding alone are equal. */
const tolerance = 1e-12;

/**
 * Compares two systems on the same queries. @throws RangeError without queries, or for a score that is NaN.
 */
export function pairedTest(scores: readonly PairedScore[], options: BootstrapOptions = {}): PairedTest {
  const { samples = 10_000, seed = 0 } = options;
  if (scores.length === 0) throw new RangeError('pairedTest: no queries to compare.');
  const differences: UnitValue[] = scores.map(({ unit, first, second }) => ({ unit, value: second - first }));
  const { sums, counts } = unitSums(differences, 'pairedTest');
  const units = sums.length;
  const observed = Math.abs(sums.reduce((a, b) => a + b, 0)) * (1 - tolerance);
  const exact = units <= exactUnits;
  return {
    difference: meanOf(sums, counts),
    p: exact ? countedShare(sums, observed) : drawnShare(sums, observed, { samples, seed }),
    exact,
    units,
    tooFew: units < fewestUnits,
    interval: units < 2 ? undefined : bootstrapInterval(differences, options),
  };
}

/** Share of all 2^n sign choices with |sum| >= observed. Bit u of the choice is the sign of unit u. */
function countedShare(sums: Float64Array, observed: number): number {
  const choices = 2 ** sums.length;
  let extreme = 0;
  for (let choice = 0; choice < choices; choice++) {
    let total = 0;
    for (let unit = 0; unit < sums.length; unit++) total += (choice >> unit) & 1 ? -sums[unit] : sums[unit];
    if (Math.abs(total) >= observed) extreme++;
  }
  return extreme / choices;
}

function drawnShare(
  sums: Float64Array,
  observed: number,
  { samples, seed }: { samples: number; seed: number },
): number {
  const random = seedrandom(`rmac sign flips ${seed}`);
  let extreme = 0;
  for (let sample = 0; sample < samples; sample++) {
    let total = 0;
    for (const sum of sums) total += random() < 0.5 ? -sum : sum;
    if (Math.abs(total) >= observed) extreme++;
  }
  return (extreme + 1) / (samples + 1);
}
