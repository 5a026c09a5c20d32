// Gaussian blur and changes of size by two (AssemblyScript).

/** Index mirrored into 0 .. n - 1 without repeating the edge: dcb|abcd|cba. */
function mirror(i: i32, n: i32): i32 {
  if (n == 1) return 0;
  while (i < 0 || i >= n) i = i < 0 ? -i : 2 * n - 2 - i;
  return i;
}

/**
 * Separable symmetric filter, rows then columns fused by output row. `kernel`: its centre and right half, radius + 1
 * floats. `scratch`: 4 (2 radius + 1) bytes of row addresses, then radius + stride + radius + 16 floats. `to` must not be `from`.
 */
export function blur(
  from: usize,
  to: usize,
  width: i32,
  height: i32,
  stride: i32,
  kernel: usize,
  radius: i32,
  scratch: usize,
): void {
  const rows = scratch;
  const left = (scratch + 4 * (2 * radius + 1) + 15) & ~15;
  // the row starts aligned, its mirrored border before it
  const line = left + ((4 * radius + 15) & ~15);
  const rowBytes: usize = 4 * stride;
  const centre = v128.load32_splat(kernel);
  for (let y = 0; y < height; y++) {
    for (let k = -radius; k <= radius; k++) {
      store<u32>(rows + 4 * (k + radius), <u32>(from + <usize>mirror(y + k, height) * rowBytes));
    }
    columns(rows, line, rowBytes, kernel, radius, centre);
    for (let k = 1; k <= radius; k++) store<f32>(line - 4 * k, load<f32>(line + 4 * mirror(-k, width)));
    for (let x = width; x < stride + radius; x++) store<f32>(line + 4 * x, load<f32>(line + 4 * mirror(x, width)));
    along(line, to + <usize>y * rowBytes, rowBytes, kernel, radius, centre);
  }
}

function columns(rows: usize, line: usize, rowBytes: usize, kernel: usize, radius: i32, centre: v128): void {
  const middle: usize = load<u32>(rows + 4 * radius);
  for (let x: usize = 0; x < rowBytes; x += 64) {
    const source = middle + x;
    let a = f32x4.mul(v128.load(source), centre);
    let b = f32x4.mul(v128.load(source, 16), centre);
    let c = f32x4.mul(v128.load(source, 32), centre);
    let d = f32x4.mul(v128.load(source, 48), centre);
    for (let k = 1; k <= radius; k++) {
      const above = <usize>load<u32>(rows + 4 * (radius - k)) + x;
      const below = <usize>load<u32>(rows + 4 * (radius + k)) + x;
      const weight = v128.load32_splat(kernel + 4 * k);
      a = f32x4.add(a, f32x4.mul(f32x4.add(v128.load(above), v128.load(below)), weight));
      b = f32x4.add(b, f32x4.mul(f32x4.add(v128.load(above, 16), v128.load(below, 16)), weight));
      c = f32x4.add(c, f32x4.mul(f32x4.add(v128.load(above, 32), v128.load(below, 32)), weight));
      d = f32x4.add(d, f32x4.mul(f32x4.add(v128.load(above, 48), v128.load(below, 48)), weight));
    }
    v128.store(line + x, a);
    v128.store(line + x, b, 16);
    v128.store(line + x, c, 32);
    v128.store(line + x, d, 48);
  }
}

function along(line: usize, to: usize, rowBytes: usize, kernel: usize, radius: i32, centre: v128): void {
  for (let x: usize = 0; x < rowBytes; x += 64) {
    const source = line + x;
    let a = f32x4.mul(v128.load(source), centre);
    let b = f32x4.mul(v128.load(source, 16), centre);
    let c = f32x4.mul(v128.load(source, 32), centre);
    let d = f32x4.mul(v128.load(source, 48), centre);
    for (let k = 1; k <= radius; k++) {
      const before = source - 4 * k;
      const after = source + 4 * k;
      const weight = v128.load32_splat(kernel + 4 * k);
      a = f32x4.add(a, f32x4.mul(f32x4.add(v128.load(before), v128.load(after)), weight));
      b = f32x4.add(b, f32x4.mul(f32x4.add(v128.load(before, 16), v128.load(after, 16)), weight));
      c = f32x4.add(c, f32x4.mul(f32x4.add(v128.load(before, 32), v128.load(after, 32)), weight));
      d = f32x4.add(d, f32x4.mul(f32x4.add(v128.load(before, 48), v128.load(after, 48)), weight));
    }
    v128.store(to + x, a);
    v128.store(to + x, b, 16);
    v128.store(to + x, c, 32);
    v128.store(to + x, d, 48);
  }
}

/**
 * Twice the size, linear between pixel centres: pixel d of `to` lies at d / 2 - 1/4 of `from`. [height, stride] ->
 * [2 height, strideTo]. `scratch`: stride + 32 floats.
 */
export function double(
  from: usize,
  to: usize,
  width: i32,
  height: i32,
  stride: i32,
  strideTo: i32,
  scratch: usize,
): void {
  const line = scratch + 16;
  const near = f32x4.splat(0.75);
  const far = f32x4.splat(0.25);
  for (let y = 0; y < 2 * height; y++) {
    const nearRow = y >> 1;
    const farRow = min(max((y & 1) == 0 ? nearRow - 1 : nearRow + 1, 0), height - 1);
    const p = from + 4 * <usize>(nearRow * stride);
    const q = from + 4 * <usize>(farRow * stride);
    for (let x: usize = 0; x < <usize>(4 * stride); x += 16) {
      v128.store(line + x, f32x4.add(f32x4.mul(v128.load(p + x), near), f32x4.mul(v128.load(q + x), far)));
    }
    store<f32>(line - 4, load<f32>(line));
    store<f32>(line + 4 * width, load<f32>(line + 4 * (width - 1)));
    const row = to + 4 * <usize>(y * strideTo);
    for (let x = 0; 2 * x < strideTo; x += 4) {
      const source = line + 4 * x;
      const here = f32x4.mul(v128.load(source), near);
      const even = f32x4.add(here, f32x4.mul(v128.load(source - 4), far));
      const odd = f32x4.add(here, f32x4.mul(v128.load(source + 4), far));
      v128.store(row + 8 * x, v128.shuffle<f32>(even, odd, 0, 4, 1, 5));
      v128.store(row + 8 * x, v128.shuffle<f32>(even, odd, 2, 6, 3, 7), 16);
    }
  }
}

/** Every second pixel of every second row: pixel d of `to` lies at 2 d of `from`. */
export function halve(from: usize, to: usize, stride: i32, width: i32, height: i32, strideTo: i32): void {
  for (let y = 0; y < height; y++) {
    const source = from + 8 * <usize>(y * stride);
    const row = to + 4 * <usize>(y * strideTo);
    for (let x = 0; x < width; x++) store<f32>(row + 4 * x, load<f32>(source + 8 * x));
    for (let x = width; x < strideTo; x++) store<f32>(row + 4 * x, 0);
  }
}
