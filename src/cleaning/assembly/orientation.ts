// Dominant orientations of a keypoint (AssemblyScript). Lowe 2004, section 5.
import { turns } from './arctangent';

const bins: i32 = 36;
/** The histogram with two bins before and behind it. */
const histogram = memory.data(4 * (bins + 4), 16);
const smooth = memory.data(4 * bins, 16);
/** Weights by distance along one axis: a Gaussian of two axes is the product. */
const maxRadius = 1024;
const weights = memory.data(4 * (maxRadius + 4), 16);
const angles = memory.data(16, 16);
const magnitudes = memory.data(16, 16);

/**
 * Peaks of the histogram of gradient directions around pixel (x, y), weighted by a Gaussian of `sigma` px, of at least
 * `ratio` of the highest one, after `passes` smoothings by 1 4 6 4 1. Writes angles at `out` (36 floats at most): radians from +x towards +y (down). Returns how many.
 */
export function orientations(
  plane: usize,
  width: i32,
  height: i32,
  stride: i32,
  x: i32,
  y: i32,
  radius: i32,
  sigma: f64,
  ratio: f32,
  passes: i32,
  out: usize,
): i32 {
  radius = min(radius, maxRadius);
  const falloff = -1 / (2 * sigma * sigma);
  for (let k = 0; k <= radius; k++) store<f32>(weights + 4 * k, <f32>Math.exp(<f64>(k * k) * falloff));
  memory.fill(histogram, 0, 4 * (bins + 4));
  const bin0 = histogram + 8;
  const first = max(x - radius, 1);
  const last = min(x + radius, width - 2);
  for (let v = max(y - radius, 1); v <= min(y + radius, height - 2); v++) {
    const row = plane + 4 * <usize>(v * stride);
    const weightY = load<f32>(weights + 4 * abs(v - y));
    for (let u = first; u <= last; u += 4) {
      const at = row + 4 * u;
      const dx = f32x4.sub(v128.load(at + 4), v128.load(at - 4));
      const dy = f32x4.sub(v128.load(at + 4 * stride), v128.load(at - 4 * stride));
      const angle = f32x4.nearest(f32x4.mul(turns(dy, dx), f32x4.splat(<f32>bins)));
      v128.store(angles, i32x4.trunc_sat_f32x4_s(angle));
      v128.store(magnitudes, f32x4.sqrt(f32x4.add(f32x4.mul(dx, dx), f32x4.mul(dy, dy))));
      const lanes = min(4, last - u + 1);
      for (let lane = 0; lane < lanes; lane++) {
        const bin = bin0 + 4 * load<i32>(angles + 4 * lane);
        const weight = weightY * load<f32>(weights + 4 * abs(u + lane - x));
        store<f32>(bin, load<f32>(bin) + weight * load<f32>(magnitudes + 4 * lane));
      }
    }
  }
  // a full turn is none
  store<f32>(bin0, load<f32>(bin0) + load<f32>(bin0 + 4 * bins));
  let highest: f32 = 0;
  for (let pass = 0; pass < passes; pass++) {
    store<f32>(bin0 - 4, load<f32>(bin0 + 4 * (bins - 1)));
    store<f32>(bin0 - 8, load<f32>(bin0 + 4 * (bins - 2)));
    store<f32>(bin0 + 4 * bins, load<f32>(bin0));
    store<f32>(bin0 + 4 * bins, load<f32>(bin0 + 4), 4);
    highest = 0;
    for (let k = 0; k < bins; k++) {
      const bin = bin0 + 4 * k;
      const sides = load<f32>(bin - 4) + load<f32>(bin + 4);
      const far = load<f32>(bin - 8) + load<f32>(bin + 8);
      const sum: f32 = <f32>0.375 * load<f32>(bin) + <f32>0.25 * sides + <f32>0.0625 * far;
      store<f32>(smooth + 4 * k, sum);
      highest = max(highest, sum);
    }
    memory.copy(bin0, smooth, 4 * bins);
  }
  let count = 0;
  for (let k = 0; k < bins; k++) {
    const here = load<f32>(smooth + 4 * k);
    const before = load<f32>(smooth + 4 * (k == 0 ? bins - 1 : k - 1));
    const after = load<f32>(smooth + 4 * (k == bins - 1 ? 0 : k + 1));
    if (here <= before || here <= after || here < ratio * highest) continue;
    const peak = <f64>k + (0.5 * <f64>(before - after)) / <f64>(before - 2 * here + after);
    store<f32>(out + 4 * count, <f32>((peak * 2 * Math.PI) / bins));
    count++;
  }
  return count;
}
