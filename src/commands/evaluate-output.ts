/** @file What `rmac evaluate` prints of a result: one JSON object or lines for the terminal. */
import type { AveragePrecisionRule } from '../retrieval/average-precision.js';
import type { DescribeFailure } from '../retrieval/descriptor-folder.js';
import type { EvaluationResult } from '../retrieval/evaluate.js';
import { firstFew } from '../retrieval/ground-truth.js';
import { scaleFigures } from '../retrieval/similarity-scale.js';
import { type ExpansionOptions, expansionText } from './expansion-options.js';

interface OutputContext {
  failures: readonly DescribeFailure[];
  options: ExpansionOptions & { protocol: string; report?: string };
}

export function resultJson(result: EvaluationResult, { failures, options }: OutputContext) {
  return {
    protocol: options.protocol,
    map: result.map,
    ap: result.rule,
    mapTrapezoid: result.mapTrapezoid,
    mapFiniteSum: result.mapFiniteSum,
    macroMap: Number.isNaN(result.macroMap) ? null : result.macroMap,
    landmarks: result.landmarks,
    precisionAt1: result.precisionAt1,
    recallAt: Object.fromEntries(result.recallAt),
    hitRateAt: Object.fromEntries(result.hitRateAt),
    databaseSize: result.databaseSize,
    qe: expansionText(options.qe),
    dba: expansionText(options.dba),
    queries: result.queries.map(({ id, landmark, ap, apTrapezoid, apFiniteSum, positives }) => ({
      id,
      landmark,
      ap,
      apTrapezoid,
      apFiniteSum,
      positives,
    })),
    withoutPositives: result.withoutPositives,
    withoutDescriptor: result.withoutDescriptor,
    missingFromDatabase: result.missingFromDatabase,
    failures,
    ...(result.unrelated && { unrelated: { pairs: result.unrelated.length, ...scaleFigures(result.unrelated) } }),
    ...(options.report !== undefined && { report: options.report }),
  };
}

/** `about`: what was measured how, name and value, behind the protocol. */
export function resultText(
  result: EvaluationResult,
  {
    failures,
    options,
    source,
    about,
  }: OutputContext & { source: string; about: readonly (readonly [string, string])[] },
): string {
  const figure = (value: number) => value.toFixed(4);
  const named = (ids: readonly string[]) => `${ids.length} (${firstFew(ids)})`;
  const row = (name: string, value: string) => `${name.padEnd(16)} ${value}`;
  const ks = [...result.recallAt.keys()].join('/');
  const { qe, dba } = options;
  const lines = [
    row('protocol', `${options.protocol} of ${source}`),
    ...about.map(([name, value]) => row(name, value)),
    row('queries', `${result.queries.length} scored, ${result.withoutPositives.length} without positives`),
    row('database', `${result.databaseSize} images`),
    ...(qe === undefined ? [] : [row('query expansion', expansionText(qe) ?? '')]),
    ...(dba === undefined ? [] : [row('augmentation', expansionText(dba) ?? '')]),
    row('mAP', `${figure(result.mapTrapezoid)} trapezoid, ${figure(result.mapFiniteSum)} finite sum`),
    row(
      'macro mAP',
      Number.isNaN(result.macroMap)
        ? '- (queries without landmark)'
        : `${figure(result.macroMap)} ${result.rule}, over ${result.landmarks} landmarks`,
    ),
    row('P@1', figure(result.precisionAt1)),
    row(`recall@${ks}`, [...result.recallAt.values()].map(figure).join(' ')),
    row(`hit rate@${ks}`, [...result.hitRateAt.values()].map(figure).join(' ')),
  ];
  const scale = result.unrelated && scaleFigures(result.unrelated);
  if (scale !== undefined) {
    const [median, p99] = [scale.median, scale.p99].map((value) => value.toFixed(3));
    lines.push(row('unrelated pairs', `similarity ${median} in the middle, 99 % below ${p99}`));
  }
  if (result.missingFromDatabase.length > 0) lines.push(row('not in database', named(result.missingFromDatabase)));
  if (result.withoutDescriptor.length > 0)
    lines.push(row('not described', `${named(result.withoutDescriptor)}, in no mean`));
  if (failures.length > 0) lines.push(row('failed images', named(failures.map(({ id }) => id))));
  return lines.join('\n');
}

/** The AP of every query, a line each. */
export function perQueryText({
  rule,
  queries,
}: {
  rule: AveragePrecisionRule;
  queries: EvaluationResult['queries'];
}): string {
  return ['', `AP (${rule}) of each query:`, ...queries.map(({ id, ap }) => `${ap.toFixed(4)}  ${id}`)].join('\n');
}
