// Nearest descriptors, compiled to WebAssembly SIMD (AssemblyScript, not TypeScript).
//
// |a - b|^2 = |a|^2 + |b|^2 - 2 a.b; for one row a, the nearest column b has the least score |b|^2 - 2 a.b. All integers, so exact.
// Columns are packed in groups of sixteen with pairs of neighbouring bytes widened to 16 bits and interleaved (k, k + 1 of
// four columns to a vector), so that a multiply-add of a vector with one repeated pair of a row leaves a column per lane:
// no sums across lanes, and best and second best are kept lane by lane. Two rows by sixteen columns fill the registers.

/** Values of a descriptor. */
const length: usize = 128;
/** Columns of a group. */
const group: usize = 16;
/** Bytes of a packed group: 64 pairs of 16 columns of 4 bytes. */
const groupBytes: usize = group * length * 2;
/** Groups that stay in the first cache while all rows pass: 16 KB. */
const tileGroups: usize = 4;
/** Bytes of a row's running state: best score, second best score and index of the best, in four lanes. */
const stateBytes: usize = 48;

/** Where free memory starts. */
export function heapBase(): usize {
  return __heap_base;
}

/** Widens `count` descriptors of 128 bytes to 16 bits. */
export function widenRows(bytes: usize, count: usize, rows: usize): void {
  const end = bytes + count * length;
  while (bytes < end) {
    const x = v128.load(bytes);
    v128.store(rows, i16x8.extend_low_i8x16_u(x));
    v128.store(rows, i16x8.extend_high_i8x16_u(x), 16);
    bytes += 16;
    rows += 32;
  }
}

/**
 * Packs `count` descriptors of 128 bytes into ceil(count / 16) groups of 4096 bytes, and their squared lengths (i32); the columns that
 * fill the last group are zero, their squared length so large that they are never nearest.
 */
export function packColumns(bytes: usize, count: usize, columns: usize, norms: usize): void {
  const padded = (count + group - 1) & ~(group - 1);
  for (let c: usize = 0; c < padded; c++) {
    const to = columns + (c / group) * groupBytes + (c % group) * 4;
    if (c >= count) {
      for (let k: usize = 0; k < length / 2; k++) store<u32>(to + k * group * 4, 0);
      store<i32>(norms + c * 4, 0x3fffffff);
      continue;
    }
    const from = bytes + c * length;
    let norm: i32 = 0;
    for (let k: usize = 0; k < length / 2; k++) {
      const x = load<u8>(from + 2 * k) as u32;
      const y = load<u8>(from + 2 * k, 1) as u32;
      store<u32>(to + k * group * 4, x | (y << 16));
      norm += (x * x + y * y) as i32;
    }
    store<i32>(norms + c * 4, norm);
  }
}

/** Score of four columns: norms - 2 products. */
function score(norms: usize, product: v128): v128 {
  return i32x4.sub(v128.load(norms), i32x4.shl(product, 1));
}

/** Keeps the best two of each lane. */
function keep(state: usize, s: v128, index: v128): void {
  const best = v128.load(state);
  const less = i32x4.lt_s(s, best);
  v128.store(state, i32x4.min_s(best, s));
  v128.store(state, i32x4.min_s(v128.load(state, 16), i32x4.max_s(best, s)), 16);
  v128.store(state, v128.bitselect(index, v128.load(state, 32), less), 32);
}

/**
 * For each of `rowCount` (even) widened rows: best score, second best score and index of the best among `columnCount` (a
 * multiple of 16) packed columns, three i32 each in `out`. Of equal columns the first is the best. `state`: 48 bytes a row.
 */
export function nearestTwo(
  rows: usize,
  rowCount: usize,
  columns: usize,
  norms: usize,
  columnCount: usize,
  state: usize,
  out: usize,
): void {
  const far = i32x4.splat(0x7fffffff);
  for (let r: usize = 0; r < rowCount; r++) {
    v128.store(state + r * stateBytes, far);
    v128.store(state + r * stateBytes, far, 16);
    v128.store(state + r * stateBytes, i32x4.splat(0), 32);
  }
  const groups = columnCount / group;
  for (let tile: usize = 0; tile < groups; tile += tileGroups) {
    const tileEnd = min(tile + tileGroups, groups);
    for (let r: usize = 0; r < rowCount; r += 2) {
      const first = state + r * stateBytes;
      const second = first + stateBytes;
      for (let g = tile; g < tileEnd; g++) {
        let row = rows + r * length * 2;
        const rowEnd = row + length * 2;
        let column = columns + g * groupBytes;
        let a0 = i32x4.splat(0);
        let a1 = i32x4.splat(0);
        let a2 = i32x4.splat(0);
        let a3 = i32x4.splat(0);
        let b0 = i32x4.splat(0);
        let b1 = i32x4.splat(0);
        let b2 = i32x4.splat(0);
        let b3 = i32x4.splat(0);
        while (row < rowEnd) {
          const a = v128.load32_splat(row);
          const b = v128.load32_splat(row, 256);
          const c0 = v128.load(column);
          const c1 = v128.load(column, 16);
          const c2 = v128.load(column, 32);
          const c3 = v128.load(column, 48);
          a0 = i32x4.add(a0, i32x4.dot_i16x8_s(c0, a));
          b0 = i32x4.add(b0, i32x4.dot_i16x8_s(c0, b));
          a1 = i32x4.add(a1, i32x4.dot_i16x8_s(c1, a));
          b1 = i32x4.add(b1, i32x4.dot_i16x8_s(c1, b));
          a2 = i32x4.add(a2, i32x4.dot_i16x8_s(c2, a));
          b2 = i32x4.add(b2, i32x4.dot_i16x8_s(c2, b));
          a3 = i32x4.add(a3, i32x4.dot_i16x8_s(c3, a));
          b3 = i32x4.add(b3, i32x4.dot_i16x8_s(c3, b));
          row += 4;
          column += 64;
        }
        const groupNorms = norms + g * group * 4;
        const index = i32x4.add(i32x4.splat((g * group) as i32), i32x4(0, 1, 2, 3));
        const index1 = i32x4.add(index, i32x4.splat(4));
        const index2 = i32x4.add(index, i32x4.splat(8));
        const index3 = i32x4.add(index, i32x4.splat(12));
        keep(first, score(groupNorms, a0), index);
        keep(first, score(groupNorms + 16, a1), index1);
        keep(first, score(groupNorms + 32, a2), index2);
        keep(first, score(groupNorms + 48, a3), index3);
        keep(second, score(groupNorms, b0), index);
        keep(second, score(groupNorms + 16, b1), index1);
        keep(second, score(groupNorms + 32, b2), index2);
        keep(second, score(groupNorms + 48, b3), index3);
      }
    }
  }
  for (let r: usize = 0; r < rowCount; r++) {
    const lanes = state + r * stateBytes;
    let best: i32 = 0x7fffffff;
    let next: i32 = 0x7fffffff;
    let index: i32 = 0x7fffffff;
    for (let lane: usize = 0; lane < 16; lane += 4) {
      const s = load<i32>(lanes + lane);
      const i = load<i32>(lanes + lane, 32);
      if (s < best || (s == best && i < index)) {
        next = min(next, best);
        best = s;
        index = i;
      } else {
        next = min(next, s);
      }
      next = min(next, load<i32>(lanes + lane, 16));
    }
    store<i32>(out + r * 12, best);
    store<i32>(out + r * 12, next, 4);
    store<i32>(out + r * 12, index, 8);
  }
}
