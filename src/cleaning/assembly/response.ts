// What detectors look for extrema of, from the Gaussian levels of an octave (AssemblyScript).

/** Kinds of responses. */
export const differenceOfGaussians = 0;
export const hessianDeterminant = 1;

/**
 * Response of a layer at byte `offset` of its plane: the next level less this one, or sigma^4 det H of the level.
 * `levels`: addresses of the levels, then (Hessian) sigma^4 of each as floats.
 */
export function responseAt(kind: i32, levels: usize, count: i32, layer: i32, offset: usize, up: usize): f64 {
  const plane: usize = <usize>load<u32>(levels + 4 * layer) + offset;
  if (kind == differenceOfGaussians) {
    const next: usize = <usize>load<u32>(levels + 4 * layer + 4) + offset;
    return <f64>(load<f32>(next) - load<f32>(plane));
  }
  const value: f32 = <f32>2 * load<f32>(plane);
  const xx = load<f32>(plane - 4) + load<f32>(plane + 4) - value;
  const yy = load<f32>(plane - up) + load<f32>(plane + up) - value;
  const xy =
    <f32>0.25 *
    (load<f32>(plane + up + 4) - load<f32>(plane + up - 4) - load<f32>(plane - up + 4) + load<f32>(plane - up - 4));
  return <f64>(load<f32>(levels + 4 * (count + layer)) * (xx * yy - xy * xy));
}

/** Responses of a layer in the row at byte `offset`, to `to`. The Hessian's row must not be the first or the last. */
export function responseRow(
  kind: i32,
  levels: usize,
  count: i32,
  layer: i32,
  offset: usize,
  rowBytes: usize,
  to: usize,
): void {
  const plane: usize = <usize>load<u32>(levels + 4 * layer) + offset;
  if (kind == differenceOfGaussians) {
    const next: usize = <usize>load<u32>(levels + 4 * layer + 4) + offset;
    for (let x: usize = 0; x < rowBytes; x += 16) {
      v128.store(to + x, f32x4.sub(v128.load(next + x), v128.load(plane + x)));
    }
    return;
  }
  const norm = v128.load32_splat(levels + 4 * (count + layer));
  const quarter = f32x4.splat(0.25);
  const two = f32x4.splat(2);
  for (let x: usize = 0; x < rowBytes; x += 16) {
    const at = plane + x;
    const above = at - rowBytes;
    const below = at + rowBytes;
    const value = f32x4.mul(two, v128.load(at));
    const xx = f32x4.sub(f32x4.add(v128.load(at - 4), v128.load(at + 4)), value);
    const yy = f32x4.sub(f32x4.add(v128.load(above), v128.load(below)), value);
    const right = f32x4.sub(v128.load(below + 4), v128.load(above + 4));
    const left = f32x4.sub(v128.load(below - 4), v128.load(above - 4));
    const xy = f32x4.mul(quarter, f32x4.sub(right, left));
    v128.store(to + x, f32x4.mul(norm, f32x4.sub(f32x4.mul(xx, yy), f32x4.mul(xy, xy))));
  }
}
