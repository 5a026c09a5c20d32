/** @file An evaluation as one HTML page: figures, intervals, the AP of every query. */
import { htmlReport, type ReportBlock } from '../retrieval/report.js';
import { type ExtraMeasures, measureLines, type NamedResult } from './evaluate-measures.js';

export function evaluationReport(
  results: readonly NamedResult[],
  extra: ExtraMeasures,
  { protocol }: { protocol: string },
): string {
  const figure = (value: number | undefined) => (value === undefined || Number.isNaN(value) ? '-' : value.toFixed(4));
  const figures: ReportBlock = {
    kind: 'table',
    columns: ['setting', 'mAP', 'low', 'high', 'P@1', 'queries', 'database'],
    rows: results.map(({ name, result }) => {
      const interval = extra.json.settings?.[name]?.interval ?? extra.json.interval;
      const { map, precisionAt1, queries, databaseSize } = result;
      return [
        name,
        figure(map),
        figure(interval?.low),
        figure(interval?.high),
        figure(precisionAt1),
        queries.length,
        databaseSize,
      ];
    }),
  };
  const lines = measureLines(extra).map((line): ReportBlock => ({ kind: 'text', text: line }));
  const perQuery = results.map(({ name, result }) => ({
    heading: results.length === 1 ? 'Average precision of each query' : `Average precision of each query, ${name}`,
    blocks: [
      {
        kind: 'table' as const,
        columns: ['query', 'landmark', 'AP', 'positives', 'found at rank'],
        rows: result.queries.map(({ id, landmark, ap, positives, ranks }) => [
          id,
          landmark ?? '',
          figure(ap),
          positives,
          Array.from(ranks.subarray(0, 10), (rank) => rank + 1).join(' '),
        ]),
      },
    ],
  }));
  return htmlReport({
    title: `Evaluation: ${protocol}`,
    sections: [{ heading: 'Figures', blocks: [figures, ...lines] }, ...perQuery],
  });
}
