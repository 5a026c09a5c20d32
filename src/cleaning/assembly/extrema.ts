// Extrema in space and scale of one octave (AssemblyScript).
import { refine } from './refine';
import { responseRow } from './response';

/** Floats of a record that `extrema` writes. */
const recordFloats = 8;

function atLeastRow(mask: v128, value: v128, row: usize): v128 {
  mask = v128.and(mask, f32x4.ge(value, v128.load(row - 4)));
  mask = v128.and(mask, f32x4.ge(value, v128.load(row)));
  return v128.and(mask, f32x4.ge(value, v128.load(row + 4)));
}

function atMostRow(mask: v128, value: v128, row: usize): v128 {
  mask = v128.and(mask, f32x4.le(value, v128.load(row - 4)));
  mask = v128.and(mask, f32x4.le(value, v128.load(row)));
  return v128.and(mask, f32x4.le(value, v128.load(row + 4)));
}

/** Row y of difference d in the ring of three rows a difference. */
function ringRow(ring: usize, d: i32, y: i32, rowBytes: usize): usize {
  return ring + <usize>(3 * d + (y % 3)) * rowBytes;
}

/**
 * Maxima above and minima below `threshold` in space and scale, refined. `kind` and `levels`: see response.ts;
 * layers + 3 levels. `ring`: 3 (layers + 2) rows and 16 floats. Records at `out`: column, row, layer (refined), |value|, then column, row,
 * layer (whole). Returns how many there are; those beyond `capacity` are not written.
 */
export function extrema(
  kind: i32,
  levels: usize,
  layers: i32,
  width: i32,
  height: i32,
  stride: i32,
  border: i32,
  threshold: f32,
  contrast: f64,
  edge: f64,
  ring: usize,
  out: usize,
  capacity: i32,
): i32 {
  const rowBytes: usize = 4 * stride;
  const high = f32x4.splat(threshold);
  const low = f32x4.splat(-threshold);
  let count = 0;
  for (let y = border - 1; y <= height - border; y++) {
    for (let d = 0; d < layers + 2; d++) {
      const offset = <usize>y * rowBytes;
      responseRow(kind, levels, layers + 3, d, offset, rowBytes, ringRow(ring, d, y, rowBytes));
    }
    const row = y - 1;
    if (row < border) continue;
    for (let layer = 1; layer <= layers; layer++) {
      const above = ringRow(ring, layer, row - 1, rowBytes);
      const here = ringRow(ring, layer, row, rowBytes);
      const below = ringRow(ring, layer, row + 1, rowBytes);
      for (let x = border; x < width - border; x += 4) {
        const at: usize = 4 * x;
        const value = v128.load(here + at);
        let top = f32x4.gt(value, high);
        let bottom = f32x4.lt(value, low);
        if (!v128.any_true(v128.or(top, bottom))) continue;
        top = atLeastRow(top, value, here + at);
        bottom = atMostRow(bottom, value, here + at);
        if (!v128.any_true(v128.or(top, bottom))) continue;
        top = atLeastRow(atLeastRow(top, value, above + at), value, below + at);
        bottom = atMostRow(atMostRow(bottom, value, above + at), value, below + at);
        if (!v128.any_true(v128.or(top, bottom))) continue;
        for (let dy = -1; dy <= 1; dy++) {
          const finer = ringRow(ring, layer - 1, row + dy, rowBytes) + at;
          const coarser = ringRow(ring, layer + 1, row + dy, rowBytes) + at;
          top = atLeastRow(atLeastRow(top, value, finer), value, coarser);
          bottom = atMostRow(atMostRow(bottom, value, finer), value, coarser);
        }
        const found = i32x4.bitmask(v128.or(top, bottom));
        if (found == 0) continue;
        for (let lane = 0; lane < 4; lane++) {
          if ((found & (1 << lane)) == 0 || x + lane >= width - border) continue;
          const record = count < capacity ? out + <usize>(4 * recordFloats * count) : 0;
          if (refine(kind, levels, layers, width, height, stride, border, contrast, edge, x + lane, row, layer, record))
            count++;
        }
      }
    }
  }
  return count;
}
