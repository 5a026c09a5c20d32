// Sub-pixel position of an extremum and its tests (AssemblyScript). Lowe 2004, section 4.
import { hessianDeterminant, responseAt } from './response';

const maxMoves = 5;

/**
 * Fits a quadratic around (x, y, layer), moving to the neighbour it points to at most five times; writes the record
 * unless `record` is 0. A determinant of the Hessian, which is coarser in scale, may lie up to 0.6 samples off, in the end 1.5, and
 * still be settled, as in VLFeat. False where it does not settle, has |value| * layers below `contrast` or lies on an edge: ratio of
 * principal curvatures of `edge` or more.
 */
export function refine(
  kind: i32,
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
    const value = responseAt(kind, levels, layers + 3, layer, at, up);
    const right = responseAt(kind, levels, layers + 3, layer, at + 4, up);
    const left = responseAt(kind, levels, layers + 3, layer, at - 4, up);
    const below = responseAt(kind, levels, layers + 3, layer, at + up, up);
    const above = responseAt(kind, levels, layers + 3, layer, at - up, up);
    const coarser = responseAt(kind, levels, layers + 3, layer + 1, at, up);
    const finer = responseAt(kind, levels, layers + 3, layer - 1, at, up);
    const gx = 0.5 * (right - left);
    const gy = 0.5 * (below - above);
    const gs = 0.5 * (coarser - finer);
    const xx = right + left - 2 * value;
    const yy = below + above - 2 * value;
    const ss = coarser + finer - 2 * value;
    const xy =
      0.25 *
      (responseAt(kind, levels, layers + 3, layer, at + up + 4, up) -
        responseAt(kind, levels, layers + 3, layer, at + up - 4, up) -
        responseAt(kind, levels, layers + 3, layer, at - up + 4, up) +
        responseAt(kind, levels, layers + 3, layer, at - up - 4, up));
    const xs =
      0.25 *
      (responseAt(kind, levels, layers + 3, layer + 1, at + 4, up) -
        responseAt(kind, levels, layers + 3, layer + 1, at - 4, up) -
        responseAt(kind, levels, layers + 3, layer - 1, at + 4, up) +
        responseAt(kind, levels, layers + 3, layer - 1, at - 4, up));
    const ys =
      0.25 *
      (responseAt(kind, levels, layers + 3, layer + 1, at + up, up) -
        responseAt(kind, levels, layers + 3, layer + 1, at - up, up) -
        responseAt(kind, levels, layers + 3, layer - 1, at + up, up) +
        responseAt(kind, levels, layers + 3, layer - 1, at - up, up));
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
    const within = kind == hessianDeterminant ? (move == maxMoves - 1 ? 1.5 : 0.6) : 0.5;
    if (abs(dx) < within && abs(dy) < within && abs(ds) < within) {
      const peak = abs(value + 0.5 * (gx * dx + gy * dy + gs * ds));
      // negated, so that NaN is caught
      if (!(peak * layers >= contrast && peak < <f64>f32.MAX_VALUE)) return false;
      const trace = xx + yy;
      if (!(c22 > 0 && trace * trace * edge < (edge + 1) * (edge + 1) * c22)) return false;
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
