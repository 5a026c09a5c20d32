// SIFT's histogram of gradients (AssemblyScript). Lowe 2004, section 6.
import { turns } from './arctangent';

/** Cells a side, directions. */
const cells: i32 = 4;
const directions: i32 = 8;
/** Cells with a border of one for what the interpolation spills; a direction more for the one that wraps around. */
const cellBytes: usize = 4 * (directions + 2);
const rowBytes: usize = 6 * cellBytes;
const histogram = memory.data(4 * (directions + 2) * (cells + 2) * (cells + 2), 16);
const maxRadius = 4096;
const weights = memory.data(4 * (2 * maxRadius + 8), 16);
const addresses = memory.data(16, 16);
const limit: f64 = 0.5 * (cells + 1);

function add(address: usize, pair: v128, half: u8): void {
  if (half == 0) v128.store64_lane(address, f32x4.add(v128.load64_zero(address), pair), 0);
  else v128.store64_lane(address, f32x4.add(v128.load64_splat(address), pair), 1);
}

/** Adds a sample's share of two neighbouring directions to four cells. */
function scatter(address: usize, p00: v128, p01: v128, p10: v128, p11: v128, half: u8): void {
  add(address, p00, half);
  add(address + cellBytes, p01, half);
  add(address + rowBytes, p10, half);
  add(address + rowBytes + cellBytes, p11, half);
}

/**
 * Histogram of 4 x 4 cells of `cell` px a side around pixel (x, y), turned by `angle` (radians, from +x down), trilinear
 * interpolation, Gaussian weight of two cells. Clamped at 0.2 of its norm, then RootSIFT: 512 sqrt(share), rounded, at most 255, 128 bytes at
 * `out`; zeros without a gradient. Order: cells by rows, directions from the keypoint's own counter to `angle`.
 */
