/** @file SVG pictures of the cleaning report: photographs with boxes, a landmark's graph, a pair's matches. Texts are escaped. */
import { escapeHtml } from './escape-html.js';
import type { BoxPx, Size } from '../cleaning/boxes/boxes.js';
import { layOutGraph } from './graph-layout.js';

const green = '#2a8f3c';
const red = '#c22f2f';
const grey = '#888';

/** A photograph `height` px high, with its initial box dashed and its final one solid. `image`: data URI. */
export function boxedPicture(
  image: string | undefined,
  size: Size,
  { initial, final, height = 110 }: { initial?: BoxPx; final?: BoxPx; height?: number } = {},
): string {
  const width = (height * size.width) / size.height;
  const parts = [picture(image, 0, width, height)];
  const scale = height / size.height;
  if (initial !== undefined) parts.push(rectangle(initial, scale, `stroke="${red}" stroke-dasharray="4 3"`));
  if (final !== undefined) parts.push(rectangle(final, scale, `stroke="${green}"`));
  return svg(width, height, parts);
}

/** Nodes as dots that carry their name, edges as lines, the more inliers the wider. */
export function graphDrawing(
  nodes: readonly { name: string; kept: boolean }[],
  edges: readonly { a: number; b: number; inliers: number }[],
  { width = 460, height = 320 }: { width?: number; height?: number } = {},
): string {
  const at = layOutGraph(nodes.length, edges);
  const x = (i: number) => (10 + at[2 * i] * (width - 20)).toFixed(1);
  const y = (i: number) => (10 + at[2 * i + 1] * (height - 20)).toFixed(1);
  const lines = edges.map(({ a, b, inliers }) => {
    const thickness = Math.min(4, Math.log10(inliers)).toFixed(2);
    return `<line x1="${x(a)}" y1="${y(a)}" x2="${x(b)}" y2="${y(b)}" stroke="${grey}" stroke-opacity=".45" stroke-width="${thickness}"/>`;
  });
  const dots = nodes.map(
    ({ name, kept }, i) =>
      `<circle cx="${x(i)}" cy="${y(i)}" r="4" fill="${kept ? green : red}"><title>${escapeHtml(name)}</title></circle>`,
  );
  return svg(width, height, [...lines, ...dots]);
}

/** Two photographs beside each other, the verified points connected. Points [K, 2] in px of each. */
export function matchDrawing(
  a: { image: string | undefined; size: Size; points: ArrayLike<number> },
  b: { image: string | undefined; size: Size; points: ArrayLike<number> },
  { height = 180, maxLines = 60 }: { height?: number; maxLines?: number } = {},
): string {
  const [scaleA, scaleB] = [height / a.size.height, height / b.size.height];
  const widthA = a.size.width * scaleA;
  const widthB = b.size.width * scaleB;
  const parts = [picture(a.image, 0, widthA, height), picture(b.image, widthA, widthB, height)];
  const count = a.points.length / 2;
  const every = Math.max(1, Math.ceil(count / maxLines));
  for (let k = 0; k < count; k += every) {
    const [x1, y1] = [(a.points[2 * k] + 0.5) * scaleA, (a.points[2 * k + 1] + 0.5) * scaleA];
    const [x2, y2] = [widthA + (b.points[2 * k] + 0.5) * scaleB, (b.points[2 * k + 1] + 0.5) * scaleB];
    const hue = Math.round((360 * k) / Math.max(1, count));
    parts.push(
      `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="hsl(${hue} 90% 50%)" stroke-opacity=".7"/>`,
    );
  }
  return svg(widthA + widthB, height, parts);
}

function picture(image: string | undefined, x: number, width: number, height: number): string {
  const place = `x="${x.toFixed(1)}" y="0" width="${width.toFixed(1)}" height="${height.toFixed(1)}"`;
  if (image === undefined) return `<rect ${place} fill="${grey}" fill-opacity=".3"/>`;
  return `<image ${place} preserveAspectRatio="none" href="${escapeHtml(image)}"/>`;
}

function rectangle([yMin, xMin, yMax, xMax]: BoxPx, scale: number, stroke: string): string {
  const [x, y, width, height] = [xMin, yMin, xMax - xMin, yMax - yMin].map((value) => (value * scale).toFixed(1));
  return `<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="none" stroke-width="2" ${stroke}/>`;
}

function svg(width: number, height: number, parts: readonly string[]): string {
  const [w, h] = [width.toFixed(0), height.toFixed(0)];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}" viewBox="0 0 ${w} ${h}">${parts.join('')}</svg>`;
}
