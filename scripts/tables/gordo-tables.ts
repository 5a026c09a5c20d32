/** @file What `gordo.ts` measured, as tables of text: mAP over seeds, with intervals and tests against the first row. */
import { groupBy } from '../../src/data/group-by.js';
import { bootstrapInterval } from '../../src/retrieval/protocols/bootstrap.js';
import { pairedTest } from '../../src/retrieval/protocols/paired-test.js';
import { readRunLog } from '../../src/run/run-log.js';

interface Result {
  map: number;
  precisionAt1: number;
  queries: { id: string; landmark?: string; ap: number }[];
}

/** One system of one seed. */
export interface Measured {
  table: string;
  name: string;
  seed: number;
  /** By test. */
  results: Record<string, Result>;
  /** mAP by update, of a figure. */
  curve?: [number, number][];
}

/** mAP measured while a run trained, by update. */
export async function curveOf(run: string): Promise<[number, number][]> {
  const { records } = await readRunLog(`${run}/log.jsonl`);
  return records.flatMap((record) =>
    record.event === 'measure' && typeof record.map === 'number' ? [[record.step, record.map] as [number, number]] : [],
  );
}

/** A table of each name; mean over seeds, and the queries' means over seeds for the tests. */
export function tablesOf(measured: readonly Measured[]): string {
  const first = measured[0];
  return [...groupBy(measured, ({ table }) => table)]
    .map(([table, rows]) => `## ${table}\n\n${rows[0].curve === undefined ? figures(rows, first) : curves(rows)}\n`)
    .join('\n');
}

function figures(rows: readonly Measured[], first: Measured): string {
  const tests = Object.keys(first.results);
  const lines = [...groupBy(rows, ({ name }) => name)].map(([name, ofSeeds]) => [
    name,
    `${ofSeeds.length}`,
    ...tests.map((test) => figureOf(ofSeeds, first, test)),
  ]);
  return textTable(['', 'seeds', ...tests.map((test) => `${test}: mAP (interval), p, P@1`)], lines);
}

function figureOf(ofSeeds: readonly Measured[], first: Measured, test: string): string {
  const scores = overSeeds(ofSeeds.map(({ results }) => results[test].queries));
  const interval = bootstrapInterval(scores.map(({ unit, ap }) => ({ unit, value: ap })));
  const before = new Map(first.results[test].queries.map(({ id, ap }) => [id, ap]));
  const pairs = scores.map(({ id, unit, ap }) => ({ unit, first: before.get(id) ?? 0, second: ap }));
  const { p, tooFew, units } = pairedTest(pairs);
  const precision = ofSeeds.reduce((sum, { results }) => sum + results[test].precisionAt1, 0) / ofSeeds.length;
  const chance = ofSeeds.includes(first) ? '' : `, p ${tooFew ? `of ${units} landmarks: too few` : p.toFixed(3)}`;
  return `${interval.mean.toFixed(3)} (${interval.low.toFixed(3)} to ${interval.high.toFixed(3)})${chance}, ${precision.toFixed(3)}`;
}

/** Every query's AP, mean over the seeds. */
function overSeeds(seeds: readonly Result['queries'][]): { id: string; unit: string; ap: number }[] {
  return [...groupBy(seeds.flat(), ({ id }) => id)].map(([id, found]) => ({
    id,
    unit: found[0].landmark ?? id,
    ap: found.reduce((sum, { ap }) => sum + ap, 0) / found.length,
  }));
}

function curves(rows: readonly Measured[]): string {
  const steps = [...new Set(rows.flatMap(({ curve = [] }) => curve.map(([step]) => step)))].toSorted((a, b) => a - b);
  const lines = rows.map(({ name, seed, curve = [] }) => {
    const at = new Map(curve);
    return [`${name}, seed ${seed}`, ...steps.map((step) => at.get(step)?.toFixed(3) ?? '')];
  });
  return textTable(['mAP after updates', ...steps.map(String)], lines);
}

function textTable(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  return [columns, columns.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
