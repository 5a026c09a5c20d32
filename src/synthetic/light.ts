/** @file Light and weather of a photograph. */
import type { Random } from './random.js';
import type { Rgb } from './relief.js';

export type LightKind = 'clear' | 'overcast' | 'sunset' | 'night' | 'backlit' | 'haze';

export interface Light {
  kind: LightKind;
  /** Unit vector towards the main light (world axes of camera.ts); z <= 0: it is behind the building. */
  direction: readonly [number, number, number];
  /** Linear light. */
  sun: Rgb;
  ambient: Rgb;
  skyTop: Rgb;
  skyLow: Rgb;
  /** Cloud cover, 0-1. */
  clouds: number;
  cloudColor: Rgb;
  /** Strength of lit windows. */
  glow: number;
  /** How much distance fades into `skyLow`, 0-1 at the facade. */
  haze: number;
}

function scaled(color: Rgb, factor: number): Rgb {
  return [color[0] * factor, color[1] * factor, color[2] * factor];
}

function direction(azimuth: number, elevation: number): [number, number, number] {
  return [Math.sin(azimuth) * Math.cos(elevation), Math.sin(elevation), Math.cos(azimuth) * Math.cos(elevation)];
}

/** A random light. */
export function drawLight(random: Random, variation = 1): Light {
  const roll = random.next() * variation; // the rarer the light, the later in the list
  const kind: LightKind =
    roll < 0.48
      ? 'clear'
      : roll < 0.66
        ? 'overcast'
        : roll < 0.79
          ? 'sunset'
          : roll < 0.88
            ? 'night'
            : roll < 0.95
              ? 'backlit'
              : 'haze';
  const warm = random.range(-0.06, 0.1);
  const base = {
    kind,
    direction: direction(random.range(-1.1, 1.1), random.range(0.35, 1.15)),
    clouds: random.range(0, 0.7),
    cloudColor: [0.9, 0.9, 0.92] as Rgb,
    glow: 0,
    haze: random.range(0, 0.08),
  };
  switch (kind) {
    case 'clear':
      return {
        ...base,
        sun: scaled([1 + warm, 0.95, 0.86 - warm], random.range(0.75, 1.15)),
        ambient: scaled([0.85, 0.95, 1.15], random.range(0.16, 0.34)),
        skyTop: scaled([0.1, 0.25, 0.62], random.range(0.7, 1.4)),
        skyLow: scaled([0.5, 0.66, 0.85], random.range(0.8, 1.1)),
      };
    case 'overcast':
      return {
        ...base,
        sun: scaled([1, 1, 1], random.range(0.2, 0.42)),
        ambient: scaled([0.96 + warm, 1, 1.04 - warm], random.range(0.5, 0.8)),
        skyTop: [0.5, 0.54, 0.6],
        skyLow: [0.72, 0.75, 0.78],
        clouds: random.range(0.7, 1),
        cloudColor: scaled([0.7, 0.72, 0.75], random.range(0.6, 1.2)),
        haze: random.range(0, 0.1),
      };
    case 'sunset':
      return {
        ...base,
        direction: direction(random.range(-1.3, 1.3), random.range(0.08, 0.3)),
        sun: scaled([1.15, 0.68, 0.36], random.range(0.6, 1)),
        ambient: scaled([0.9, 0.72, 0.85], random.range(0.15, 0.3)),
        skyTop: [0.12, 0.16, 0.36],
        skyLow: [0.95, 0.5, 0.25],
        cloudColor: [0.95, 0.45, 0.35],
        glow: random.range(0, 0.5),
      };
    case 'night':
      return {
        ...base,
        direction: direction(random.range(-0.9, 0.9), random.range(-0.9, -0.35)),
        sun: scaled([1.1, 0.78, 0.42], random.range(0.25, 0.75)),
        ambient: scaled([0.45, 0.5, 0.8], random.range(0.03, 0.1)),
        skyTop: [0.005, 0.008, 0.03],
        skyLow: scaled([0.05, 0.05, 0.1], random.range(0.3, 1.5)),
        cloudColor: [0.03, 0.03, 0.05],
        glow: random.range(0.5, 1.2),
      };
    case 'backlit':
      return {
        ...base,
        direction: direction(random.range(2, 4.3), random.range(0.2, 0.8)),
        sun: [0.9, 0.85, 0.75],
        ambient: scaled([0.9, 0.95, 1.05], random.range(0.18, 0.34)),
        skyTop: [0.6, 0.68, 0.8],
        skyLow: [0.95, 0.92, 0.85],
        haze: random.range(0.02, 0.12),
      };
    case 'haze':
      break;
  }
  return {
    ...base,
    sun: scaled([1, 0.95, 0.85], random.range(0.1, 0.3)),
    ambient: scaled([1, 1, 1], random.range(0.4, 0.6)),
    skyTop: [0.62, 0.64, 0.66],
    skyLow: [0.72, 0.72, 0.71],
    clouds: 0.3,
    haze: random.range(0.12, 0.35),
  };
}
