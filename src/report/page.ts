/**
 * @file One self-contained HTML page from headings, text, tables, line charts and rows of ranked pictures. All text is
 * escaped, pictures are data URIs, nothing is loaded from elsewhere.
 */
import { escapeHtml } from './escape-html.js';
import { type LineChart, lineChart } from './line-chart.js';

export interface ReportPicture {
  /** Data URI, as `thumbnail` makes it; without one only the caption is shown. */
  image?: string;
  caption: string;
  /** Rectangles over the picture, later ones on top. */
  outlines?: readonly Outline[];
}

/** A rectangle [yMin, xMin, yMax, xMax) in shares of the picture. Kinds: thin and white, thick and yellow, thick, dashed and blue. */
export interface Outline {
  box: readonly [number, number, number, number];
  kind: 'region' | 'strong' | 'truth';
  /** Shown under the pointer. */
  title?: string;
}

/** One query and its results, best first. Borders: positive green, negative red, junk grey. */
export interface RankedPictures {
  query: ReportPicture;
  results: readonly (ReportPicture & { relation: 'positive' | 'negative' | 'junk' })[];
}

export type ReportBlock =
  | { kind: 'text'; text: string }
  /** Numbers are shown as they are: round them first. The first column is left-aligned. */
  | { kind: 'table'; columns: readonly string[]; rows: readonly (readonly (string | number)[])[] }
  | ({ kind: 'chart' } & LineChart)
  /** SVG elements as they are (their texts escaped by who made them), beside each other. */
  | { kind: 'drawings'; drawings: readonly { svg: string; caption: string }[] }
  /** Pictures beside each other. */
  | { kind: 'pictures'; pictures: readonly ReportPicture[] }
  | { kind: 'results'; rows: readonly RankedPictures[] };

export interface ReportSection {
  /** Default: none, as what a page opens with. */
  heading?: string;
  blocks: readonly ReportBlock[];
}

const style = `
:root { color-scheme: light dark; --line: #8886; --good: #2a8f3c; --bad: #c22f2f; --grey: #888; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
table { border-collapse: collapse; } th, td { padding: .3rem; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
.scroll { overflow-x: auto; margin: 1rem 0; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 28rem), 1fr)); gap: 1rem; }
.chart { width: 100%; max-width: 40rem; } .chart svg { width: 100%; font-size: 14px; } .chart text { fill: currentColor; } .grid { stroke: var(--line); }
.legend { display: flex; flex-wrap: wrap; gap: 0 1.2rem; margin: 0; padding: 0 0 0 13%; list-style: none; font-size: .9rem; }
.legend i { display: inline-block; width: 1.4rem; height: .25rem; margin-right: .4rem; vertical-align: middle; }
.ranking { display: flex; flex-wrap: wrap; gap: .5rem; margin: .6rem 0 1.2rem; } figure { margin: 0; flex: none; }
figure img { height: 7rem; display: block; border: 4px solid var(--grey); } .ranking img { height: 4.2rem; }
.ranking figcaption { width: 0; min-width: 100%; }
.query img { border-color: transparent; } .ranking .query img { border-color: #3b82d0; } .positive img { border-color: var(--good); } .negative img { border-color: var(--bad); }
.drawings { display: flex; flex-wrap: wrap; gap: .6rem; margin: .6rem 0; } .drawings svg { display: block; max-width: 100%; }
.outlined { position: relative; width: fit-content; } .outlined svg { position: absolute; inset: 4px; width: calc(100% - 8px); height: calc(100% - 8px); }
.outlined rect { fill: transparent; vector-effect: non-scaling-stroke; stroke: #fff9; stroke-width: 1; }
.outlined .strong { stroke: #ffd400; stroke-width: 2.5; } .outlined .truth { stroke: #4aa3ff; stroke-width: 2.5; stroke-dasharray: 5 3; }
@media (min-width: 40rem) {
  th, td { padding: .3rem .8rem; } td:first-child { white-space: nowrap; } .ranking img { height: 5.5rem; }
}
figcaption { font-size: .75rem; max-width: 12rem; overflow-wrap: anywhere; }
.positive figcaption::before { content: "✓ "; color: var(--good); } .negative figcaption::before { content: "✗ "; color: var(--bad); }
`;

