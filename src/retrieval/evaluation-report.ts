/** @file One HTML page of an evaluation: figures, and queries from the best to the worst with their first results. */
import type { Box } from '../data/manifest.js';
import type { GroundTruthDescriptors } from './describe-ground-truth.js';
import type { EvaluationResult, QueryScore } from './evaluate.js';
import type { GroundTruth } from './ground-truth.js';
import { htmlReport, type Outline, type RankedPictures, type ReportBlock } from './report.js';
import { thumbnail } from './thumbnail.js';

export interface EvaluationReportOptions {
  title: string;
  /** What was measured and how, as rows of a table. */
  settings: readonly (readonly [string, string])[];
  /** Queries shown, evenly from the best to the worst. */
  queries: number;
  /** What is drawn over a picture, and what that is in words. */
  outlines?: {
    of: (path: string, query: Float32Array, crop?: Box) => Promise<Outline[]>;
    text: string;
  };
}

/** The page. `result` must have been made with `top`. */
export async function evaluationReport(
  { groundTruth, result, described }: EvaluationContext,
  { title, settings, queries, outlines }: EvaluationReportOptions,
): Promise<string> {
  const ordered = result.queries.toSorted((a, b) => b.ap - a.ap);
  const pathOf = new Map(groundTruth.database.map(({ id, image }) => [id, image]));
  const queryOf = new Map(groundTruth.queries.map((query) => [query.id, query]));
  const rowOf = new Map(described.queries.ids.map((id, i) => [id, i]));
  const { data, dimension } = described.queries;

  const ranking = async ({ id, ap, positives, top }: QueryScore): Promise<RankedPictures> => {
    const { image: path = '', box } = queryOf.get(id) ?? {};
    const row = (rowOf.get(id) ?? 0) * dimension;
    const descriptor = data.subarray(row, row + dimension);
    const picture = async (file: string, caption: string, crop?: Box) => ({
      image: await thumbnail(file, { crop }),
      caption,
      outlines: await outlines?.of(file, descriptor, crop),
    });
    const results: RankedPictures['results'][number][] = [];
    for (const { id: found, similarity, relation } of top) {
      const shown = await picture(pathOf.get(found) ?? '', `${found} ${similarity.toFixed(3)}`);
      results.push({ ...shown, relation });
    }
    const caption = `${id}: AP ${ap.toFixed(3)}, ${positives} positive${positives === 1 ? '' : 's'}`;
    return { query: await picture(path, caption, box), results };
  };

  const rows: RankedPictures[] = [];
  for (const score of spread(ordered, queries)) rows.push(await ranking(score));
  const legend = 'Left the query, then its first results with their similarity. Green: right, red: wrong, grey: junk.';
  const blocks: ReportBlock[] = [
    { kind: 'text', text: outlines === undefined ? legend : `${legend} ${outlines.text}` },
    { kind: 'results', rows },
  ];
  const curve = ordered.map(({ ap }, i) => [i + 1, ap] as const);
  return htmlReport({
    title,
    sections: [
      { heading: 'Figures', blocks: [{ kind: 'table', columns: ['', ''], rows: [...settings, ...figures(result)] }] },
      {
        heading: 'Average precision of the queries',
        blocks: [
          {
            kind: 'chart',
            xLabel: 'query, from the best to the worst',
            yLabel: `AP (${result.rule})`,
            series: [{ name: 'AP', points: curve }],
          },
        ],
      },
      { heading: `${rows.length} of ${ordered.length} queries`, blocks },
    ],
  });
}

export interface EvaluationContext {
  groundTruth: GroundTruth;
  result: EvaluationResult;
  described: GroundTruthDescriptors;
}

function figures({ map, rule, precisionAt1, recallAt, queries, databaseSize }: EvaluationResult): [string, string][] {
  return [
    ['queries', `${queries.length}`],
    ['database', `${databaseSize} images`],
    [`mAP (${rule})`, map.toFixed(4)],
    ['P@1', precisionAt1.toFixed(4)],
    ...[...recallAt].map(([k, value]): [string, string] => [`recall@${k}`, value.toFixed(4)]),
  ];
}

/** At most `count` of the items, the first and the last included. */
function spread<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  if (count === 1) return [items[0]];
  return Array.from({ length: count }, (_, i) => items[Math.round((i * (items.length - 1)) / (count - 1))]);
}
