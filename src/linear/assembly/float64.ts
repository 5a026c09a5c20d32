// Dense float64 arithmetic, compiled to WebAssembly SIMD (AssemblyScript, not TypeScript): what an eigendecomposition spends its
// time in. Addresses are bytes, strides are values. No fused multiply-add: results are the same on every machine.

/** Depth and columns of a packed block of B: 512 KB, in the second cache. */
const blockDepth: usize = 256;
const blockColumns: usize = 256;
/** Rows of a packed block of A: 128 KB. */
const blockRows: usize = 64;

/** Where free memory starts. */
export function heapBase(): usize {
  return __heap_base;
}

/** Bytes of scratch memory that multiply needs. */
export function multiplyScratch(): usize {
  return (blockDepth * blockColumns + blockDepth * blockRows + 16) * 8;
}

/** Sum of x[i] y[i] over n values. */
export function dot(x: usize, y: usize, n: usize): f64 {
  let s0 = f64x2.splat(0);
  let s1 = f64x2.splat(0);
  const end = x + ((n & ~3) << 3);
  while (x < end) {
    s0 = f64x2.add(s0, f64x2.mul(v128.load(x), v128.load(y)));
    s1 = f64x2.add(s1, f64x2.mul(v128.load(x, 16), v128.load(y, 16)));
    x += 32;
    y += 32;
  }
  s0 = f64x2.add(s0, s1);
  let sum = f64x2.extract_lane(s0, 0) + f64x2.extract_lane(s0, 1);
  for (let i: usize = 0; i < (n & 3); i++) sum += load<f64>(x + (i << 3)) * load<f64>(y + (i << 3));
  return sum;
}

/** y += a x over n values. */
export function addScaled(a: f64, x: usize, y: usize, n: usize): void {
  const factor = f64x2.splat(a);
  const end = x + ((n & ~1) << 3);
  while (x < end) {
    v128.store(y, f64x2.add(v128.load(y), f64x2.mul(factor, v128.load(x))));
    x += 16;
    y += 16;
  }
  if (n & 1) store<f64>(y, load<f64>(y) + a * load<f64>(x));
}

/** y = A x for the symmetric A [n, n] of which only the lower triangle is read; every value of A is loaded once. */
export function symmetricTimes(a: usize, stride: usize, x: usize, y: usize, n: usize): void {
  memory.fill(y, 0, n << 3);
  const row = stride << 3;
  const whole = n & ~3;
  for (let r: usize = 0; r < whole; r += 4) {
    const a0 = a + r * row;
    const a1 = a0 + row;
    const a2 = a1 + row;
    const a3 = a2 + row;
    const xr = x + (r << 3);
    const x0 = v128.load64_splat(xr);
    const x1 = v128.load64_splat(xr, 8);
    const x2 = v128.load64_splat(xr, 16);
    const x3 = v128.load64_splat(xr, 24);
    let s0 = f64x2.splat(0);
    let s1 = f64x2.splat(0);
    let s2 = f64x2.splat(0);
    let s3 = f64x2.splat(0);
    for (let c: usize = 0; c < r << 3; c += 16) {
      const v = v128.load(x + c);
      const w0 = v128.load(a0 + c);
      const w1 = v128.load(a1 + c);
      const w2 = v128.load(a2 + c);
      const w3 = v128.load(a3 + c);
      s0 = f64x2.add(s0, f64x2.mul(w0, v));
      s1 = f64x2.add(s1, f64x2.mul(w1, v));
      s2 = f64x2.add(s2, f64x2.mul(w2, v));
      s3 = f64x2.add(s3, f64x2.mul(w3, v));
      const left = f64x2.add(f64x2.mul(w0, x0), f64x2.mul(w1, x1));
      const right = f64x2.add(f64x2.mul(w2, x2), f64x2.mul(w3, x3));
      v128.store(y + c, f64x2.add(v128.load(y + c), f64x2.add(left, right)));
    }
    const yr = y + (r << 3);
    store<f64>(yr, sumOf(s0));
    store<f64>(yr, sumOf(s1), 8);
    store<f64>(yr, sumOf(s2), 16);
    store<f64>(yr, sumOf(s3), 24);
    symmetricCorner(a0 + (r << 3), row, xr, yr, 4);
  }
  for (let r = whole; r < n; r++) {
    const ar = a + r * row;
    store<f64>(y + (r << 3), dot(ar, x, whole));
    addScaled(load<f64>(x + (r << 3)), ar, y, whole);
  }
  symmetricCorner(a + whole * row + (whole << 3), row, x + (whole << 3), y + (whole << 3), n - whole);
}

function sumOf(v: v128): f64 {
  return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1);
}

/** y += A x for a few rows on the diagonal. */
function symmetricCorner(a: usize, row: usize, x: usize, y: usize, n: usize): void {
  for (let i: usize = 0; i < n; i++) {
    let sum = load<f64>(y + (i << 3));
    for (let j: usize = 0; j < n; j++) {
      const at = j <= i ? a + i * row + (j << 3) : a + j * row + (i << 3);
      sum += load<f64>(at) * load<f64>(x + (j << 3));
    }
    store<f64>(y + (i << 3), sum);
  }
}