/** The page as one string. */
export function htmlReport({ title, sections }: { title: string; sections: readonly ReportSection[] }): string {
  const body = sections.map(
    ({ heading, blocks }) =>
      `<section>${heading === undefined ? '' : `<h2>${escapeHtml(heading)}</h2>\n`}${renderBlocks(blocks)}</section>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
${body.join('\n')}
</body>
</html>
`;
}

/** Charts that follow each other stand beside each other. */
function renderBlocks(blocks: readonly ReportBlock[]): string {
  const parts: string[] = [];
  blocks.forEach((block, i) => {
    const chart = block.kind === 'chart';
    if (chart && blocks[i - 1]?.kind !== 'chart') parts.push('<div class="charts">');
    parts.push(renderBlock(block));
    if (chart && blocks[i + 1]?.kind !== 'chart') parts.push('</div>');
  });
  return parts.join('\n');
}

function renderBlock(block: ReportBlock): string {
  if (block.kind === 'text') return `<p>${escapeHtml(block.text)}</p>`;
  if (block.kind === 'table') return renderTable(block.columns, block.rows);
  if (block.kind === 'chart') return lineChart(block);
  if (block.kind === 'drawings') return renderDrawings(block.drawings);
  if (block.kind === 'pictures') return renderPictures(block.pictures);
  return block.rows.map(renderRanking).join('\n');
}

function renderTable(columns: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[], tag: string) =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeHtml(`${cell}`)}</${tag}>`).join('')}</tr>`;
  return `<div class="scroll"><table><thead>${line(columns, 'th')}</thead><tbody>${rows
    .map((row) => line(row, 'td'))
    .join('')}</tbody></table></div>`;
}

function renderDrawings(drawings: readonly { svg: string; caption: string }[]): string {
  if (drawings.length === 0) return '';
  const figures = drawings.map(
    ({ svg, caption }) => `<figure>${svg}<figcaption>${escapeHtml(caption)}</figcaption></figure>`,
  );
  return `<div class="drawings">${figures.join('')}</div>`;
}

function renderPictures(pictures: readonly ReportPicture[]): string {
  return `<div class="drawings">${pictures.map((picture) => renderPicture(picture, 'query')).join('')}</div>`;
}

function renderRanking({ query, results }: RankedPictures): string {
  const figures = [renderPicture(query, 'query'), ...results.map((result) => renderPicture(result, result.relation))];
  return `<div class="ranking">${figures.join('')}</div>`;
}

function renderPicture({ image, caption, outlines = [] }: ReportPicture, kind: string): string {
  const picture = image === undefined ? '' : `<img src="${escapeHtml(image)}" alt="${escapeHtml(caption)}">`;
  const shown = image === undefined || outlines.length === 0 ? picture : renderOutlined(picture, outlines);
  return `<figure class="${kind}">${shown}<figcaption>${escapeHtml(caption)}</figcaption></figure>`;
}

function renderOutlined(picture: string, outlines: readonly Outline[]): string {
  const rectangles = outlines.map(({ box: [yMin, xMin, yMax, xMax], kind, title }) => {
    const [x, y, width, height] = [xMin, yMin, xMax - xMin, yMax - yMin].map((share) => share.toFixed(4));
    const tip = title === undefined ? '' : `<title>${escapeHtml(title)}</title>`;
    return `<rect class="${kind}" x="${x}" y="${y}" width="${width}" height="${height}">${tip}</rect>`;
  });
  return `<div class="outlined">${picture}<svg viewBox="0 0 1 1" preserveAspectRatio="none">${rectangles.join('')}</svg></div>`;
}
