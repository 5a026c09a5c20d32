/**
 * @file Polygon filling with anti-aliased edges. Coordinates are pixels, x right, y down, pixel (i, j) covers
 * [i, i+1) x [j, j+1). A path is a list of closed polygons, filled by the even-odd rule.
 */

/** A closed polygon: x0, y0, x1, y1, ... */
export type Polygon = readonly number[];
export type Path = readonly Polygon[];
/** One polygon, or several. */
export type Shape = Polygon | Path;

export function isPolygon(shape: Shape): shape is Polygon {
  return typeof shape[0] === 'number';
}

/** Called once a row: coverage[x] (0-1) is valid for xStart <= x < xEnd. */
export type RowSink = (y: number, xStart: number, xEnd: number, coverage: Float32Array) => void;

const subRows = 4;
let coverage = new Float32Array(2048);

/** Bounding box of a path. */
export function pathBounds(path: Path): { left: number; top: number; right: number; bottom: number } {
  const box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (const polygon of path) {
    for (let i = 0; i < polygon.length; i += 2) {
      box.left = Math.min(box.left, polygon[i]);
      box.right = Math.max(box.right, polygon[i]);
      box.top = Math.min(box.top, polygon[i + 1]);
      box.bottom = Math.max(box.bottom, polygon[i + 1]);
    }
  }
  return box;
}

/** Fills `shape` within a width x height raster: four sample rows a pixel, exact coverage along x. */
export function rasterize(shape: Shape, width: number, height: number, sink: RowSink): void {
  const path = isPolygon(shape) ? [shape] : shape;
  if (coverage.length < width + 2) coverage = new Float32Array(width + 2);
  const bounds = pathBounds(path);
  const first = Math.max(0, Math.floor(bounds.top));
  const last = Math.min(height, Math.ceil(bounds.bottom));
  const crossings: number[] = [];
  const left = Math.max(0, Math.floor(bounds.left));
  const right = Math.min(width, Math.ceil(bounds.right));
  if (right <= left) return;
  for (let y = first; y < last; y++) {
    let from = right;
    let to = left;
    coverage.fill(0, left, right + 1);
    for (let s = 0; s < subRows; s++) {
      crossings.length = 0;
      collectCrossings(path, y + (s + 0.5) / subRows, crossings);
      crossings.sort(ascending);
      for (let i = 0; i + 1 < crossings.length; i += 2) {
        const x0 = Math.max(0, crossings[i]);
        const x1 = Math.min(width, crossings[i + 1]);
        if (x1 <= x0) continue;
        from = Math.min(from, Math.floor(x0));
        to = Math.max(to, Math.ceil(x1));
        addSpan(x0, x1);
      }
    }
    if (to > from) sink(y, from, to, coverage);
  }
}

function addSpan(x0: number, x1: number): void {
  const weight = 1 / subRows;
  const start = Math.floor(x0);
  const end = Math.floor(x1);
  if (start === end) {
    coverage[start] += (x1 - x0) * weight;
    return;
  }
  coverage[start] += (start + 1 - x0) * weight;
  for (let x = start + 1; x < end; x++) coverage[x] += weight;
  if (x1 > end) coverage[end] += (x1 - end) * weight;
}

function collectCrossings(path: Path, y: number, crossings: number[]): void {
  for (const polygon of path) {
    const count = polygon.length;
    let ax = polygon[count - 2];
    let ay = polygon[count - 1];
    for (let i = 0; i < count; i += 2) {
      const bx = polygon[i];
      const by = polygon[i + 1];
      if (ay <= y !== by <= y) crossings.push(ax + ((y - ay) / (by - ay)) * (bx - ax));
      ax = bx;
      ay = by;
    }
  }
}

function ascending(a: number, b: number): number {
  return a - b;
}
