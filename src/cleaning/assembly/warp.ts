// Patches in the frame of an affine region (AssemblyScript).

/**
 * Samples plane at (x, y) + step A (u - c, v - c) for u, v = 0 .. size - 1, c = (size - 1) / 2, bilinear, the border
 * repeated. [size, stride] floats at `to`, what lies beyond `size` is 0.
 */
export function warp(
  plane: usize,
  width: i32,
  height: i32,
  stride: i32,
  x: f64,
  y: f64,
  a11: f64,
  a12: f64,
  a21: f64,
  a22: f64,
  step: f64,
  size: i32,
  strideTo: i32,
  to: usize,
): void {
  const centre = 0.5 * (size - 1);
  const right = <f64>(width - 1);
  const bottom = <f64>(height - 1);
  for (let v = 0; v < size; v++) {
    const row = to + 4 * <usize>(v * strideTo);
    for (let u = 0; u < size; u++) {
      const p = step * (u - centre);
      const q = step * (v - centre);
      const px = min(max(x + a11 * p + a12 * q, 0), right);
      const py = min(max(y + a21 * p + a22 * q, 0), bottom);
      const i = min(<i32>px, width - 2);
      const j = min(<i32>py, height - 2);
      const fx = <f32>(px - <f64>i);
      const fy = <f32>(py - <f64>j);
      const at = plane + 4 * <usize>(j * stride + i);
      const below = at + 4 * <usize>stride;
      const upper = load<f32>(at) + fx * (load<f32>(at + 4) - load<f32>(at));
      const lower = load<f32>(below) + fx * (load<f32>(below + 4) - load<f32>(below));
      store<f32>(row + 4 * u, upper + fy * (lower - upper));
    }
    for (let u = size; u < strideTo; u++) store<f32>(row + 4 * u, 0);
  }
}

/**
 * Sum of weight times the product of gradient (dx, dy) with itself over a patch: xx, xy, yy at `out`, doubles. `weights`: [size, stride], 0 on the
 * border and beyond `size`.
 */
export function secondMoment(patch: usize, size: i32, stride: i32, weights: usize, out: usize): void {
  let xx = f32x4.splat(0);
  let xy = f32x4.splat(0);
  let yy = f32x4.splat(0);
  const up: usize = 4 * stride;
  for (let v = 1; v < size - 1; v++) {
    const row = <usize>v * up;
    for (let u: usize = 4; u < <usize>(4 * size); u += 16) {
      const at = patch + row + u;
      const weight = v128.load(weights + row + u);
      const dx = f32x4.sub(v128.load(at + 4), v128.load(at - 4));
      const dy = f32x4.sub(v128.load(at + up), v128.load(at - up));
      const wx = f32x4.mul(weight, dx);
      xx = f32x4.add(xx, f32x4.mul(wx, dx));
      xy = f32x4.add(xy, f32x4.mul(wx, dy));
      yy = f32x4.add(yy, f32x4.mul(f32x4.mul(weight, dy), dy));
    }
  }
  store<f64>(out, lanes(xx));
  store<f64>(out, lanes(xy), 8);
  store<f64>(out, lanes(yy), 16);
}

function lanes(v: v128): f64 {
  return (
    <f64>f32x4.extract_lane(v, 0) +
    <f64>f32x4.extract_lane(v, 1) +
    <f64>f32x4.extract_lane(v, 2) +
    <f64>f32x4.extract_lane(v, 3)
  );
}
