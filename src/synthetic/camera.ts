/**
 * @file Pinhole cameras in front of a facade. World: X right along the facade, Y up from the ground, Z towards the
 * viewer, unit = one texture px; the facade is the rectangle |X| <= width / 2, 0 <= Y <= height, Z = 0.
 */
import type { Random } from './random.js';

/** A 3x3 matrix, row by row. */
export type Matrix3 = [number, number, number, number, number, number, number, number, number];
type Vector = readonly [number, number, number];

export interface Camera {
  /** Image size in px. */
  width: number;
  height: number;
  focal: number;
  position: Vector;
  /** Rows: the camera's right, down and forward axes in the world. */
  axes: readonly [Vector, Vector, Vector];
}

/** How near a photographer is. */
export type Framing = 'far' | 'whole' | 'part' | 'detail';

export interface CameraOptions {
  /** Longest side of the image, px. */
  size: number;
  framing: Framing;
  /** Share of the usual spread of viewing angles. Default 1. */
  variation?: number;
}

function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function normalize(a: Vector): Vector {
  const length = Math.hypot(a[0], a[1], a[2]);
  return [a[0] / length, a[1] / length, a[2] / length];
}

function cross(a: Vector, b: Vector): Vector {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

/** A random camera that looks at a facade of `width` x `height` px. */
export function drawCamera(
  random: Random,
  width: number,
  height: number,
  { size, framing, variation = 1 }: CameraOptions,
): Camera {
  const ratio = random.pick([4 / 3, 4 / 3, 3 / 2, 3 / 2, 1, 16 / 9]);
  const portrait =
    width / height < 0.75 ? random.chance(0.75) : width / height > 1.25 ? random.chance(0.15) : random.chance(0.4);
  const short = Math.round(size / ratio);
  const [w, h] = portrait ? [short, size] : [size, short];
  const focal = size * random.range(0.75, 1.7);
  const fill = {
    far: random.range(0.4, 0.62),
    whole: random.range(0.7, 1.05),
    part: random.range(1.25, 1.9),
    detail: random.range(1.9, 2.7),
  }[framing];
  const scale = fill * Math.min(w / width, h / height);
  const distance = focal / scale;
  // Aim: whole views near the middle, closer ones anywhere that keeps most of the frame on the building.
  const reachX = Math.max(0.04, 0.5 - 0.5 * Math.min(1, w / scale / width)) + (framing === 'far' ? 0.25 : 0.05);
  const reachY = Math.max(0.04, 0.5 - 0.5 * Math.min(1, h / scale / height));
  const targetX = random.range(-1, 1) * reachX * width;
  const targetY = height * (0.5 + random.range(-1, 1) * reachY);
  const limit = framing === 'detail' ? 0.62 : 0.9;
  const azimuth = Math.max(-limit, Math.min(limit, random.normal() * 0.33 * variation));
  const eye = random.chance(0.7) ? height * random.range(0.04, 0.2) : height * random.range(0.2, 0.8);
  // From the street a near photographer would look up steeply: eyes rise until the tilt is below about 30 degrees.
  const y = Math.max(eye, targetY - distance * 0.55);
  const position: Vector = [targetX + distance * Math.sin(azimuth), y, distance * Math.cos(azimuth)];
  const aim = { target: [targetX, targetY, 0], roll: random.normal() * 0.035 } as const;
  return lookAt({ width: w, height: h, focal, position }, aim);
}

/** A camera at `position` that looks at `target`, turned by `roll` radians about its axis. */
export function lookAt(
  { width, height, focal, position }: Omit<Camera, 'axes'>,
  { target, roll }: { target: Vector; roll: number },
): Camera {
  const forward = normalize([target[0] - position[0], target[1] - position[1], target[2] - position[2]]);
  const right = normalize(cross(forward, [0, 1, 0]));
  const down = cross(forward, right);
  const c = Math.cos(roll);
  const s = Math.sin(roll);
  const turn = (p: number, q: number) => right.map((value, i) => value * p + down[i] * q) as [number, number, number];
  return { width, height, focal, position, axes: [turn(c, s), turn(-s, c), forward] };
}

/** World point -> [x, y, depth] in px; depth <= 0 is behind the camera. */
export function project({ width, height, focal, position, axes }: Camera, point: Vector): [number, number, number] {
  const relative: Vector = [point[0] - position[0], point[1] - position[1], point[2] - position[2]];
  const depth = dot(axes[2], relative);
  return [
    width / 2 + (focal * dot(axes[0], relative)) / depth,
    height / 2 + (focal * dot(axes[1], relative)) / depth,
    depth,
  ];
}

/**
 * Homography from the facade plane (u right, v down, px from its top left corner) to image px:
 * (x, y, 1) ~ H (u, v, 1), with H[8] = 1.
 */
export function facadeHomography(camera: Camera, facadeWidth: number, facadeHeight: number): Matrix3 {
  const { width, height, focal, position, axes } = camera;
  const origin: Vector = [-facadeWidth / 2 - position[0], facadeHeight - position[1], -position[2]];
  const rows = axes.map((axis) => [axis[0], -axis[1], dot(axis, origin)]) as [number[], number[], number[]];
  const result: number[] = [];
  for (let j = 0; j < 3; j++) {
    result[j] = focal * rows[0][j] + (width / 2) * rows[2][j];
    result[3 + j] = focal * rows[1][j] + (height / 2) * rows[2][j];
    result[6 + j] = rows[2][j]!;
  }
  return result.map((value) => value / result[8]) as Matrix3;
}

/** Maps a point by a homography. */
export function transform(h: Matrix3, x: number, y: number): [number, number] {
  const w = h[6] * x + h[7] * y + h[8];
  return [(h[0] * x + h[1] * y + h[2]) / w, (h[3] * x + h[4] * y + h[5]) / w];
}

/** Inverse of a 3x3 matrix, up to scale. */
export function invert([a, b, c, d, e, f, g, h, i]: Matrix3): Matrix3 {
  const result: Matrix3 = [
    e * i - f * h,
    c * h - b * i,
    b * f - c * e,
    f * g - d * i,
    a * i - c * g,
    c * d - a * f,
    d * h - e * g,
    b * g - a * h,
    a * e - b * d,
  ];
  const scale = a * result[0] + b * result[3] + c * result[6];
  return result.map((value) => value / scale) as Matrix3;
}
