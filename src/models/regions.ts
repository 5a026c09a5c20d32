/**
 * @file Where R-MAC looks: region grids over a feature map, in plain numbers.
 *
 * The rigid grid is the one of Tolias, Sicre and Jegou 2016: square regions of side floor(2 min(W, H) / (l + 1)) at level
 * l, as many along the longer side as make neighbours overlap by about 40 %. Public implementations agree on the formula
 * and differ in the plane it is laid on, in a whole-image region, and in the precision of an argmin that has exact ties
 * at aspect ratios such as 9:5; those are options here. Gordo et al. 2016 lay it on image pixels and let Caffe's ROI
 * pooling round it to cells, which gives regions about one cell larger: the two planes are not interchangeable.
 */

/** Half-open box of cells: rows `[yMin, yMax)`, columns `[xMin, xMax)`. May be empty on the image plane only. */
export interface Region {
  yMin: number;
  xMin: number;
  yMax: number;
  xMax: number;
}

export type GridPrecision = 'f64' | 'f32';

export interface RigidGridOptions {
  /** Scales 1..levels. Default 3. */
  levels?: number;
  /** The whole plane as first region. Default false. */
  wholeImage?: boolean;
  /** Default 'f64'. */
  precision?: GridPrecision;
}

/** Numbers of level-1 squares along the longer side that are considered. */
export const candidateSteps = [2, 3, 4, 5, 6, 7];
/** Share of a level-1 square that its neighbour covers, where it can be had. */
export const desiredOverlap = 0.4;

/**
 * Regions a level has beyond its number along the longer side: the (1-based, first) candidate whose overlap of
 * neighbouring level-1 squares is nearest to 40 %. 0 for a square plane.
 */
export function extraAlongLongerSide(height: number, width: number, precision: GridPrecision = 'f64'): number {
  if (height === width) return 0;
  const round = rounding(precision);
  const side = Math.min(width, height);
  let best = 0;
  let bestDistance = Infinity;
  for (const [i, steps] of candidateSteps.entries()) {
    const stride = round((Math.max(width, height) - side) / (steps - 1));
    const overlap = round(round(side ** 2 - round(side * stride)) / side ** 2);
    const distance = Math.abs(round(overlap - round(desiredOverlap)));
    if (distance < bestDistance) {
      best = i + 1;
      bestDistance = distance;
    }
  }
  return best;
}

/** Tolias' grid on a plane of `height` x `width` units. Levels whose side rounds to 0 have no regions; rows outer. */
export function rigidGrid(
  height: number,
  width: number,
  { levels = 3, wholeImage = false, precision = 'f64' }: RigidGridOptions = {},
): Region[] {
  const round = rounding(precision);
  const side = Math.min(width, height);
  const extra = extraAlongLongerSide(height, width, precision);
  const extraColumns = width > height ? extra : 0;
  const extraRows = height > width ? extra : 0;
  const regions: Region[] = wholeImage ? [{ yMin: 0, xMin: 0, yMax: height, xMax: width }] : [];
  for (let level = 1; level <= levels; level++) {
    const size = Math.floor((2 * side) / (level + 1));
    if (size === 0) continue;
    const xs = origins(width, size, level + extraColumns, round);
    const ys = origins(height, size, level + extraRows, round);
    for (const y of ys) {
      for (const x of xs) regions.push({ yMin: y, xMin: x, yMax: y + size, xMax: x + size });
    }
  }
  return regions;
}

/** `count` starts of segments of `size` spread over `length`, as floor(half + j b) - half; the last one never sticks out. */
function origins(length: number, size: number, count: number, round: (x: number) => number): number[] {
  const half = Math.floor(size / 2 - 1);
  const stride = count === 1 ? 0 : round((length - size) / (count - 1));
  return Array.from({ length: count }, (_, j) =>
    Math.min(Math.floor(round(half + round(j * stride))) - half, length - size),
  );
}

/**
 * Gordo's regions: the rigid grid in pixels of the image, each rounded to cells the way Caffe's ROI pooling does (corners
 * inclusive, `round` half away from zero, at least one cell, clipped to the map). `stride`: pixels per cell.
 */
export function pixelGrid(
  image: { height: number; width: number },
  map: { height: number; width: number },
  stride: number,
  options: RigidGridOptions = {},
): Region[] {
  return rigidGrid(image.height, image.width, options).map((region) => cellsOf(region, map, stride));
}

/** A half-open box in pixels as cells of the map, by Caffe's ROI pooling. Empty where it begins behind the last cell. */
export function cellsOf(
  { yMin, xMin, yMax, xMax }: Region,
  map: { height: number; width: number },
  stride: number,
): Region {
  const [y0, y1] = roundToCells(yMin, yMax - 1, 1 / stride, map.height);
  const [x0, x1] = roundToCells(xMin, xMax - 1, 1 / stride, map.width);
  return { yMin: y0, xMin: x0, yMax: y1, xMax: x1 };
}

/** Caffe ROI pooling with one bin: inclusive pixels -> half-open cells. `Math.round` is half away from 0 for x >= 0. */
function roundToCells(first: number, last: number, scale: number, cells: number): [number, number] {
  const start = Math.round(first * scale);
  const size = Math.max(Math.round(last * scale) - start + 1, 1);
  return [Math.min(start, cells), Math.min(start + size, cells)];
}

/**
 * The 15 regions of R-MAC+: the whole map, then 1x2 (or 2x1 on portrait and square maps), 2x3 and 3x2 regions that cover
 * both axes; a region that would stick out slides back to the edge, which makes some of them equal (they count twice).
 */
export function rmacPlusGrid(height: number, width: number): Region[] {
  const side = Math.min(height, width);
  const levels = [
    { size: side, rows: height < width ? 1 : 2, columns: height < width ? 2 : 1 },
    { size: Math.ceil((2 * side) / 3), rows: 2, columns: 3 },
    { size: Math.ceil((2 * side) / 4), rows: 3, columns: 2 },
  ];
  const regions: Region[] = [{ yMin: 0, xMin: 0, yMax: height, xMax: width }];
  for (const { size, rows, columns } of levels) {
    const tall = size * rows < height ? Math.ceil(height / rows) : size;
    const wide = size * columns < width ? Math.ceil(width / columns) : size;
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) {
        // The published code rounds halves to even; a half only arises in the middle, where sliding back hides it.
        const yMin = Math.min(Math.round((r * height) / rows), height - tall);
        const xMin = Math.min(Math.round((c * width) / columns), width - wide);
        regions.push({ yMin, xMin, yMax: yMin + tall, xMax: xMin + wide });
      }
    }
  }
  return regions;
}

function rounding(precision: GridPrecision): (x: number) => number {
  return precision === 'f32' ? Math.fround : (x) => x;
}
