/**
 * @file Eigenvalues of diag(d) + ρ z zᵀ, d ascending and distinct, ρ > 0: the roots of the secular equation
 *   f(λ) = 1 + ρ Σ zᵢ² / (dᵢ − λ) = 0,
 * one in each interval (dⱼ, dⱼ₊₁) and one behind the last. A root is kept as its distance μ from the nearer end of its interval, so
 * that all dᵢ − λ are exact to the last bits, however close λ is to an end.
 */

/**
 * Solves for root number j. Writes dᵢ − λ to `differences` [k] and returns λ. Each step fits the terms left and right of λ by one
 * simple pole each, with value and slope (Bunch, Nielsen and Sorensen 1978); it falls back to bisection where that leaves the bracket.
 */
export function secularRoot(
  d: Float64Array,
  z: Float64Array,
  rho: number,
  j: number,
  differences: Float64Array,
): number {
  const k = d.length;
  const isLast = j === k - 1;
  const state = { f: 0, left: 0, right: 0, leftSlope: 0, rightSlope: 0 };
  let origin = j;
  const evaluate = (mu: number): void => {
    const start = d[origin];
    let [left, right, leftSlope, rightSlope] = [0, 0, 0, 0];
    for (let i = 0; i <= j; i++) {
      const t = z[i] / (d[i] - start - mu);
      left += z[i] * t;
      leftSlope += t * t;
    }
    for (let i = j + 1; i < k; i++) {
      const t = z[i] / (d[i] - start - mu);
      right += z[i] * t;
      rightSlope += t * t;
    }
    state.left = rho * left;
    state.right = rho * right;
    state.leftSlope = rho * leftSlope;
    state.rightSlope = rho * rightSlope;
    state.f = 1 + state.left + state.right;
  };

  let low: number;
  let high: number;
  let mu: number;
  if (isLast) {
    let size = 0;
    for (let i = 0; i < k; i++) size += z[i] * z[i];
    low = 0;
    high = rho * size * (1 + 4 * Number.EPSILON);
    mu = high / 2;
    evaluate(mu);
  } else {
    const half = (d[j + 1] - d[j]) / 2;
    evaluate(half);
    mu = half;
    low = 0;
    high = half;
    if (state.f < 0) {
      origin = j + 1;
      mu = -half;
      low = -half;
      high = 0;
    }
  }

  for (let iteration = 0; iteration < 200; iteration++) {
    const { f, left, right, leftSlope, rightSlope } = state;
    if (f < 0) low = Math.max(low, mu);
    else high = Math.min(high, mu);
    if (Math.abs(f) <= 2 * Number.EPSILON * (1 + Math.abs(left) + right)) break;
    if (high - low <= 2 * Number.EPSILON * Math.max(Math.abs(low), Math.abs(high))) break;
    const near = d[j] - d[origin] - mu;
    let next: number;
    if (isLast) {
      next = mu + near + (leftSlope * near * near) / (1 + left - leftSlope * near);
    } else {
      const far = d[j + 1] - d[origin] - mu;
      const c = 1 + left - leftSlope * near + right - rightSlope * far;
      const a = c * (near + far) + leftSlope * near * near + rightSlope * far * far;
      const b = near * far * f;
      const root = Math.sqrt(Math.max(0, a * a - 4 * b * c));
      next = mu + (a <= 0 ? (a - root) / (2 * c) : (2 * b) / (a + root));
    }
    if (!(next > low && next < high) || iteration > 60) next = low + (high - low) / 2;
    if (next === mu) break;
    mu = next;
    evaluate(mu);
  }
  // An end of the bracket is a pole where nothing smaller than the bracket fits; keep strictly off it.
  for (let i = 0; i < k; i++) differences[i] = d[i] - d[origin] - mu;
  return d[origin] + mu;
}
