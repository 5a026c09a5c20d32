/** @file The QL iteration with implicit Wilkinson shifts for a symmetric tridiagonal (Golub and Van Loan, section 8.3). */

/**
 * Turns `diagonal` [n] into the eigenvalues, in no order. `rotate(i, c, s)` is told each rotation of the planes i and i + 1: applied to rows
 * x, y of a matrix that starts as I, as x' = c x − s y, y' = s x + c y, they leave the eigenvectors in its rows.
 */
export function rotatingQl(
  diagonal: Float64Array,
  offDiagonal: Float64Array,
  rotate: (i: number, c: number, s: number) => void,
): void {
  const d = diagonal;
  const n = d.length;
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
        rotate(i, c, s);
      }
      if (i >= low) continue;
      d[low] -= p;
      e[low] = g;
      e[end] = 0;
    }
  }
}
