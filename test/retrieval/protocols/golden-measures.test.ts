import { describe, expect, test } from 'vitest';
import { averagePrecision } from '../../../src/retrieval/average-precision.js';
import { evaluateSettings } from '../../../src/retrieval/evaluate.js';
import { evaluateRankings } from '../../../src/retrieval/evaluate-rankings.js';
import type { Benchmark } from '../../../src/retrieval/protocols/benchmark.js';
import { openHolidays } from '../../../src/retrieval/protocols/holidays.js';
import { meanPrecisionAt, nisterStewenius } from '../../../src/retrieval/protocols/measures.js';
import { openGnd } from '../../../src/retrieval/protocols/revisited.js';
import { openUkbench } from '../../../src/retrieval/protocols/ukbench.js';
import { golden } from './golden.js';

const exact = 1e-9;
const score = ({ settings, passedOver }: Benchmark, rankings: Map<string, string[]>) =>
  evaluateRankings(
    settings.map(({ groundTruth }) => groundTruth),
    rankings,
    { passedOver },
  );
const near = (value: number, expected: number) => expect(Math.abs(value - expected)).toBeLessThan(exact);

describe('the measures of the benchmarks equal the reference formulas', () => {
  test('Oxford: good and ok are right, junk takes no rank, a list may end early', () => {
    for (const { good, ok, junk, database, ranking, ap } of golden.oxford) {
      const query = { id: 'a_1', image: 'a', positives: [...good, ...ok], junk };
      const truth = { queries: [query], database: database.map((id) => ({ id, image: id })) };
      const [result] = evaluateRankings([truth], new Map([['a_1', ranking]]));
      near(result.map, ap);
      near(result.queries[0].apTrapezoid, ap);
    }
  });

  test('revisited: mAP, AP and mP@1, 5, 10 of easy, medium and hard, by rankings and by descriptors', async () => {
    for (const { gnd, ranks, settings } of golden.revisited) {
      const images = ranks.map((_, i) => `i_${i}`);
      const queries = gnd.map((_, q) => `q_${q}`);
      const benchmark = openGnd('roxford5k', { images, queries, records: gnd }, { file: 'gnd' });
      const rankings = new Map(queries.map((id, q) => [id, ranks.map((row) => images[row[q]])]));
      // descriptors that give the same order: the similarity of image and query falls with its rank
      const data = Float32Array.from({ length: images.length * queries.length });
      for (const [rank, row] of ranks.entries()) {
        for (const [q, image] of row.entries()) data[image * queries.length + q] = 1 - rank / ranks.length;
      }
      const eye = Float32Array.from({ length: queries.length ** 2 }, (_, i) =>
        i % (queries.length + 1) === 0 ? 1 : 0,
      );
      const byDescriptors = await evaluateSettings(
        benchmark.settings.map(({ groundTruth }) => groundTruth),
        { ids: images, dimension: queries.length, data },
        { ids: queries, dimension: queries.length, data: eye },
      );
      for (const results of [score(benchmark, rankings), byDescriptors]) {
        for (const [index, { name }] of benchmark.settings.entries()) {
          const expected = settings[name as 'easy' | 'medium' | 'hard'];
          near(results[index].map, expected.map!);
          for (const k of [1, 5, 10]) near(meanPrecisionAt(results[index].queries, k), expected.mpAt![k]);
          const aps = new Map(results[index].queries.map(({ id, ap }) => [id, ap]));
          expected.aps.forEach((ap, q) => {
            if (ap === null) expect(results[index].withoutPositives).toContain(queries[q]);
            else near(aps.get(queries[q])!, ap);
          });
        }
      }
    }
  });

  test('Holidays: against the other 1490, and against the 991 that are no query', () => {
    const { names, rankings, aps, map } = golden.holidays;
    const lists = new Map(rankings.map(({ query, ranking }) => [String(query), ranking.map(String)]));
    for (const [protocol, key] of [
      ['holidays', '1490'],
      ['holidays-991', '991'],
    ] as const) {
      const [result] = score(openHolidays(protocol, { ids: names.map(String) }, 'x'), lists);
      near(result.map, map[key]);
      result.queries.forEach(({ ap }, i) => near(ap, aps[key][i]));
    }
  });

  test('UKBench: the N-S score of all images, and of the first of each four', () => {
    const { images, rankings, score: all, scoreOfFirsts } = golden.ukbench;
    const ids = Array.from({ length: images }, (_, i) => `ukbench${String(i).padStart(5, '0')}`);
    const lists = new Map(rankings.map((ranking, q) => [ids[q], ranking.map((i) => ids[i])]));
    near(nisterStewenius(score(openUkbench('ukbench', { ids }, 'x'), lists)[0].queries), all);
    near(nisterStewenius(score(openUkbench('ukbench-2550', { ids }, 'x'), lists)[0].queries), scoreOfFirsts);
  });

  test('labels: the finite sum is scikit-learn`s average precision', () => {
    for (const { ranks, positives, ap } of golden.labels) near(averagePrecision(ranks, positives, 'finite-sum'), ap);
  });

  test('a query that finds nothing has mP@k 0 and stays in the mean', () => {
    expect(meanPrecisionAt([{ ranks: [] }, { ranks: [0, 3] }], 5)).toBe(0.25); // 2 of the first 4
  });
});
