/** @file One HTML page of an evaluation: figures, and queries from the best to the worst with their first results. */
import type { Box } from '../data/manifest.js';
import type { GroundTruthDescriptors } from '../retrieval/describe-ground-truth.js';
import type { EvaluationResult, QueryScore } from '../retrieval/evaluate.js';
import type { GroundTruth } from '../retrieval/ground-truth.js';
import { htmlReport, type Outline, type RankedPictures, type ReportBlock, type ReportSection } from './page.js';
import { scaleLegend, similarityText } from '../retrieval/similarity-scale.js';
import { thumbnail } from './thumbnail.js';

export interface EvaluationReportOptions {
  title: string;
  /** What was measured and how, as rows of a table. */
  settings: readonly (readonly [string, string])[];
  /** Further lines below the figures. */
  notes?: readonly string[];
  /** Queries shown, evenly from the best to the worst. */
  queries: number;
  /** mAP by the number of images that were re-ranked (Tolias et al. 2016, figure 4). */
  rerankCurve?: readonly (readonly [depth: number, map: number])[];
  /** Results shown of each, at most. */
  shown: number;
  /** What is drawn over a picture, and what that is in words. */
  outlines?: {
    of: (path: string, query: Float32Array, crop?: Box) => Promise<Outline[]>;
    text: string;
  };
}

/** The page. Queries are shown with their `top` results. */
export async function evaluationReport(
  { groundTruth, results, main, described }: EvaluationContext,
  { title, settings, notes = [], queries, shown, rerankCurve, outlines }: EvaluationReportOptions,
): Promise<string> {
  const ordered = main.queries.toSorted((a, b) => b.ap - a.ap);
  const pathOf = new Map(groundTruth.database.map(({ id, image }) => [id, image]));
  const queryOf = new Map(groundTruth.queries.map((query) => [query.id, query]));
  const descriptorOf = queryRows(described);

  const ranking = async ({ id, ap, positives, top }: QueryScore): Promise<RankedPictures> => {
    const { image: path = '', box } = queryOf.get(id) ?? {};
    const descriptor = descriptorOf(id);
    const picture = async (file: string, caption: string, crop?: Box) => ({
      image: await thumbnail(file, { crop }),
      caption,
      outlines: descriptor && (await outlines?.of(file, descriptor, crop)),
    });
    const found: RankedPictures['results'][number][] = [];
    // Where the query is a photograph of the database, its own copy is no result.
    const others = top.filter(({ id: result, relation }) => relation !== 'junk' || pathOf.get(result) !== path);
    for (const { id: result, similarity, relation } of others.slice(0, shown)) {
      const drawn = await picture(pathOf.get(result) ?? '', `${result} ${similarityText(similarity, main.unrelated)}`);
      found.push({ ...drawn, relation });
    }
    const caption = `${id}: AP ${ap.toFixed(3)}, ${positives} positive${positives === 1 ? '' : 's'}`;
    return { query: await picture(path, caption, box), results: found };
  };

  const rows: RankedPictures[] = [];
  for (const score of spread(ordered, queries)) rows.push(await ranking(score));
  const scale = main.unrelated === undefined ? '' : ` ${scaleLegend}`;
  const legend = `Left the query, then its first results with their similarity. Green: right, red: wrong, grey: junk.${scale}`;
  const blocks: ReportBlock[] = [
    { kind: 'text', text: outlines === undefined ? legend : `${legend} ${outlines.text}` },
    { kind: 'results', rows },
  ];
  const curve = ordered.map(({ ap }, i) => [i + 1, ap] as const);
  return htmlReport({
    title,
    sections: [
      {
        heading: 'Figures',
        blocks: [
          { kind: 'table', columns: ['', ''], rows: settings },
          figures(results),
          ...notes.map((text): ReportBlock => ({ kind: 'text', text })),
        ],
      },
      ...(rerankCurve === undefined ? [] : [rerankSection(rerankCurve)]),
      {
        heading: 'Average precision of the queries',
        blocks: [
          {
            kind: 'chart',
            xLabel: 'query, from the best to the worst',
            yLabel: `AP (${main.rule})`,
            series: [{ name: 'AP', points: curve }],
          },
        ],
      },
      { heading: `${rows.length} of ${ordered.length} queries`, blocks },
      {
        heading: 'Every query',
        blocks: [
          {
            kind: 'table',
            columns: ['query', 'landmark', 'AP', 'positives', 'found at rank'],
            rows: main.queries.map(({ id, landmark, ap, positives, ranks }) => [
              id,
              landmark ?? '',
              ap.toFixed(4),
              positives,
              Array.from(ranks.subarray(0, 10), (rank) => rank + 1).join(' '),
            ]),
          },
        ],
      },
    ],
  });
}

export interface EvaluationContext {
  groundTruth: GroundTruth;
  /** Of each setting, by name. */
  results: readonly { name: string; result: EvaluationResult }[];
  /** The one whose queries are shown. */
  main: EvaluationResult;
  /** Undefined where only rankings are known. */
  described: GroundTruthDescriptors | undefined;
}

function queryRows(described: GroundTruthDescriptors | undefined): (id: string) => Float32Array | undefined {
  if (described === undefined) return () => undefined;
  const { ids, data, dimension } = described.queries;
  const rowOf = new Map(ids.map((id, i) => [id, i]));
  return (id) => {
    const row = rowOf.get(id);
    return row === undefined ? undefined : data.subarray(row * dimension, (row + 1) * dimension);
  };
}

function rerankSection(points: readonly (readonly [depth: number, map: number])[]): ReportSection {
  const chart = { xLabel: 'images re-ranked', yLabel: 'mAP', series: [{ name: 'mAP', points }] };
  return { heading: 'mAP by the length of the shortlist', blocks: [{ kind: 'chart', ...chart }] };
}

function figures(results: EvaluationContext['results']): ReportBlock {
  const [{ result: first }] = results;
  return {
    kind: 'table',
    columns: [
      'setting',
      'queries',
      'database',
      `mAP (${first.rule})`,
      'P@1',
      ...[...first.recallAt.keys()].map((k) => `recall@${k}`),
    ],
    rows: results.map(({ name, result: { map, precisionAt1, recallAt, queries, databaseSize } }) => [
      name,
      queries.length,
      databaseSize,
      map.toFixed(4),
      precisionAt1.toFixed(4),
      ...[...recallAt.values()].map((value) => value.toFixed(4)),
    ]),
  };
}

/** At most `count` of the items, the first and the last included. */
function spread<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  if (count === 1) return [items[0]];
  return Array.from({ length: count }, (_, i) => items[Math.round((i * (items.length - 1)) / (count - 1))]);
}
