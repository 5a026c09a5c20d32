/**
 * @file A comparison as one HTML page: the table, precision against recall, the most changed queries, and examples with their
 * first results in every system (as Gordo et al. 2016 in Fig. 5), each result with its rank in the others.
 */
import type { GroundTruth } from '../retrieval/ground-truth.js';
import { htmlReport, type RankedPictures, type ReportBlock, type ReportSection } from './page.js';
import { scaleLegend, similarityText } from '../retrieval/similarity-scale.js';
import { GroundTruthPictures } from './ground-truth-pictures.js';
import { type ComparedQuery, type ComparedSystem, keptResults } from '../retrieval/compare/compared-system.js';
import { comparisonNotes, comparisonRows, comparisonTable, mostChanged } from '../retrieval/compare/comparison.js';
import { betterAndWorse, exampleGains, queryGains } from '../retrieval/compare/gains.js';
import { meanPrecisionRecall, precisionRecall } from '../retrieval/compare/precision-recall.js';
import { append } from '../extremes.js';

/** Results shown per ranking, and queries in the table of the most changed. */
const shownResults = 8;
const shownQueries = 20;

export interface ComparisonReportOptions {
  /** What was measured on, one line. */
  source: string;
  /** Values of publications by system name. */
  published?: ReadonlyMap<string, number>;
  /** Of UKBench: its score is printed, and is what `published` has. */
  nsScore?: boolean;
  /** Settings to print, name and value. */
  settings: readonly (readonly [string, string])[];
  seed?: number;
}

/** The page. Pictures that cannot be read are left out; the captions stay. */
export async function comparisonReport(
  systems: readonly ComparedSystem[],
  groundTruth: GroundTruth,
  { source, published, nsScore, settings, seed }: ComparisonReportOptions,
): Promise<string> {
  const last = systems.length - 1;
  const rows = comparisonRows(systems, seed);
  const gains = queryGains(systems[0].queries, systems[last].queries);
  const { better, worse } = betterAndWorse(gains);
  const pictures = new GroundTruthPictures(groundTruth);
  const examples: ReportBlock[] = [];
  if (last > 0) {
    for (const { place, gain } of exampleGains(gains)) {
      append(examples, await exampleBlocks(gain.before.id, place, systems, pictures));
    }
  }
  const sections: ReportSection[] = [
    {
      heading: 'Result',
      blocks: [
        { kind: 'text', text: source },
        { kind: 'table', ...comparisonTable(rows, published, { nsScore }) },
        ...comparisonNotes(rows).map((text): ReportBlock => ({ kind: 'text', text })),
        {
          kind: 'text',
          text:
            'Intervals: bootstrap over landmarks. p: paired sign-flip test of the difference to the first system, ' +
            'whole landmarks flipped. Times are means on this machine; bytes are what the database keeps.',
        },
      ],
    },
    {
      heading: 'Precision against recall',
      blocks: [
        {
          kind: 'chart',
          xLabel: 'recall',
          yLabel: 'interpolated precision, mean over queries',
          series: systems.map(({ name, queries }) => ({ name, points: meanPrecisionRecall(queries) })),
        },
      ],
    },
    ...(last === 0
      ? []
      : [
          {
            heading: 'Most changed queries',
            blocks: [
              {
                kind: 'text' as const,
                text: `${systems[last].name} ranks ${better} of ${gains.length} queries better than ${systems[0].name}, ${worse} worse.`,
              },
              {
                kind: 'table' as const,
                columns: ['query', ...systems.map(({ name }) => name)],
                rows: mostChanged(systems, shownQueries).map(({ id, aps }) => [id, ...aps.map((ap) => ap.toFixed(2))]),
              },
            ],
          },
          {
            heading: 'Queries in every system',
            blocks: [
              {
                kind: 'text' as const,
                text:
                  `Chosen by the gain of ${systems[last].name} over ${systems[0].name}. Left the query, then the first results. ` +
                  'Green: right. Red: wrong. Below each its rank in the other systems, in the order of the table, and its similarity. ' +
                  scaleLegend,
              },
              ...examples,
            ],
          },
        ]),
    { heading: 'Settings', blocks: [{ kind: 'table', columns: ['setting', 'value'], rows: settings }] },
  ];
  return htmlReport({ title: 'Systems compared', sections });
}

async function exampleBlocks(
  id: string,
  place: string,
  systems: readonly ComparedSystem[],
  pictures: GroundTruthPictures,
): Promise<ReportBlock[]> {
  const scores = systems.flatMap(({ name, queries, unrelated }) => {
    const query = queries.find((one) => one.id === id);
    return query === undefined ? [] : [{ name, query, unrelated }];
  });
  const image = await pictures.query(id);
  const rankings = await Promise.all(
    scores.map(
      async ({ name, query, unrelated }): Promise<RankedPictures> => ({
        query: { image, caption: `${name}: AP ${query.ap.toFixed(2)}` },
        results: await Promise.all(
          query.top.slice(0, shownResults).map(async (result) => ({
            image: await pictures.result(result.id),
            caption: `${caption(result.id, query, scores)}, similarity ${similarityText(result.similarity, unrelated)}`,
            relation: result.relation,
          })),
        ),
      }),
    ),
  );
  return [
    { kind: 'text', text: `${id} (${place})` },
    { kind: 'results', rows: rankings },
    {
      kind: 'chart',
      xLabel: 'recall',
      yLabel: 'precision',
      series: scores.map(({ name, query }) => ({ name, points: precisionRecall(query.ranks, query.positives) })),
    },
  ];
}

/** "id, elsewhere 4 · 17 · >200": 1-based ranks in the other systems. */
function caption(id: string, own: ComparedQuery, scores: readonly { query: ComparedQuery }[]): string {
  const elsewhere = scores
    .filter(({ query }) => query !== own)
    .map(({ query }) => {
      const at = query.top.findIndex((result) => result.id === id);
      return at < 0 ? `>${Math.min(keptResults, query.top.length)}` : `${at + 1}`;
    });
  return elsewhere.length === 0 ? id : `${id}, elsewhere ${elsewhere.join(' · ')}`;
}