export function describe(
  plane: usize,
  width: i32,
  height: i32,
  stride: i32,
  x: i32,
  y: i32,
  angle: f64,
  cell: f64,
  out: usize,
): void {
  memory.fill(histogram, 0, 4 * (directions + 2) * (cells + 2) * (cells + 2));
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  const reach = limit * cell;
  const radius = min(<i32>nearest(reach * Math.SQRT2), maxRadius);
  const falloff = -2 / (cell * cell * cells * cells);
  for (let k = 0; k <= radius; k++) {
    const weight = <f32>Math.exp(<f64>(k * k) * falloff);
    store<f32>(weights + 4 * (radius + k), weight);
    store<f32>(weights + 4 * (radius - k), weight);
  }
  const turn = f32x4.splat(<f32>(angle / (2 * Math.PI)));
  const uStep = <f32>(cos / cell);
  const vStep = <f32>(-sin / cell);
  const lanes = f32x4(0, 1, 2, 3);
  const uLanes = f32x4.mul(lanes, f32x4.splat(uStep));
  const vLanes = f32x4.mul(lanes, f32x4.splat(vStep));
  const last = f32x4.splat(<f32>(cells + 0.9999));
  const zero = f32x4.splat(0);
  const up: usize = 4 * stride;
  for (let i = max(-radius, 1 - y); i <= min(radius, height - 2 - y); i++) {
    // |j cos + i sin| < reach and |i cos - j sin| < reach
    let from = <f64>max(-radius, 1 - x);
    let to = <f64>min(radius, width - 2 - x);
    if (abs(cos) > 1e-9) {
      const middle = (-i * sin) / cos;
      const half = reach / abs(cos);
      from = max(from, middle - half);
      to = min(to, middle + half);
    }
    if (abs(sin) > 1e-9) {
      const middle = (i * cos) / sin;
      const half = reach / abs(sin);
      from = max(from, middle - half);
      to = min(to, middle + half);
    }
    const j0 = <i32>Math.ceil(from);
    const j1 = <i32>Math.floor(to);
    if (j0 > j1) continue;
    const row = plane + 4 * <usize>((y + i) * stride + x);
    const weightY = v128.load32_splat(weights + 4 * (radius + i));
    const u0 = <f32>((i * sin) / cell + limit);
    const v0 = <f32>((i * cos) / cell + limit);
    for (let j = j0; j <= j1; j += 4) {
      const at = row + 4 * j;
      const dx = f32x4.sub(v128.load(at + 4), v128.load(at - 4));
      const dy = f32x4.sub(v128.load(at + up), v128.load(at - up));
      const length = f32x4.sqrt(f32x4.add(f32x4.mul(dx, dx), f32x4.mul(dy, dy)));
      const weight = f32x4.mul(f32x4.mul(length, weightY), v128.load(weights + 4 * (radius + j)));
      let u = f32x4.add(uLanes, f32x4.splat(<f32>j * uStep + u0));
      let v = f32x4.add(vLanes, f32x4.splat(<f32>j * vStep + v0));
      u = f32x4.min(f32x4.max(u, zero), last);
      v = f32x4.min(f32x4.max(v, zero), last);
      let d = f32x4.sub(turn, turns(dy, dx));
      d = f32x4.mul(f32x4.sub(d, f32x4.floor(d)), f32x4.splat(<f32>directions));
      const uFloor = f32x4.floor(u);
      const vFloor = f32x4.floor(v);
      const dFloor = f32x4.min(f32x4.floor(d), f32x4.splat(<f32>(directions - 1)));
      u = f32x4.sub(u, uFloor);
      v = f32x4.sub(v, vFloor);
      d = f32x4.sub(d, dFloor);
      let index = f32x4.add(f32x4.mul(vFloor, f32x4.splat(<f32>(cells + 2))), uFloor);
      index = f32x4.add(f32x4.mul(index, f32x4.splat(<f32>(directions + 2))), dFloor);
      v128.store(addresses, i32x4.shl(i32x4.trunc_sat_f32x4_s(index), 2));
      const w1 = f32x4.mul(weight, v);
      const w0 = f32x4.sub(weight, w1);
      const w11 = f32x4.mul(w1, u);
      const w10 = f32x4.sub(w1, w11);
      const w01 = f32x4.mul(w0, u);
      const w00 = f32x4.sub(w0, w01);
      const a1 = f32x4.mul(w00, d);
      const a0 = f32x4.sub(w00, a1);
      const b1 = f32x4.mul(w01, d);
      const b0 = f32x4.sub(w01, b1);
      const c1 = f32x4.mul(w10, d);
      const c0 = f32x4.sub(w10, c1);
      const e1 = f32x4.mul(w11, d);
      const e0 = f32x4.sub(w11, e1);
      const a = v128.shuffle<f32>(a0, a1, 0, 4, 1, 5);
      const b = v128.shuffle<f32>(b0, b1, 0, 4, 1, 5);
      const c = v128.shuffle<f32>(c0, c1, 0, 4, 1, 5);
      const e = v128.shuffle<f32>(e0, e1, 0, 4, 1, 5);
      scatter(histogram + load<u32>(addresses), a, b, c, e, 0);
      if (j == j1) break;
      scatter(histogram + load<u32>(addresses, 4), a, b, c, e, 1);
      if (j + 1 == j1) break;
      const a2 = v128.shuffle<f32>(a0, a1, 2, 6, 3, 7);
      const b2 = v128.shuffle<f32>(b0, b1, 2, 6, 3, 7);
      const c2 = v128.shuffle<f32>(c0, c1, 2, 6, 3, 7);
      const e2 = v128.shuffle<f32>(e0, e1, 2, 6, 3, 7);
      scatter(histogram + load<u32>(addresses, 8), a2, b2, c2, e2, 0);
      if (j + 2 == j1) break;
      scatter(histogram + load<u32>(addresses, 12), a2, b2, c2, e2, 1);
    }
  }
  rootSift(out);
}

function rootSift(out: usize): void {
  let squares: f32 = 0;
  for (let cell: usize = 0; cell < 16; cell++) {
    const from = histogram + ((cell >> 2) + 1) * rowBytes + ((cell & 3) + 1) * cellBytes;
    store<f32>(from, load<f32>(from) + load<f32>(from, 4 * directions));
    for (let k: usize = 0; k < 32; k += 4) {
      const value = load<f32>(from + k);
      squares += value * value;
    }
  }
  const ceiling = <f32>0.2 * sqrt(squares);
  let sum: f32 = 0;
  for (let cell: usize = 0; cell < 16; cell++) {
    const from = histogram + ((cell >> 2) + 1) * rowBytes + ((cell & 3) + 1) * cellBytes;
    for (let k: usize = 0; k < 32; k += 4) {
      const value = min(load<f32>(from + k), ceiling);
      store<f32>(from + k, value);
      sum += value;
    }
  }
  const scale: f32 = sum > 0 ? 1 / sum : 0;
  for (let cell: usize = 0; cell < 16; cell++) {
    const from = histogram + ((cell >> 2) + 1) * rowBytes + ((cell & 3) + 1) * cellBytes;
    for (let k: usize = 0; k < 8; k++) {
      const share = <f32>512 * sqrt(load<f32>(from + 4 * k) * scale);
      store<u8>(out + 8 * cell + k, <u8>min(nearest(share), <f32>255));
    }
  }
}
