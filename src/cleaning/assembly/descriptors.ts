// Products of descriptors, compiled to WebAssembly SIMD (AssemblyScript, not TypeScript).

/** Where free memory starts. */
export function heapBase(): usize {
  return __heap_base;
}

/** Product of two descriptors of 128 bytes each. */
export function product(a: usize, b: usize): i32 {
  let sum = i32x4.splat(0);
  for (let k: usize = 0; k < 128; k += 16) {
    const x = v128.load(a + k);
    const y = v128.load(b + k);
    sum = i32x4.add(sum, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(x), i16x8.extend_low_i8x16_u(y)));
    sum = i32x4.add(sum, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_u(x), i16x8.extend_high_i8x16_u(y)));
  }
  return (
    i32x4.extract_lane(sum, 0) + i32x4.extract_lane(sum, 1) + i32x4.extract_lane(sum, 2) + i32x4.extract_lane(sum, 3)
  );
}
