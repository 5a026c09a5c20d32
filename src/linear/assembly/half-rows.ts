// Dot products with rows of float16, compiled to WebAssembly SIMD (AssemblyScript, not TypeScript). Addresses are bytes.

/** Where free memory starts. */
export function heapBase(): usize {
  return __heap_base;
}

/**
 * out[r] = sum of query[i] rows[r, i] over d values, d a multiple of 8, for `count` rows of float16; query float32, times 2^112.
 *
 * Its bits 13 places to the left, its sign kept at the top, a float16 is the float32 of 2^-112 times its value, subnormal ones too: the
 * factor in the query makes up for it. No infinities, no NaN. Always added in the same order: results are the same on every machine.
 */
export function halfProducts(rows: usize, count: usize, d: usize, query: usize, out: usize): void {
  const bits = i32x4.splat(<i32>0x8fffe000);
  const end = rows + ((count * d) << 1);
  while (rows < end) {
    let s0 = f32x4.splat(0);
    let s1 = f32x4.splat(0);
    const next = rows + (d << 1);
    let q = query;
    while (rows < next) {
      const eight = v128.load(rows);
      const low = v128.and(i32x4.shl(i32x4.extend_low_i16x8_s(eight), 13), bits);
      const high = v128.and(i32x4.shl(i32x4.extend_high_i16x8_s(eight), 13), bits);
      s0 = f32x4.add(s0, f32x4.mul(low, v128.load(q)));
      s1 = f32x4.add(s1, f32x4.mul(high, v128.load(q, 16)));
      rows += 16;
      q += 32;
    }
    s0 = f32x4.add(s0, s1);
    const a = f32x4.extract_lane(s0, 0) + f32x4.extract_lane(s0, 1);
    const b = f32x4.extract_lane(s0, 2) + f32x4.extract_lane(s0, 3);
    store<f32>(out, a + b);
    out += 4;
  }
}
