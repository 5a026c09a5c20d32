/** @file Feature maps in plain numbers: cut, resize, add. The engine computes them; what systems do with them is cheap and differs in shape from image to image. */

/** data[(y * width + x) * channels + c]. */
export interface FeatureMap {
  height: number;
  width: number;
  channels: number;
  data: Float32Array;
}

/** A box in fractions of the image, `[yMin, xMin, yMax, xMax)` from 0 to 1. */
export type BoxNorm = readonly [number, number, number, number];

/**
 * The cells a box touches: rows floor(yMin H) to ceil(yMax H), columns likewise, at least one cell. `published`: columns to
 * floor(xMax W), as the code of R-MAC+ has it, which leaves the last one out.
 */
export function cropMap(map: FeatureMap, [yMin, xMin, yMax, xMax]: BoxNorm, { published = false } = {}): FeatureMap {
  const { height, width, channels, data } = map;
  const [top, bottom] = span(yMin * height, yMax * height, height, Math.ceil);
  const [left, right] = span(xMin * width, xMax * width, width, published ? Math.floor : Math.ceil);
  const cropped = new Float32Array((bottom - top) * (right - left) * channels);
  for (let y = top; y < bottom; y++) {
    const row = data.subarray((y * width + left) * channels, (y * width + right) * channels);
    cropped.set(row, (y - top) * row.length);
  }
  return { height: bottom - top, width: right - left, channels, data: cropped };
}

function span(from: number, to: number, length: number, roundEnd: (x: number) => number): [number, number] {
  const start = Math.min(Math.max(Math.floor(from), 0), length - 1);
  return [start, Math.min(Math.max(roundEnd(to), start + 1), length)];
}

/**
 * Bilinear interpolation. 'half-pixel': cell i of n covers [i, i + 1) / n (torch's align_corners=False, TensorFlow 2, OpenCV);
 * 'corners': the corner cells fall on each other (Torch7's SpatialUpSamplingBilinear, align_corners=True).
 */
export function resizeMap(
  map: FeatureMap,
  { height, width }: { height: number; width: number },
  align: 'half-pixel' | 'corners' = 'half-pixel',
): FeatureMap {
  const { channels, data } = map;
  if (height === map.height && width === map.width) return map;
  const rows = samples(map.height, height, align);
  const columns = samples(map.width, width, align);
  const resized = new Float32Array(height * width * channels);
  for (let y = 0; y < height; y++) {
    const [y0, y1, fy] = rows[y];
    for (let x = 0; x < width; x++) {
      const [x0, x1, fx] = columns[x];
      const a = (y0 * map.width + x0) * channels;
      const b = (y0 * map.width + x1) * channels;
      const c = (y1 * map.width + x0) * channels;
      const d = (y1 * map.width + x1) * channels;
      const out = (y * width + x) * channels;
      const [wa, wb, wc, wd] = [(1 - fy) * (1 - fx), (1 - fy) * fx, fy * (1 - fx), fy * fx];
      for (let k = 0; k < channels; k++) {
        resized[out + k] = wa * data[a + k] + wb * data[b + k] + wc * data[c + k] + wd * data[d + k];
      }
    }
  }
  return { height, width, channels, data: resized };
}

/** For each of `to` cells: the two of `from` cells between which it lies, and how far behind the first. */
function samples(from: number, to: number, align: 'half-pixel' | 'corners'): [number, number, number][] {
  return Array.from({ length: to }, (_, i) => {
    const exact = align === 'corners' ? (to === 1 ? 0 : (i * (from - 1)) / (to - 1)) : ((i + 0.5) * from) / to - 0.5;
    const at = Math.min(Math.max(exact, 0), from - 1);
    const low = Math.floor(at);
    return [low, Math.min(low + 1, from - 1), at - low];
  });
}

/** Early fusion: all maps resized to the largest, and added. */
export function addMaps(maps: readonly FeatureMap[], align: 'half-pixel' | 'corners'): FeatureMap {
  const largest = maps.reduce((a, b) => (b.height * b.width > a.height * a.width ? b : a));
  const data = Float32Array.from(largest.data);
  for (const map of maps) {
    if (map === largest) continue;
    const resized = resizeMap(map, largest, align).data;
    for (let i = 0; i < data.length; i++) data[i] += resized[i];
  }
  return { ...largest, data };
}
