/** @file What is drawn when a result's uncertainty is asked for: landmarks where every query has one, else queries. */
import type { QueryScore } from '../evaluate.js';
import { bootstrapInterval, type BootstrapOptions, type Interval, type UnitValue } from './bootstrap.js';
import { type PairedTest, pairedTest } from './paired-test.js';

export type Unit = 'landmark' | 'query';

export interface MeanInterval extends Interval {
  unit: Unit;
}

type Scored = Pick<QueryScore, 'id' | 'landmark' | 'ap'>;

/** AP by unit. Landmarks are the unit if each query has one and there are at least two. */
export function unitValues(scores: readonly Scored[]): { unit: Unit; values: UnitValue[] } {
  const landmarks = new Set(scores.map(({ landmark }) => landmark));
  const unit: Unit = landmarks.has(undefined) || landmarks.size < 2 ? 'query' : 'landmark';
  return {
    unit,
    values: scores.map(({ id, landmark, ap }) => ({ unit: unit === 'query' ? id : landmark!, value: ap })),
  };
}

/** Interval of the mAP over `scores`; undefined with a single query, of which nothing can be said. */
export function mapInterval(scores: readonly Scored[], options: BootstrapOptions = {}): MeanInterval | undefined {
  if (scores.length < 2) return undefined;
  const { unit, values } = unitValues(scores);
  return { ...bootstrapInterval(values, options), unit };
}

/**
 * Compares two systems on the queries that both have; those of one alone are left out and counted.
 * @throws RangeError if they share no query.
 */
export function compareSystems(
  first: readonly Scored[],
  second: readonly Scored[],
  options: BootstrapOptions = {},
): PairedTest & { unit: Unit; queries: number; unpaired: number } {
  const byId = new Map(second.map((score) => [score.id, score]));
  const shared = first.filter(({ id }) => byId.has(id));
  const { unit, values } = unitValues(shared);
  const pairs = shared.map(({ id, ap }, i) => ({ unit: values[i].unit, first: ap, second: byId.get(id)!.ap }));
  const unpaired = first.length + second.length - 2 * shared.length;
  return { ...pairedTest(pairs, options), unit, queries: shared.length, unpaired };
}
