/**
 * @file A small line chart: SVG with round ticks and one line per series, the legend as text of the page below it, which keeps its size
 * where the drawing shrinks. No scripts, no external fonts.
 */
import { largest } from '../extremes.js';
import { escapeHtml } from './escape-html.js';

export interface LineChart {
  xLabel: string;
  yLabel: string;
  series: readonly { name: string; points: readonly (readonly [x: number, y: number])[] }[];
}

const width = 480; // few px, so that letters stay readable on a telephone
const height = 300;
const plot = { right: 464, top: 16, bottom: 244 };
const digitWidth = 8.5; // of the 14 px font
const titleWidth = 30;
/** Points of a line, at most, that are marked each. */
const mostDots = 80;
const colours = ['#1f6fb4', '#d9690f', '#2a8f3c', '#b8262b', '#7a55b0', '#7a5148', '#5f6b78', '#c2569b'];

/** The chart as a `<figure>`. Points that are not finite are left out. */
export function lineChart({ xLabel, yLabel, series }: LineChart): string {
  const drawn = series.map(({ name, points }) => ({
    name,
    points: points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y)),
  }));
  const all = drawn.flatMap(({ points }) => points);
  const xTicks = roundTicks(all.map(([x]) => x));
  const yTicks = roundTicks(all.map(([, y]) => y));
  const left = largest([64, ...yTicks.map((tick) => titleWidth + `${tick}`.length * digitWidth + 8)]);
  const place = (value: number, ticks: readonly number[], from: number, to: number) =>
    (from + ((value - ticks[0]) / (ticks[ticks.length - 1] - ticks[0])) * (to - from)).toFixed(1);
  const x = (value: number) => place(value, xTicks, left, plot.right);
  const y = (value: number) => place(value, yTicks, plot.bottom, plot.top);

  const grid = yTicks.map(
    (tick) =>
      `<line class="grid" x1="${left}" x2="${plot.right}" y1="${y(tick)}" y2="${y(tick)}"/>` +
      `<text x="${left - 8}" y="${y(tick)}" text-anchor="end" dominant-baseline="middle">${tick}</text>`,
  );
  const bottom = xTicks.map(
    (tick) => `<text x="${x(tick)}" y="${plot.bottom + 18}" text-anchor="middle">${tick}</text>`,
  );
  const lines = drawn.map(({ name, points }, i) => {
    const colour = colours[i % colours.length];
    const path = points.map(([px, py]) => `${x(px)},${y(py)}`).join(' ');
    const dotted = points.length > mostDots ? [] : points;
    const dots = dotted.map(
      ([px, py]) =>
        `<circle cx="${x(px)}" cy="${y(py)}" r="3" fill="${colour}"><title>${escapeHtml(`${name}: ${px}, ${py}`)}</title></circle>`,
    );
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>${dots.join('')}`;
  });
  const legend = drawn.map(
    ({ name }, i) => `<li><i style="background:${colours[i % colours.length]}"></i>${escapeHtml(name)}</li>`,
  );
  const middle = (plot.top + plot.bottom) / 2;
  return (
    `<figure class="chart"><svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(`${yLabel} by ${xLabel}`)}">` +
    grid.join('') +
    bottom.join('') +
    lines.join('') +
    `<text x="${(left + plot.right) / 2}" y="${height - 12}" text-anchor="middle">${escapeHtml(xLabel)}</text>` +
    `<text x="14" y="${middle}" text-anchor="middle" transform="rotate(-90 14 ${middle})">${escapeHtml(yLabel)}</text></svg>` +
    `<ul class="legend">${legend.join('')}</ul></figure>`
  );
}

/** Four to ten ticks at 1, 2 or 5 times a power of ten that enclose the values. */
export function roundTicks(values: readonly number[]): number[] {
  let low = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  let high = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  if (values.length === 0) [low, high] = [0, 1];
  if (low === high) [low, high] = [low - Math.max(1, Math.abs(low)) / 2, high + Math.max(1, Math.abs(high)) / 2];
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough * 0.999) ?? 10);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  // Through toPrecision, or 3 * 0.1 would be printed as 0.30000000000000004.
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}
