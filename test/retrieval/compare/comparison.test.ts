import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { averagePrecision } from '../../../src/retrieval/average-precision.js';
import {
  type ComparedSystem,
  comparedSystem,
  readComparedSystem,
  writeComparedSystem,
} from '../../../src/retrieval/compare/compared-system.js';
import {
  comparisonNotes,
  comparisonRows,
  comparisonTable,
  mostChanged,
} from '../../../src/retrieval/compare/comparison.js';
import { comparisonReport } from '../../../src/report/comparison-report.js';
import { exampleGains, queryGains } from '../../../src/retrieval/compare/gains.js';
import { meanPrecisionRecall, precisionRecall } from '../../../src/retrieval/compare/precision-recall.js';
import { evaluateDescriptors } from '../../../src/retrieval/evaluate.js';
import { labelsGroundTruth } from '../../../src/retrieval/ground-truth.js';

const ranking = fc
  .uniqueArray(fc.nat(60), { minLength: 1, maxLength: 12 })
  .map((ranks) => ranks.toSorted((a, b) => a - b));

describe('precision against recall', () => {
  it('has the finite-sum AP as mean of its precisions over all positives', () => {
    fc.assert(
      fc.property(ranking, fc.nat(5), (ranks, unfound) => {
        const positives = ranks.length + unfound;
        const sum = precisionRecall(ranks, positives).reduce((total, [, precision]) => total + precision, 0);
        expect(sum / positives).toBeCloseTo(averagePrecision(ranks, positives, 'finite-sum'), 12);
      }),
    );
  });

  it('interpolates by the largest precision at that recall or beyond', () => {
    // Positives at ranks 1, 4 of two: precisions 1/2 at recall .5 and 2/5 at recall 1.
    expect(meanPrecisionRecall([{ ranks: [1, 4], positives: 2 }], 4).map(([, p]) => p)).toEqual([
      0.5, 0.5, 0.5, 0.4, 0.4,
    ]);
    // One of two found: nothing beyond recall .5.
    expect(meanPrecisionRecall([{ ranks: [0], positives: 2 }], 4).map(([, p]) => p)).toEqual([1, 1, 1, 0, 0]);
  });

  it('never rises with recall', () => {
    fc.assert(
      fc.property(fc.array(ranking, { minLength: 1, maxLength: 4 }), (rankings) => {
        const curve = meanPrecisionRecall(rankings.map((ranks) => ({ ranks, positives: ranks.length + 1 })));
        for (let i = 1; i < curve.length; i++) expect(curve[i][1]).toBeLessThanOrEqual(curve[i - 1][1] + 1e-12);
      }),
    );
  });
});

describe('gains', () => {
  const scores = (aps: readonly number[]) => aps.map((ap, i) => ({ id: `q${i}`, ap }));

  it('pairs queries by id, largest gain first, and leaves out what one side lacks', () => {
    const gains = queryGains(scores([0.5, 0.2, 0.9]), [
      { id: 'q1', ap: 0.8 },
      { id: 'q0', ap: 0.4 },
    ]);
    expect(gains.map(({ before, gain }) => [before.id, Number(gain.toFixed(3))])).toEqual([
      ['q1', 0.6],
      ['q0', -0.1],
    ]);
  });

  it('shows the first, the last and two between, each once', () => {
    expect(exampleGains([9, 7, 5, 3, 1]).map(({ gain }) => gain)).toEqual([9, 7, 5, 1]);
    expect(exampleGains([4]).map(({ gain }) => gain)).toEqual([4]);
    expect(exampleGains([])).toEqual([]);
  });
});

