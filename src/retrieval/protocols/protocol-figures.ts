/** @file The figures of a protocol beyond mAP: its settings, scores of single benchmarks, intervals, a test against another result. */
import { z } from 'zod';
import { readText, whyUnreadable } from '../../data/read-file.js';
import { InputError } from '../../errors.js';
import type { EvaluationResult } from '../evaluate.js';
import { sizesDiffer } from '../size-text.js';
import { type BenchmarkProtocol, publishedSizes } from './benchmark.js';
import { meanPrecisionAt, nisterStewenius } from './measures.js';
import { fewestUnits } from './paired-test.js';
import { compareSystems, mapInterval, type MeanInterval } from './uncertainty.js';

export interface NamedResult {
  name: string;
  result: EvaluationResult;
}

export interface SettingFigures {
  map: number;
  mpAt: Record<string, number>;
  interval?: MeanInterval;
  queries: { id: string; ap: number }[];
  withoutPositives: string[];
}

export interface ProtocolFigures {
  /** With several settings: the one behind the single figures, and the figures of each. */
  setting?: string;
  settings?: Record<string, SettingFigures>;
  /** Of UKBench. */
  nsScore?: number;
  recallAt4?: number;
  interval?: MeanInterval;
  comparison?: ReturnType<typeof compareSystems> & { against: string; againstSize?: string };
}

export interface ProtocolFiguresOptions {
  protocol: string;
  /** Resamples of the interval. Default: no interval. */
  bootstrap?: number;
  seed?: number;
  /** JSON of another evaluation of the same queries. */
  against?: string;
  /** Size of the images of this one. */
  measuredAt?: string | undefined;
}

const kappas = [1, 5, 10];

/** The figures, and what stands in the way of comparing, one line each. */
export async function protocolFigures(
  results: readonly NamedResult[],
  main: string,
  { protocol, bootstrap, seed = 0, against, measuredAt }: ProtocolFiguresOptions,
): Promise<{ figures: ProtocolFigures; notes: string[] }> {
  const figures: ProtocolFigures = {};
  const notes: string[] = [];
  const { result } = results.find(({ name }) => name === main)!;
  const intervalOf = ({ queries }: EvaluationResult) =>
    bootstrap === undefined ? undefined : mapInterval(queries, { samples: bootstrap, seed });
  if (results.length > 1) {
    figures.setting = main;
    figures.settings = Object.fromEntries(
      results.map(({ name, result: each }) => {
        const { map, queries, withoutPositives } = each;
        const mpAt = Object.fromEntries(kappas.map((k) => [k, meanPrecisionAt(queries, k)]));
        const aps = queries.map(({ id, ap }) => ({ id, ap }));
        return [name, { map, mpAt, interval: intervalOf(each), queries: aps, withoutPositives }];
      }),
    );
  }
  if (protocol.startsWith('ukbench')) {
    figures.nsScore = nisterStewenius(result.queries);
    figures.recallAt4 = figures.nsScore / 4;
  }
  const interval = intervalOf(result);
  if (interval !== undefined) figures.interval = interval;
  if (against !== undefined) {
    const { queries: other, imageSize } = await readScores(against);
    const samples = bootstrap ?? 10_000;
    try {
      const compared = compareSystems(other, result.queries, { samples, seed });
      figures.comparison = { against, ...(imageSize !== undefined && { againstSize: imageSize }), ...compared };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new InputError(`${against} has no query of this evaluation; compare two results of the same protocol.`);
    }
  }
  const againstSize = figures.comparison?.againstSize;
  if (measuredAt !== undefined && againstSize !== undefined && sizesDiffer([measuredAt, againstSize])) {
    notes.push(
      `${against} was measured at ${againstSize}, this at ${measuredAt}: the difference is of the sizes, too. Give both one --size.`,
    );
  }
  return { figures, notes };
}

/** The figures in lines. */
export function figureLines(figures: ProtocolFigures): string[] {
  const row = (name: string, value: string) => `${name.padEnd(16)} ${value}`;
  const digits = (value: number) => (Number.isNaN(value) ? '-' : value.toFixed(4));
  const within = ({ low, high }: { low: number; high: number }) => `${digits(low)} to ${digits(high)}`;
  const lines: string[] = [];
  for (const [name, { map, mpAt, interval, queries }] of Object.entries(figures.settings ?? {})) {
    const precisions = Object.values(mpAt).map(digits).join(' ');
    const range = interval === undefined ? '' : `, ${interval.level * 100} % interval ${within(interval)}`;
    lines.push(row(name, `mAP ${digits(map)}, mP@1/5/10 ${precisions}, ${queries.length} queries${range}`));
  }
  if (figures.nsScore !== undefined)
    lines.push(row('N-S score', `${digits(figures.nsScore)} of 4 (recall@4 ${digits(figures.recallAt4!)})`));
  const { interval, comparison } = figures;
  if (interval !== undefined) {
    const { samples, units, unit, level } = interval;
    lines.push(
      row('interval', `${within(interval)}, ${level * 100} % of ${samples} resamples of ${units} ${plural(unit)}`),
    );
  }
  if (comparison !== undefined) {
    const { difference, p, exact, units, unit, queries, unpaired, against, tooFew } = comparison;
    const significance = tooFew
      ? `not tested: ${units} ${plural(unit)} are too few, at least ${fewestUnits} needed for any p below .05`
      : `p = ${p.toPrecision(3)}`;
    const range = comparison.interval === undefined ? '' : ` (${within(comparison.interval)})`;
    const sign = difference >= 0 ? '+' : '';
    lines.push(
      row('difference', `${sign}${digits(difference)}${range} to ${against}, ${significance}`),
      row(
        '',
        `${exact ? 'all' : 'drawn'} signs of ${units} ${plural(unit)}, ${queries} queries in both, ${unpaired} in one`,
      ),
    );
  }
  return lines;
}

/** A line where the folder is not the published set, so that nobody compares the figures with a paper's. */
export function publishedNote(
  protocol: BenchmarkProtocol,
  { databaseSize, queries, withoutPositives }: EvaluationResult,
  distractors: number,
): string | undefined {
  const published = publishedSizes[protocol];
  const [asked, searched] = [queries.length + withoutPositives.length, databaseSize - distractors];
  if (asked === published.queries && searched === published.database) return undefined;
  return (
    `${protocol} as published has ${published.queries} queries and ${published.database} database images, ` +
    `this one ${asked} and ${searched}: figures do not compare with published ones.`
  );
}

function plural(unit: string): string {
  return unit === 'query' ? 'queries' : `${unit}s`;
}

const scoresSchema = z.object({
  imageSize: z.string().optional(),
  queries: z.array(z.object({ id: z.string(), landmark: z.string().optional(), ap: z.number() })).min(1),
});

/** The queries of an evaluation's JSON, and the size of their images. */
async function readScores(file: string): Promise<z.output<typeof scoresSchema>> {
  let text: string;
  try {
    text = await readText(file);
  } catch (error) {
    throw new InputError(`Cannot read --against ${file}: ${whyUnreadable(file, error)}`);
  }
  try {
    return scoresSchema.parse(JSON.parse(text));
  } catch {
    throw new InputError(`${file} is not what rmac evaluate --json prints: {"queries":[{"id","ap"}],...} expected.`);
  }
}
