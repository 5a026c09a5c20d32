// Sub-pixel position of an extremum and its tests (AssemblyScript). Lowe 2004, section 4.

const maxMoves = 5;

function dog(levels: usize, layer: i32, offset: usize): f64 {
  const lower: usize = load<u32>(levels + 4 * layer);
  const upper: usize = load<u32>(levels + 4 * layer + 4);
  return <f64>(load<f32>(upper + offset) - load<f32>(lower + offset));
}

/**
 * Fits a quadratic around (x, y, layer), moving to the neighbour it points to at most five times; writes the record
 * unless `record` is 0. False where it does not settle, has |value| * layers below `contrast` or lies on an edge: ratio of
 * principal curvatures of `edge` or more. Values count in grey levels of 0 to 255.
 */
export function refine(
  levels: usize,
  layers: i32,
  width: i32,
  height: i32,
  stride: i32,
  border: i32,
  contrast: f64,
  edge: f64,
  x: i32,
  y: i32,
  layer: i32,
  record: usize,
): bool {
  const up: usize = 4 * stride;
  for (let move = 0; move < maxMoves; move++) {
    const at: usize = 4 * <usize>(y * stride + x);
    const value = dog(levels, layer, at);
    const right = dog(levels, layer, at + 4);
    const left = dog(levels, layer, at - 4);
    const below = dog(levels, layer, at + up);
    const above = dog(levels, layer, at - up);
    const coarser = dog(levels, layer + 1, at);
    const finer = dog(levels, layer - 1, at);
    const gx = 0.5 * (right - left);
    const gy = 0.5 * (below - above);
    const gs = 0.5 * (coarser - finer);
    const xx = right + left - 2 * value;
    const yy = below + above - 2 * value;
    const ss = coarser + finer - 2 * value;
    const xy =
      0.25 *
      (dog(levels, layer, at + up + 4) -
        dog(levels, layer, at + up - 4) -
        dog(levels, layer, at - up + 4) +
        dog(levels, layer, at - up - 4));
    const xs =
      0.25 *
      (dog(levels, layer + 1, at + 4) -
        dog(levels, layer + 1, at - 4) -
        dog(levels, layer - 1, at + 4) +
        dog(levels, layer - 1, at - 4));
    const ys =
      0.25 *
      (dog(levels, layer + 1, at + up) -
        dog(levels, layer + 1, at - up) -
        dog(levels, layer - 1, at + up) +
        dog(levels, layer - 1, at - up));
    // -H^-1 g by cofactors
    const c00 = yy * ss - ys * ys;
    const c01 = xs * ys - xy * ss;
    const c02 = xy * ys - xs * yy;
    const c11 = xx * ss - xs * xs;
    const c12 = xs * xy - xx * ys;
    const c22 = xx * yy - xy * xy;
    const scale = -1 / (xx * c00 + xy * c01 + xs * c02);
    const dx = scale * (c00 * gx + c01 * gy + c02 * gs);
    const dy = scale * (c01 * gx + c11 * gy + c12 * gs);
    const ds = scale * (c02 * gx + c12 * gy + c22 * gs);
    if (abs(dx) < 0.5 && abs(dy) < 0.5 && abs(ds) < 0.5) {
      const peak = abs(value + 0.5 * (gx * dx + gy * dy + gs * ds));
      if (peak * layers < contrast) return false;
      const trace = xx + yy;
      if (c22 <= 0 || trace * trace * edge >= (edge + 1) * (edge + 1) * c22) return false;
      if (record != 0) {
        store<f32>(record, <f32>(x + dx));
        store<f32>(record, <f32>(y + dy), 4);
        store<f32>(record, <f32>(layer + ds), 8);
        store<f32>(record, <f32>peak, 12);
        store<f32>(record, <f32>x, 16);
        store<f32>(record, <f32>y, 20);
        store<f32>(record, <f32>layer, 24);
      }
      return true;
    }
    // negated, so that a singular matrix is caught
    if (!(abs(dx) < 1e6 && abs(dy) < 1e6 && abs(ds) < 1e6)) return false;
    x += <i32>nearest(dx);
    y += <i32>nearest(dy);
    layer += <i32>nearest(ds);
    if (layer < 1 || layer > layers) return false;
    if (x < border || x >= width - border || y < border || y >= height - border) return false;
  }
  return false;
}
