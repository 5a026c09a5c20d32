// Kernels of local features, one module, compiled to WebAssembly SIMD (AssemblyScript, not TypeScript).
// Planes are float32 rows of `stride` floats, a multiple of 16; what lies beyond `width` is finite and means nothing.
export { blur, double, halve } from './blur';
export { extrema } from './extrema';
export { orientations } from './orientation';
export { describe } from './describe';
export { secondMoment, warp } from './warp';

/** Where free memory starts. */
export function heapBase(): usize {
  return __heap_base;
}
