/**
 * @file The largest eigenvalues of a real symmetric matrix and their eigenvectors, in float64, deterministic.
 *
 * Householder tridiagonalisation, all eigenvalues of the tridiagonal by implicit QL, the wanted eigenvectors of the
 * tridiagonal by inverse iteration, made orthogonal, and transformed back (Golub and Van Loan, chapter 8; LAPACK's
 * dsytrd, dsterf, dstein, dormtr are the same parts). Rotating all n vectors through QL instead costs about 6 n³ and
 * most of the time; here only D vectors are ever formed: 4/3 n³ + 4 n² D. At n = 1024, D = 512 it takes 1-2 s.
 */

export interface EigenPairs {
  /** Descending. [D] */
  values: Float64Array;
  /** Row k is the unit eigenvector of values[k]; its entry of largest magnitude is positive. [D, n] */
  vectors: Float64Array;
}

/** The `count` largest eigenpairs of the symmetric `matrix` [n, n]; only its lower triangle is read. */
export function symmetricEigen(matrix: Float64Array, n: number, count: number = n): EigenPairs {
  if (matrix.length !== n * n) throw new Error(`symmetricEigen: ${matrix.length} values are not ${n} x ${n}.`);
  const scale = matrix.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  if (!Number.isFinite(scale)) throw new Error('symmetricEigen: the matrix has values that are not finite.');
  const wanted = Math.min(count, n);
  const { diagonal, offDiagonal, reflectors, taus } = tridiagonalise(matrix, n, scale === 0 ? 1 : 1 / scale);
  const values = tridiagonalEigenvalues(diagonal, offDiagonal).subarray(0, wanted); // descending, of matrix / scale
  const vectors = inverseIteration(diagonal, offDiagonal, values);
  for (let k = 0; k < wanted; k++) {
    const vector = vectors.subarray(k * n, (k + 1) * n);
    applyReflectors(vector, reflectors, taus, n);
    fixSign(vector);
  }
  return { values: values.map((value) => value * scale), vectors };
}

interface Tridiagonal {
  diagonal: Float64Array;
  /** offDiagonal[i] couples i and i + 1. */
  offDiagonal: Float64Array;
  /** Row i holds the Householder vector that clears column i below the subdiagonal: entries i + 1 .. n - 1. */
  reflectors: Float64Array;
  taus: Float64Array;
}

/** A·factor = Q T Qᵀ with Q = H₀ H₁ …, Hᵢ = I − τᵢ vᵢ vᵢᵀ. The trailing matrix is kept full so that all access is by rows. */
function tridiagonalise(matrix: Float64Array, n: number, factor: number): Tridiagonal {
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const value = matrix[i * n + j] * factor;
      a[i * n + j] = value;
      a[j * n + i] = value;
    }
  }
  const diagonal = new Float64Array(n);
  const offDiagonal = new Float64Array(Math.max(0, n - 1));
  const reflectors = new Float64Array(n * n);
  const taus = new Float64Array(n);
  const w = new Float64Array(n);
  for (let i = 0; i < n - 1; i++) {
    diagonal[i] = a[i * n + i];
    const v = reflectors.subarray(i * n, (i + 1) * n);
    let tail = 0; // squared length below the subdiagonal
    for (let j = i + 1; j < n; j++) {
      v[j] = a[i * n + j];
      if (j > i + 1) tail += v[j] * v[j];
    }
    const head = v[i + 1];
    if (tail === 0) {
      offDiagonal[i] = head;
      continue; // τ = 0: the column is already clear
    }
    const length = Math.sqrt(head * head + tail);
    const beta = head > 0 ? -length : length;
    offDiagonal[i] = beta;
    const tau = (beta - head) / beta;
    taus[i] = tau;
    const inverse = 1 / (head - beta);
    for (let j = i + 2; j < n; j++) v[j] *= inverse;
    v[i + 1] = 1;

    // w = τ A v − ½ τ (τ vᵀ A v) v, then A ← A − v wᵀ − w vᵀ
    let vw = 0;
    for (let r = i + 1; r < n; r++) {
      w[r] = tau * dot(a, r * n, v, i + 1, n);
      vw += v[r] * w[r];
    }
    const correction = 0.5 * tau * vw;
    for (let r = i + 1; r < n; r++) w[r] -= correction * v[r];
    for (let r = i + 1; r < n; r++) {
      const row = r * n;
      const vr = v[r];
      const wr = w[r];
      for (let c = i + 1; c < n; c++) a[row + c] -= vr * w[c] + wr * v[c];
    }
  }
  if (n > 0) diagonal[n - 1] = a[n * n - 1];
  return { diagonal, offDiagonal, reflectors, taus };
}

