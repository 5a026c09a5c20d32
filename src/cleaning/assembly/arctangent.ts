// Angles of four vectors at once (AssemblyScript).

/**
 * Angle of (x, y) in turns, 0 to 1; 0 for (0, 0). Abramowitz and Stegun 4.4.49: within 1e-5 radians.
 */
export function turns(y: v128, x: v128): v128 {
  const ax = f32x4.abs(x);
  const ay = f32x4.abs(y);
  const c = f32x4.div(f32x4.min(ax, ay), f32x4.max(f32x4.max(ax, ay), f32x4.splat(1e-20)));
  const s = f32x4.mul(c, c);
  // coefficients over 2 pi
  let p = f32x4.add(f32x4.mul(s, f32x4.splat(0.00331603)), f32x4.splat(-0.01354934));
  p = f32x4.add(f32x4.mul(s, p), f32x4.splat(0.02867033));
  p = f32x4.add(f32x4.mul(s, p), f32x4.splat(-0.0525688));
  p = f32x4.mul(f32x4.add(f32x4.mul(s, p), f32x4.splat(0.15913362)), c);
  p = v128.bitselect(f32x4.sub(f32x4.splat(0.25), p), p, f32x4.gt(ay, ax));
  const zero = f32x4.splat(0);
  p = v128.bitselect(f32x4.sub(f32x4.splat(0.5), p), p, f32x4.lt(x, zero));
  return v128.bitselect(f32x4.sub(f32x4.splat(1), p), p, f32x4.lt(y, zero));
}
