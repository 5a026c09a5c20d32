/** @file A grid of values from 0 to 1 as a small picture in colours, for pages: dark blue 0, green a half, yellow 1. */
import sharp from 'sharp';

export interface HeatMap {
  /** Row-major [size, size] from the top left; NaN is drawn grey. */
  values: ArrayLike<number>;
  size: number;
  /** A rectangle drawn over it, [yMin, xMin, yMax, xMax) in shares of the picture. */
  frame?: readonly [number, number, number, number];
}

/** Side of the drawing, px. */
const sidePx = 160;

// Evenly spaced on the scale, ever lighter, so that order survives in grey and for colour-blind readers (Matplotlib's viridis).
const stops = [
  [68, 1, 84],
  [59, 82, 139],
  [33, 145, 140],
  [94, 201, 98],
  [253, 231, 37],
];
const missing = [128, 128, 128];

/** RGB bytes of a value; beyond 0 and 1 the ends. */
export function heatColour(value: number): number[] {
  if (Number.isNaN(value)) return missing;
  const at = Math.min(Math.max(value, 0), 1) * (stops.length - 1);
  const i = Math.min(Math.floor(at), stops.length - 2);
  return stops[i].map((from, channel) => Math.round(from + (at - i) * (stops[i + 1][channel] - from)));
}

/** PNG of one pixel per value. */
export async function heatMapPng({ values, size }: HeatMap): Promise<Buffer> {
  const pixels = Uint8Array.from(Array.from(values, heatColour).flat());
  return sharp(pixels, { raw: { width: size, height: size, channels: 3 } })
    .png()
    .toBuffer();
}

/** The picture as an `<svg>` element that loads nothing. */
export async function heatMapSvg(map: HeatMap): Promise<string> {
  const png = (await heatMapPng(map)).toString('base64');
  const rectangle = map.frame && frameSvg(map.frame);
  return (
    `<svg width="${sidePx}" height="${sidePx}" viewBox="0 0 1 1" role="img">` +
    `<image width="1" height="1" style="image-rendering:pixelated" href="data:image/png;base64,${png}"/>${rectangle ?? ''}</svg>`
  );
}

function frameSvg([yMin, xMin, yMax, xMax]: readonly [number, number, number, number]): string {
  return (
    `<rect x="${xMin}" y="${yMin}" width="${xMax - xMin}" height="${yMax - yMin}" fill="none" stroke="#fff" ` +
    'stroke-width="1.5" vector-effect="non-scaling-stroke"/>'
  );
}