/** Σ row[c] v[c] over [from, to); four sums, so that additions overlap. */
function dot(a: Float64Array, row: number, v: Float64Array, from: number, to: number): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let c = from;
  for (; c + 4 <= to; c += 4) {
    s0 += a[row + c] * v[c];
    s1 += a[row + c + 1] * v[c + 1];
    s2 += a[row + c + 2] * v[c + 2];
    s3 += a[row + c + 3] * v[c + 3];
  }
  for (; c < to; c++) s0 += a[row + c] * v[c];
  return s0 + s1 + (s2 + s3);
}

/** All eigenvalues of a symmetric tridiagonal, descending: QL with implicit Wilkinson shifts, no vectors, O(n²). */
function tridiagonalEigenvalues(diagonal: Float64Array, offDiagonal: Float64Array): Float64Array {
  const n = diagonal.length;
  const d = diagonal.slice();
  const e = new Float64Array(n);
  e.set(offDiagonal);
  const mostSweeps = 30 * n + 100;
  let sweeps = 0;
  for (let low = 0; low < n; low++) {
    for (;;) {
      let end = low;
      while (end < n - 1) {
        const size = Math.abs(d[end]) + Math.abs(d[end + 1]);
        if (Math.abs(e[end]) <= Number.EPSILON * size) break;
        end++;
      }
      if (end === low) break;
      if (++sweeps > mostSweeps) throw new Error('symmetricEigen: the QL iteration did not converge.');
      const half = (d[low + 1] - d[low]) / (2 * e[low]);
      const root = Math.hypot(half, 1);
      let g = d[end] - d[low] + e[low] / (half + (half >= 0 ? root : -root));
      let s = 1;
      let c = 1;
      let p = 0;
      let i = end - 1;
      for (; i >= low; i--) {
        const f = s * e[i];
        const b = c * e[i];
        const r = Math.hypot(f, g);
        e[i + 1] = r;
        if (r === 0) {
          // The block split in two: finish this half first.
          d[i + 1] -= p;
          e[end] = 0;
          break;
        }
        s = f / r;
        c = g / r;
        g = d[i + 1] - p;
        const t = (d[i] - g) * s + 2 * c * b;
        p = s * t;
        d[i + 1] = g + p;
        g = c * t - b;
      }
      if (i >= low) continue;
      d[low] -= p;
      e[low] = g;
      e[end] = 0;
    }
  }
  return d.toSorted((a, b) => b - a);
}

/**
 * Unit eigenvectors [D, n] of the tridiagonal for the given descending eigenvalues. Each starts from fixed pseudo-random
 * values, is solved for (T − λ I) x = b, and is made orthogonal to all the vectors before it, which also separates equal
 * eigenvalues; D² n for that is small beside the rest.
 */
function inverseIteration(diagonal: Float64Array, offDiagonal: Float64Array, values: Float64Array): Float64Array {
  const n = diagonal.length;
  const vectors = new Float64Array(values.length * n);
  let norm = 0;
  for (let i = 0; i < n; i++) {
    norm = Math.max(norm, Math.abs(diagonal[i]) + Math.abs(offDiagonal[i] ?? 0) + Math.abs(offDiagonal[i - 1] ?? 0));
  }
  const smallest = Math.max(norm * Number.EPSILON, Number.MIN_VALUE / Number.EPSILON);
  const solve = tridiagonalSolver(diagonal, offDiagonal, smallest);
  const nextValue = pseudoRandom();
  let previous = Number.POSITIVE_INFINITY;
  for (let k = 0; k < values.length; k++) {
    // Equal eigenvalues would give nearly the same solution each time; a shift of a few ulps keeps them apart.
    const value = Math.min(values[k], previous - 4 * smallest);
    previous = value;
    const x = vectors.subarray(k * n, (k + 1) * n);
    for (let attempt = 0, good = 0; good < 2; attempt++) {
      if (attempt === 12) throw new Error(`symmetricEigen: no eigenvector found for eigenvalue number ${k}.`);
      if (good === 0) for (let i = 0; i < n; i++) x[i] = nextValue();
      solve(value, x);
      const before = normalise(x);
      // Twice is enough: the second pass removes what rounding left in the first.
      for (let pass = 0; pass < 2; pass++) orthogonalise(x, vectors, k);
      const kept = normalise(x);
      // A start that lies almost wholly among the vectors already found is noise after subtraction: take another one.
      good = Number.isFinite(before) && kept > 1e-8 ? good + 1 : 0;
    }
  }
  return vectors;
}

