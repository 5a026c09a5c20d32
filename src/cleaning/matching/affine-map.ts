/** @file Affine maps of the plane: x' = a x + b y + tx, y' = c x + d y + ty. */

/** [a, b, tx, c, d, ty], the rows of a 2x3 matrix. */
export type AffineMap = readonly [number, number, number, number, number, number];

export const identityMap: AffineMap = [1, 0, 0, 0, 1, 0];

/** The image of a point. */
export function applyMap([a, b, tx, c, d, ty]: AffineMap, x: number, y: number): [number, number] {
  return [a * x + b * y + tx, c * x + d * y + ty];
}

/** Determinant of the linear part: the factor of areas, negative for a reflection. */
export function determinant([a, b, , c, d]: AffineMap): number {
  return a * d - b * c;
}

/** The map back, or null where there is none (determinant 0 or not finite). */
export function invertMap(map: AffineMap): AffineMap | null {
  const [a, b, tx, c, d, ty] = map;
  const det = determinant(map);
  if (det === 0 || !Number.isFinite(1 / det)) return null;
  return [d / det, -b / det, (b * ty - d * tx) / det, -c / det, a / det, (c * tx - a * ty) / det];
}

/** x -> outer(inner(x)). */
export function composeMaps(outer: AffineMap, inner: AffineMap): AffineMap {
  const [a, b, tx, c, d, ty] = outer;
  const [e, f, ux, g, h, uy] = inner;
  return [a * e + b * g, a * f + b * h, a * ux + b * uy + tx, c * e + d * g, c * f + d * h, c * ux + d * uy + ty];
}

/** Singular values of the linear part, the larger first: the factors of lengths along the most and the least stretched direction. */
export function stretches(map: AffineMap): [number, number] {
  const [a, b, , c, d] = map;
  const mean = Math.hypot(a + d, c - b) / 2;
  const difference = Math.hypot(a - d, c + b) / 2;
  return [mean + difference, Math.abs(mean - difference)];
}

/**
 * Least-squares map of points `from` to points `to` ([N, 2]: x, y; N >= 3; N = 3 passes through all), restricted to `indices` where given:
 * minimises the sum of squared distances in the second plane. Null for points on one line.
 */
export function fitAffine(
  from: ArrayLike<number>,
  to: ArrayLike<number>,
  indices: ArrayLike<number> = Array.from({ length: from.length / 2 }, (_, i) => i),
): AffineMap | null {
  const n = indices.length;
  if (n < 3) return null;
  let [mx, my, nx, ny] = [0, 0, 0, 0];
  for (let k = 0; k < n; k++) {
    const i = 2 * indices[k];
    mx += from[i] / n;
    my += from[i + 1] / n;
    nx += to[i] / n;
    ny += to[i + 1] / n;
  }
  // about the means the translation drops out of the normal equations
  let [xx, xy, yy, xu, yu, xv, yv] = [0, 0, 0, 0, 0, 0, 0];
  for (let k = 0; k < n; k++) {
    const i = 2 * indices[k];
    const [x, y, u, v] = [from[i] - mx, from[i + 1] - my, to[i] - nx, to[i + 1] - ny];
    xx += x * x;
    xy += x * y;
    yy += y * y;
    xu += x * u;
    yu += y * u;
    xv += x * v;
    yv += y * v;
  }
  const det = xx * yy - xy * xy;
  // 1e-12 of the scatter's square is rounding
  if (!(det > 1e-12 * (xx + yy) ** 2)) return null;
  const a = (xu * yy - yu * xy) / det;
  const b = (yu * xx - xu * xy) / det;
  const c = (xv * yy - yv * xy) / det;
  const d = (yv * xx - xv * xy) / det;
  return [a, b, nx - a * mx - b * my, c, d, ny - c * mx - d * my];
}