/**
 * C += alpha A B for C [m, n], A [m, k], B [k, n]. Strides between rows and between columns of A and B, between rows of C.
 * Every value of C is summed over k in the same order whatever m and n are.
 */
export function multiply(
  m: usize,
  n: usize,
  k: usize,
  alpha: f64,
  a: usize,
  aRow: usize,
  aColumn: usize,
  b: usize,
  bRow: usize,
  bColumn: usize,
  c: usize,
  cRow: usize,
  scratch: usize,
): void {
  const packedA = scratch;
  const packedB = packedA + blockDepth * blockRows * 8;
  const tile = packedB + blockDepth * blockColumns * 8;
  for (let p: usize = 0; p < k; p += blockDepth) {
    const depth = min(blockDepth, k - p);
    for (let j: usize = 0; j < n; j += blockColumns) {
      const columns = min(blockColumns, n - j);
      pack(b + (p * bRow + j * bColumn) * 8, bColumn, bRow, columns, depth, 1, packedB);
      for (let i: usize = 0; i < m; i += blockRows) {
        const rows = min(blockRows, m - i);
        pack(a + (i * aRow + p * aColumn) * 8, aRow, aColumn, rows, depth, alpha, packedA);
        for (let jj: usize = 0; jj < columns; jj += 4) {
          for (let ii: usize = 0; ii < rows; ii += 4) {
            const pa = packedA + ii * depth * 8;
            const pb = packedB + jj * depth * 8;
            const at = c + ((i + ii) * cRow + j + jj) * 8;
            tileOf(pa, pb, depth, at, cRow * 8, min<usize>(4, rows - ii), min<usize>(4, columns - jj), tile);
          }
        }
      }
    }
  }
}

/** Lines of four, depth after depth, scaled; lines past the end are zero. */
function pack(from: usize, line: usize, step: usize, lines: usize, depth: usize, factor: f64, to: usize): void {
  for (let l: usize = 0; l < lines; l += 4) {
    const left = min<usize>(4, lines - l);
    for (let q: usize = 0; q < 4; q++) {
      let target = to + q * 8;
      if (q >= left) {
        for (let d: usize = 0; d < depth; d++, target += 32) store<f64>(target, 0);
        continue;
      }
      let source = from + (l + q) * line * 8;
      for (let d: usize = 0; d < depth; d++, target += 32, source += step * 8)
        store<f64>(target, factor * load<f64>(source));
    }
    to += depth * 32;
  }
}

/** Four by four values of C: sixteen sums in eight registers. */
function tileOf(
  pa: usize,
  pb: usize,
  depth: usize,
  c: usize,
  row: usize,
  rows: usize,
  columns: usize,
  tile: usize,
): void {
  let c00 = f64x2.splat(0);
  let c01 = f64x2.splat(0);
  let c10 = f64x2.splat(0);
  let c11 = f64x2.splat(0);
  let c20 = f64x2.splat(0);
  let c21 = f64x2.splat(0);
  let c30 = f64x2.splat(0);
  let c31 = f64x2.splat(0);
  const end = pa + depth * 32;
  while (pa < end) {
    const b0 = v128.load(pb);
    const b1 = v128.load(pb, 16);
    let x = v128.load64_splat(pa);
    c00 = f64x2.add(c00, f64x2.mul(x, b0));
    c01 = f64x2.add(c01, f64x2.mul(x, b1));
    x = v128.load64_splat(pa, 8);
    c10 = f64x2.add(c10, f64x2.mul(x, b0));
    c11 = f64x2.add(c11, f64x2.mul(x, b1));
    x = v128.load64_splat(pa, 16);
    c20 = f64x2.add(c20, f64x2.mul(x, b0));
    c21 = f64x2.add(c21, f64x2.mul(x, b1));
    x = v128.load64_splat(pa, 24);
    c30 = f64x2.add(c30, f64x2.mul(x, b0));
    c31 = f64x2.add(c31, f64x2.mul(x, b1));
    pa += 32;
    pb += 32;
  }
  if (rows === 4 && columns === 4) {
    addTo(c, c00, c01);
    addTo(c + row, c10, c11);
    addTo(c + 2 * row, c20, c21);
    addTo(c + 3 * row, c30, c31);
    return;
  }
  v128.store(tile, c00);
  v128.store(tile, c01, 16);
  v128.store(tile, c10, 32);
  v128.store(tile, c11, 48);
  v128.store(tile, c20, 64);
  v128.store(tile, c21, 80);
  v128.store(tile, c30, 96);
  v128.store(tile, c31, 112);
  for (let i: usize = 0; i < rows; i++) {
    for (let j: usize = 0; j < columns; j++) {
      const at = c + i * row + j * 8;
      store<f64>(at, load<f64>(at) + load<f64>(tile + i * 32 + j * 8));
    }
  }
}

function addTo(c: usize, left: v128, right: v128): void {
  v128.store(c, f64x2.add(v128.load(c), left));
  v128.store(c, f64x2.add(v128.load(c, 16), right), 16);
}
