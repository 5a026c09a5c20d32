import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { lineChart, roundTicks } from '../../src/report/line-chart.js';
import { htmlReport } from '../../src/report/page.js';
import { thumbnail } from '../../src/report/thumbnail.js';

const hostile = `<script>alert("x")</script>&'`;

describe('htmlReport', () => {
  const page = htmlReport({
    title: hostile,
    sections: [
      {
        heading: hostile,
        blocks: [
          { kind: 'text', text: hostile },
          { kind: 'table', columns: [hostile, 'mAP'], rows: [[hostile, 0.5]] },
          { kind: 'chart', xLabel: hostile, yLabel: hostile, series: [{ name: hostile, points: [[0, 1]] }] },
          {
            kind: 'pictures',
            pictures: [
              {
                image: `data:,"${hostile}`,
                caption: hostile,
                outlines: [
                  { box: [0.1, 0.2, 0.5, 1], kind: 'region', title: hostile },
                  { box: [0, 0, 1, 1], kind: 'strong' },
                ],
              },
            ],
          },
          {
            kind: 'results',
            rows: [
              {
                query: { image: `data:,"${hostile}`, caption: hostile },
                results: [{ caption: hostile, relation: 'negative' }],
              },
            ],
          },
        ],
      },
    ],
  });

  test('escapes every text it is given', () => {
    expect(page).not.toContain('<script');
    expect(page).not.toContain(`"x"`);
    // title twice, heading, text, table twice, both axes and both again for screen readers, legend, dot, src, alt, caption
    // and outline of the picture, and src, alt and two captions of the ranked ones: 20
    expect(page.split('&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;&#39;').length - 1).toBe(20);
  });

  test('loads nothing from elsewhere', () => {
    expect(page).not.toMatch(/https?:|url\(|<link|@import/);
  });

  test('outlines lie over their picture in order', () => {
    expect(page).toMatch(
      /<div class="outlined"><img [^>]*><svg [^>]*><rect class="region" x="0.2000" y="0.1000" width="0.8000" height="0.4000"><title>.*<\/title><\/rect><rect class="strong"/,
    );
  });

  test('results carry their relation, a missing picture leaves its caption', () => {
    expect(page).toContain('<figure class="negative"><figcaption>');
    expect(page).toContain('<figure class="query"><img src="data:,&quot;');
  });
});

test('charts that follow each other share a row, tables keep a distance, no drawings leave no box', () => {
  const chart = { kind: 'chart', xLabel: 'x', yLabel: 'y', series: [{ name: 'a', points: [[0, 1]] }] } as const;
  const table = { kind: 'table', columns: ['a'], rows: [[1]] } as const;
  const page = htmlReport({
    title: 't',
    sections: [{ heading: 'h', blocks: [chart, chart, table, table, { kind: 'drawings', drawings: [] }, chart] }],
  });
  expect(
    page
      .match(/<div class="charts">\n<figure class="chart"><svg [^]*?<\/div>/g)
      ?.map((row) => row.split('<svg').length - 1),
  ).toEqual([2, 1]);
  expect(page).toMatch(/\.scroll \{[^}]*margin: 1rem/);
  expect(page).not.toContain('<div class="drawings">');
});

test('a section without a heading has none, rankings wrap', () => {
  const page = htmlReport({
    title: 't',
    sections: [{ blocks: [{ kind: 'results', rows: [{ query: { caption: 'q' }, results: [] }] }] }],
  });
  expect(page).not.toContain('<h2>');
  expect(page).toContain('<div class="ranking"><figure class="query">');
  expect(page).toMatch(/\.ranking \{[^}]*flex-wrap: wrap/);
});

describe('lineChart', () => {
  test.each([1, 0.0000125, -1234567, 123456.75])('tick labels end right of the axis title: %d', (value) => {
    const svg = lineChart({
      xLabel: 'x',
      yLabel: 'y',
      series: [
        {
          name: 'a',
          points: [
            [0, value],
            [1, 2 * value],
          ],
        },
      ],
    });
    const labels = [...svg.matchAll(/<text x="([\d.]+)" [^>]*text-anchor="end"[^>]*>([^<]*)</g)];
    expect(labels.length).toBeGreaterThan(3);
    // Digits of the 14 px font are at most 8.5 px wide; the title is centred at 14 px and 14 px high.
    for (const [, right, label] of labels) expect(Number(right) - 8.5 * label.length).toBeGreaterThanOrEqual(21);
  });

  test('points lie between the axes, in order, larger values higher', () => {
    const svg = lineChart({
      xLabel: 'update',
      yLabel: 'mAP',
      series: [
        {
          name: 'validation',
          points: [
            [0, 0.5],
            [10, 0.6],
            [20, Number.NaN],
            [30, 0.8],
          ],
        },
      ],
    });
    const points =
      /points="([^"]*)"/
        .exec(svg)?.[1]
        .split(' ')
        .map((point) => point.split(',').map(Number)) ?? [];
    // x ticks 0 to 30 over [64, 464]; y ticks 0.5 to 0.8 over [244, 16]
    expect(points).toEqual([
      [64, 244],
      [197.3, 168],
      [464, 16],
    ]);
    expect(svg).toContain('>0.6</text>');
  });

  test('no points and equal points still make a chart', () => {
    expect(lineChart({ xLabel: 'x', yLabel: 'y', series: [] })).not.toContain('NaN');
    expect(lineChart({ xLabel: 'x', yLabel: 'y', series: [{ name: 'a', points: [[1, 2]] }] })).not.toContain('NaN');
  });
});

test.each([
  [
    [0, 1],
    [0, 0.2, 0.4, 0.6, 0.8, 1],
  ],
  [
    [0.52, 0.63],
    [0.5, 0.55, 0.6, 0.65],
  ],
  [
    [-3, 1200],
    [-500, 0, 500, 1000, 1500],
  ],
])('roundTicks(%j) encloses the values: %j', (values, ticks) => {
  expect(roundTicks(values)).toEqual(ticks);
});

describe('thumbnail', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rmac-'));

  test('a JPEG of the asked size as a data URI, upright, cropped', async () => {
    const file = join(folder, 'a.png');
    await sharp({ create: { width: 400, height: 200, channels: 3, background: 'red' } })
      .png()
      .toFile(file);
    const sizeOf = async (uri: string | undefined) => {
      expect(uri).toMatch(/^data:image\/jpeg;base64,/);
      const { width, height } = await sharp(Buffer.from(uri?.split(',')[1] ?? '', 'base64')).metadata();
      return [width, height];
    };
    expect(await sizeOf(await thumbnail(file, { longestPx: 50 }))).toEqual([50, 25]);
    const crop = { x: 10, y: 10, width: 60, height: 60 };
    expect(await sizeOf(await thumbnail(file, { longestPx: 50, crop }))).toEqual([50, 50]);
  });

  test('undefined for what is no image', async () => {
    writeFileSync(join(folder, 'b.jpg'), 'no image');
    expect(await thumbnail(join(folder, 'b.jpg'))).toBeUndefined();
  });
});
