/** @file Affine shapes of regions: 2 x 2 matrices that map the unit circle to an ellipse. Pure arithmetic. */

/** [a11, a12, a21, a22]. */
export type Matrix2 = readonly [number, number, number, number];

/** Longer half axis of the ellipse over the shorter one. */
export function elongation([a, b, c, d]: Matrix2): number {
  // with half axes p and q: p / q + q / p = (p^2 + q^2) / (p q)
  const sum = (a * a + b * b + c * c + d * d) / Math.abs(a * d - b * c);
  return 0.5 * (sum + Math.sqrt(Math.max(0, sum * sum - 4)));
}

/** Shorter half axis of the ellipse. */
export function shorterAxis(shape: Matrix2): number {
  const [a, b, c, d] = shape;
  return Math.sqrt(Math.abs(a * d - b * c) / elongation(shape));
}

/** The same form with a shorter half axis of `length`. */
export function withShorterAxis(shape: Matrix2, length: number): Matrix2 {
  const factor = length / shorterAxis(shape);
  return [factor * shape[0], factor * shape[1], factor * shape[2], factor * shape[3]];
}

/** How far a symmetric matrix is from a multiple of the identity: larger eigenvalue over the smaller. */
export function anisotropy(xx: number, xy: number, yy: number): number {
  const sum = (xx + yy) ** 2 / (xx * yy - xy * xy) - 2;
  return 0.5 * (sum + Math.sqrt(Math.max(0, sum * sum - 4)));
}

/**
 * A M^-1/2 for a symmetric positive M, of the same area as A: in its frame the second moment M of A's frame becomes
 * isotropic (Lindeberg and Garding 1997; Mikolajczyk and Schmid 2004, section 4).
 */
export function adapted([a, b, c, d]: Matrix2, xx: number, xy: number, yy: number): Matrix2 {
  // M^1/2 is (M + s) / t with s = sqrt(det M); its inverse a multiple of the adjugate, here of determinant 1
  const s = Math.sqrt(xx * yy - xy * xy);
  const norm = 1 / Math.sqrt((xx + s) * (yy + s) - xy * xy);
  const [p, q, r] = [(yy + s) * norm, -xy * norm, (xx + s) * norm];
  return [a * p + b * q, a * q + b * r, c * p + d * q, c * q + d * r];
}

/** The same ellipse with its frame's v axis along the image's y axis. */
export function upright([a, b, c, d]: Matrix2): Matrix2 {
  const first = Math.hypot(a, b);
  return [first, 0, (a * c + b * d) / first, Math.abs(a * d - b * c) / first];
}

/** The frame turned by `angle` in its own coordinates, +u towards +v. */
export function turned([a, b, c, d]: Matrix2, angle: number): Matrix2 {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return [a * cos + b * sin, b * cos - a * sin, c * cos + d * sin, d * cos - c * sin];
}