describe('a comparison', () => {
  // Two landmarks of three images; the first system puts one image of b beside a.
  const records = ['a/0', 'a/1', 'a/2', 'b/0', 'b/1', 'b/2'].map((id) => ({ id, path: `/${id}.jpg`, landmark: id[0] }));
  const groundTruth = labelsGroundTruth(records);
  let systems: ComparedSystem[];
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rmac-compare-'));
    systems = await Promise.all(
      [0.15, 1.4].map(async (angle, i) => {
        const angles = [0, 0.1, 0.2, angle, 1.5, 1.6];
        const table = {
          ids: records.map(({ id }) => id),
          dimension: 2,
          data: Float32Array.from(angles.flatMap((a) => [Math.cos(a), Math.sin(a)])),
        };
        const result = await evaluateDescriptors(groundTruth, table, table, { top: 6 });
        return comparedSystem(`s${i}`, 'key', result, {
          failures: 0,
          size: '256 px',
          cost: { describeMs: 12.4, queryMs: 0.5, bytesPerImage: 8 },
        });
      }),
    );
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('gives mAP with its interval and the difference to the first', () => {
    const rows = comparisonRows(systems);
    expect(rows[1].system.map).toBe(1);
    expect(rows[0].system.map).toBeLessThan(1);
    expect(rows[1].test?.difference).toBeCloseTo(1 - rows[0].system.map, 12);
    const table = comparisonTable(rows, new Map([['s1', 0.9]]));
    expect(table.columns.at(-1)).toBe('published mAP');
    expect(table.rows[1]).toEqual([
      's1',
      '1.000',
      '1.000 to 1.000',
      expect.stringMatching(/^\+0\./),
      'too few (2)',
      '1.000',
      '12',
      '0.5',
      '8',
      '0.900',
    ]);
    expect(table.rows[0].at(-1)).toBe('-');
  });

  it('says where the systems saw images of different sizes, and that three landmarks are too few to test', () => {
    expect(comparisonTable(comparisonRows(systems)).columns).not.toContain('image size');
    const mixed = [systems[0], { ...systems[1], size: '512 px' }];
    const table = comparisonTable(comparisonRows(mixed));
    expect(table.columns[1]).toBe('image size');
    expect(table.rows.map((row) => row[1])).toEqual(['256 px', '512 px']);
    const notes = comparisonNotes(comparisonRows(mixed));
    expect(notes.find((note) => note.includes('different sizes'))).toMatch(/--size gives all of them one/);
    expect(notes.find((note) => note.includes('too few'))).toMatch(/landmarks are too few to test/);
  });

  it('prints the score of UKBench beside the published one', () => {
    const rows = comparisonRows(systems);
    const { columns, rows: lines } = comparisonTable(rows, new Map([['s1', 3.91]]), { nsScore: true });
    expect(columns.slice(-2)).toEqual(['N-S', 'published N-S']);
    const queries = rows[1].system.queries;
    const among = queries.map(({ ranks }) => ranks.filter((rank) => rank < 4).length);
    expect(lines[1].slice(-2)).toEqual([(among.reduce((a, b) => a + b) / queries.length).toFixed(3), '3.910']);
  });

  it('keeps no junk: the query itself is not among its results', () => {
    for (const { queries } of systems)
      for (const { id, top } of queries) expect(top.map((one) => one.id)).not.toContain(id);
  });

  it('names the queries on which systems disagree most', () => {
    const [first] = mostChanged(systems, 1);
    const spreads = systems[0].queries.map(({ ap }, i) => Math.abs(ap - systems[1].queries[i].ap));
    expect(Math.abs(first.aps[1] - first.aps[0])).toBeCloseTo(Math.max(...spreads), 12);
  });

  it('is read back as it was written, and not under another key or when damaged', async () => {
    const file = join(folder, 's0.json');
    await writeComparedSystem(file, systems[0]);
    expect(await readComparedSystem(file, 'key')).toEqual(systems[0]);
    expect(await readComparedSystem(file, 'other')).toBeUndefined();
    await writeFile(file, (await readFile(file, 'utf8')).slice(0, -20));
    expect(await readComparedSystem(file, 'key')).toBeUndefined();
    expect(await readComparedSystem(join(folder, 'absent.json'), 'key')).toBeUndefined();
  });

  it('makes a page with both systems and ranks elsewhere, pictures or not', async () => {
    const html = await comparisonReport(systems, groundTruth, {
      source: 'six images <&>',
      settings: [['size', '256']],
    });
    expect(html).toContain('six images &lt;&amp;&gt;');
    expect(html).toContain('s0: AP');
    expect(html).toContain('s1: AP 1.00');
    expect(html).toMatch(/elsewhere (\d|&gt;)/);
    expect(html).toMatch(/similarity 0\.\d{3} \(\d+(\.\d)? %\)/);
  });
});
