/** @file Systems side by side: the table of figures with intervals and tests against the first of them. */
import { bootstrapInterval, type Interval } from '../protocols/bootstrap.js';
import { nisterStewenius } from '../protocols/measures.js';
import { fewestUnits, pairedTest, type PairedTest } from '../protocols/paired-test.js';
import { sizesDiffer } from '../size-text.js';
import type { ComparedQuery, ComparedSystem } from './compared-system.js';
import { largest, smallest } from '../../extremes.js';

/** A system's row. */
export interface ComparisonRow {
  system: ComparedSystem;
  /** Of mAP, over landmarks; undefined with fewer than two of them. */
  interval?: Interval;
  /** Against the first system, on the queries that both ranked; undefined for the first. */
  test?: PairedTest;
}

/** Rows in the order of `systems`. @throws RangeError if a system shares no query with the first. */
export function comparisonRows(systems: readonly ComparedSystem[], seed = 0): ComparisonRow[] {
  return systems.map((system, i) => {
    const values = system.queries.map((query) => ({ unit: unitOf(query), value: query.ap }));
    const units = new Set(values.map(({ unit }) => unit)).size;
    return {
      system,
      interval: units < 2 ? undefined : bootstrapInterval(values, { seed }),
      test: i === 0 ? undefined : against(systems[0], system, seed),
    };
  });
}

function against(first: ComparedSystem, system: ComparedSystem, seed: number): PairedTest {
  const firstOf = new Map(first.queries.map((query) => [query.id, query.ap]));
  const scores = system.queries.flatMap((query) => {
    const before = firstOf.get(query.id);
    return before === undefined ? [] : [{ unit: unitOf(query), first: before, second: query.ap }];
  });
  return pairedTest(scores, { seed });
}

function unitOf({ landmark, id }: ComparedQuery): string {
  return landmark ?? id;
}

/**
 * Columns and rows of the table; `published` has values to print beside ours, by system name. `nsScore`: of UKBench, whose score is
 * printed and is what is published.
 */
export function comparisonTable(
  rows: readonly ComparisonRow[],
  published: ReadonlyMap<string, number> = new Map(),
  { nsScore = false }: { nsScore?: boolean } = {},
): { columns: string[]; rows: string[][] } {
  const withPublished = published.size > 0;
  const figure = (value: number) => value.toFixed(3);
  const settings = Object.keys(rows[0]?.system.settings ?? {});
  const maps = settings.length > 0 ? settings.map((name) => `mAP ${name}`) : ['mAP'];
  // A column only where they differ, with a note below the table.
  const withSizes = new Set(rows.map(({ system }) => system.size)).size > 1;
  const columns = [
    'system',
    ...(withSizes ? ['image size'] : []),
    ...maps,
    '95 % interval',
    'against the first',
    'p',
    'P@1',
    'ms/image',
    'ms/query',
    'bytes/image',
    ...(nsScore ? ['N-S'] : []),
  ];
  return {
    columns: withPublished ? [...columns, `published ${nsScore ? 'N-S' : 'mAP'}`] : columns,
    rows: rows.map(({ system, interval, test }) => {
      const { name, map, precisionAt1, cost } = system;
      const value = published.get(name);
      return [
        name,
        ...(withSizes ? [system.size] : []),
        ...(settings.length > 0 ? settings.map((one) => figure(system.settings?.[one] ?? Number.NaN)) : [figure(map)]),
        interval === undefined ? '-' : `${figure(interval.low)} to ${figure(interval.high)}`,
        test === undefined ? '-' : `${test.difference < 0 ? '−' : '+'}${figure(Math.abs(test.difference))}`,
        test === undefined ? '-' : pText(test),
        figure(precisionAt1),
        cost.describeMs.toFixed(0),
        cost.queryMs.toFixed(1),
        `${cost.bytesPerImage}`,
        ...(nsScore ? [figure(nisterStewenius(system.queries))] : []),
        ...(withPublished ? [value === undefined ? '-' : figure(value)] : []),
      ];
    }),
  };
}

function pText({ p, tooFew, units }: PairedTest): string {
  if (tooFew) return `too few (${units})`;
  return p < 0.001 ? '< .001' : p.toFixed(3);
}

/** What is to be said of the rows, one line each. */
export function comparisonNotes(rows: readonly ComparisonRow[]): string[] {
  const notes: string[] = [];
  const few = rows.find(({ test }) => test?.tooFew)?.test;
  if (few !== undefined) {
    notes.push(
      `${few.units} landmark${few.units === 1 ? ' is' : 's are'} too few to test a difference on, and for an interval to mean much: ` +
        `at least ${fewestUnits} are needed for any p below .05.`,
    );
  }
  const sizes = rows.map(({ system }) => system.size);
  if (sizesDiffer(sizes)) {
    notes.push(
      'The systems saw images of different sizes, which is part of the differences: --size gives all of them one.',
    );
  }
  return notes;
}

/** Queries by how far the systems disagree: the largest AP minus the smallest, of those that every system ranked. */
export function mostChanged(systems: readonly ComparedSystem[], count: number): { id: string; aps: number[] }[] {
  const apsOf = systems.map(({ queries }) => new Map(queries.map(({ id, ap }) => [id, ap])));
  return systems[0].queries
    .flatMap(({ id }) => {
      const aps = apsOf.flatMap((apOf) => apOf.get(id) ?? []);
      return aps.length === systems.length ? [{ id, aps, spread: largest(aps) - smallest(aps) }] : [];
    })
    .toSorted((a, b) => b.spread - a.spread)
    .slice(0, count)
    .map(({ id, aps }) => ({ id, aps }));
}