/** Returns solve(λ, x): x ← (T − λ I)⁻¹ x by Gaussian elimination with row exchanges; zero pivots become `smallest`. */
function tridiagonalSolver(diagonal: Float64Array, offDiagonal: Float64Array, smallest: number) {
  const n = diagonal.length;
  const pivot = new Float64Array(n);
  const upper = new Float64Array(n);
  const upper2 = new Float64Array(n);
  return (value: number, x: Float64Array): void => {
    // Row i in elimination is (p, u, u2) on columns i, i + 1, i + 2.
    let p = diagonal[0] - value;
    let u = n > 1 ? offDiagonal[0] : 0;
    for (let i = 0; i < n - 1; i++) {
      const below = offDiagonal[i];
      const nextDiagonal = diagonal[i + 1] - value;
      const nextUpper = i + 2 < n ? offDiagonal[i + 1] : 0;
      if (Math.abs(p) >= Math.abs(below)) {
        if (p === 0) p = smallest;
        const factor = below / p;
        pivot[i] = p;
        upper[i] = u;
        upper2[i] = 0;
        x[i + 1] -= factor * x[i];
        p = nextDiagonal - factor * u;
        u = nextUpper;
      } else {
        const factor = p / below;
        pivot[i] = below;
        upper[i] = nextDiagonal;
        upper2[i] = nextUpper;
        const top = x[i];
        x[i] = x[i + 1];
        x[i + 1] = top - factor * x[i];
        p = u - factor * nextDiagonal;
        u = -factor * nextUpper;
      }
    }
    pivot[n - 1] = Math.abs(p) < smallest ? smallest : p;
    for (let i = n - 1; i >= 0; i--) {
      let sum = x[i];
      if (i + 1 < n) sum -= upper[i] * x[i + 1];
      if (i + 2 < n) sum -= upper2[i] * x[i + 2];
      x[i] = sum / pivot[i];
    }
  };
}

/** x ← x − Σ (xᵀ vⱼ) vⱼ over the first `count` rows of `vectors`. */
function orthogonalise(x: Float64Array, vectors: Float64Array, count: number): void {
  const n = x.length;
  for (let j = 0; j < count; j++) {
    const overlap = dot(vectors, j * n, x, 0, n);
    const row = j * n;
    for (let i = 0; i < n; i++) x[i] -= overlap * vectors[row + i];
  }
}

/** Makes x a unit vector; returns the length it had. */
function normalise(x: Float64Array): number {
  let largest = 0;
  for (const value of x) largest = Math.max(largest, Math.abs(value));
  if (largest === 0 || !Number.isFinite(largest)) return largest === 0 ? 0 : Number.NaN;
  // Divided by the largest first: solutions reach 1e16 / ulp, whose squares overflow.
  let sum = 0;
  for (let i = 0; i < x.length; i++) {
    x[i] /= largest;
    sum += x[i] * x[i];
  }
  const length = Math.sqrt(sum);
  for (let i = 0; i < x.length; i++) x[i] /= length;
  return length * largest;
}

/** x ← H₀ H₁ … H₍ₙ₋₂₎ x. */
function applyReflectors(x: Float64Array, reflectors: Float64Array, taus: Float64Array, n: number): void {
  for (let i = n - 2; i >= 0; i--) {
    if (taus[i] === 0) continue;
    const row = i * n;
    const factor = taus[i] * dot(reflectors, row, x, i + 1, n);
    for (let j = i + 1; j < n; j++) x[j] -= factor * reflectors[row + j];
  }
}

/** Eigenvectors are free in sign; the one whose largest entry (first of equals) is positive is the same on every run. */
function fixSign(vector: Float64Array): void {
  let at = 0;
  for (let i = 1; i < vector.length; i++) if (Math.abs(vector[i]) > Math.abs(vector[at])) at = i;
  if (vector[at] < 0) for (let i = 0; i < vector.length; i++) vector[i] = -vector[i];
}

/** Values in [-0.5, 0.5) from a 32-bit linear congruential generator with a fixed start. */
function pseudoRandom(): () => number {
  let state = 0x9e3779b9;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
}
