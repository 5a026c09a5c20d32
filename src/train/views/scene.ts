/** @file What a generated photograph is of, drawn at random: where its image lies, what is behind, light and camera. Plain data. */
import { type Matrix3 } from '../../synthetic/camera.js';
import type { Rgb } from '../../synthetic/relief.js';
import type { Random } from '../../synthetic/random.js';
import type { ViewSettings } from './view-settings.js';

/** A reflection: an ellipse that fades out. Places and radii in sides of the photograph. */
export interface Reflection {
  x: number;
  y: number;
  radii: readonly [number, number];
  /** Radians. */
  angle: number;
  /** Added in the middle, in full scale. */
  strength: number;
}

export interface Scene {
  /** Radians clockwise. */
  turn: number;
  /** Radians beside the front, and the direction of the axis in the image's plane. */
  tilt: number;
  axis: number;
  /** Longer side of the image in shorter sides of the photograph. */
  scale: number;
  /** Where the image's middle is, in sides of the photograph. */
  centre: readonly [number, number];
  /** Behind: a part of a photograph of the list, or a surface of a colour. */
  background: { at: number; zoom: number; left: number; top: number } | { colour: Rgb; grain: number };
  /** Exponent of the values, then a factor of each channel. */
  gamma: number;
  gains: Rgb;
  /** Light falls off along this direction (radians), by this share from one end to the other. */
  shading: { direction: number; depth: number };
  reflections: readonly Reflection[];
  /** Share of every value that is replaced by a light grey. */
  veil: number;
  /** In longer sides of the photograph. */
  blur: number;
  /** Standard deviation, levels of 255. */
  noise: number;
  /** Quality; 100 = not compressed. */
  jpeg: number;
}

/** Distance of the camera in longer sides of what it sees: as near as people hold a telephone. */
const cameraDistance = 2;

/** A random scene; `backgrounds`: photographs to choose from. */
export function drawScene(random: Random, settings: ViewSettings, backgrounds: number): Scene {
  const radians = Math.PI / 180;
  const { light, warmth, shift } = settings;
  const either = (most: number) => random.range(-most, most);
  const place = random.fork('place');
  // uniform over the directions that are seen, not over angles: steep ones are rarer
  const tilt = Math.asin(Math.sqrt(place.next()) * Math.sin(settings.tilt * radians));
  const geometry = {
    turn: place.range(-1, 1) * settings.turn * radians,
    tilt,
    axis: place.range(0, Math.PI * 2),
    scale: settings.smallest * (settings.largest / settings.smallest) ** place.next(),
    centre: [0.5 + place.range(-shift, shift), 0.5 + place.range(-shift, shift)] as const,
  };
  const exposure = 2 ** either(light);
  const warm = either(warmth);
  const gains: Rgb = [exposure * (1 + warm), exposure * (1 + either(warmth / 4)), exposure * (1 - warm)];
  const reflected = random.fork('glare');
  const glares = reflected.chance(settings.glare);
  return {
    ...geometry,
    background: drawBackground(random.fork('background'), settings, backgrounds),
    gamma: 2 ** either(light),
    gains,
    shading: { direction: random.range(0, Math.PI * 2), depth: random.range(0, light) },
    reflections: glares ? Array.from({ length: reflected.int(1, 4) }, () => drawReflection(reflected)) : [],
    veil: glares ? reflected.range(0, 0.6) : 0,
    blur: settings.blur * random.next() ** 2,
    noise: settings.noise * random.next() ** 2,
    jpeg: random.int(settings.jpeg, 100),
  };
}

function drawReflection(random: Random): Reflection {
  const size = random.range(0.03, 0.2);
  return {
    x: random.next(),
    y: random.next(),
    radii: [size, size * random.range(0.15, 1)],
    angle: random.range(0, Math.PI),
    strength: random.range(0.3, 1.5),
  };
}

function drawBackground(random: Random, { pictures }: ViewSettings, count: number): Scene['background'] {
  if (random.chance(pictures) && count > 0) {
    return { at: random.int(0, count - 1), zoom: random.range(1.2, 3), left: random.next(), top: random.next() };
  }
  const grey = random.range(15, 245);
  const tint = random.normal() * 0.15;
  return { colour: [grey * (1 + tint), grey, grey * (1 - tint)], grain: random.range(0, 12) };
}

/**
 * From px of an image of `width` x `height` (its edges at 0 and `width`) to px of a photograph of the sides `frame`: a plane that is
 * turned, then tilted, before a pinhole camera.
 */
export function sceneHomography(
  { turn, tilt, axis, scale, centre }: Pick<Scene, 'turn' | 'tilt' | 'axis' | 'scale' | 'centre'>,
  { width, height }: { width: number; height: number },
  frame: { width: number; height: number },
): Matrix3 {
  const longer = Math.max(width, height);
  const unit = scale * Math.min(frame.width, frame.height);
  // Rodrigues' formula for a turn by `tilt` about (cos axis, sin axis, 0), of points with z = 0.
  const [ax, ay] = [Math.cos(axis), Math.sin(axis)];
  const [c, s] = [Math.cos(tilt), Math.sin(tilt)];
  const tilted = [
    [c + ax * ax * (1 - c), ax * ay * (1 - c)],
    [ax * ay * (1 - c), c + ay * ay * (1 - c)],
    [-ay * s, ax * s],
  ];
  const [ct, st] = [Math.cos(turn), Math.sin(turn)];
  const turned = tilted.map(([a, b]) => [(a * ct + b * st) / longer, (b * ct - a * st) / longer]);
  const rows = turned.map(([a, b]) => [a, b, -(a * width + b * height) / 2]);
  const depth = rows[2].map((value, i) => value / cameraDistance + (i === 2 ? 1 : 0));
  const [cx, cy] = [centre[0] * frame.width, centre[1] * frame.height];
  const x = rows[0].map((value, i) => unit * value + cx * depth[i]);
  const y = rows[1].map((value, i) => unit * value + cy * depth[i]);
  return [...x, ...y, ...depth] as unknown as Matrix3;
}
