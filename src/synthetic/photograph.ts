/** @file One photograph of one landmark: camera, light, surroundings, building, occluders, sensor; with its truth. */
import type { RgbImage } from '../data/rgb-image.js';
import { drawBackdrop } from './backdrop.js';
import {
  type Camera,
  drawCamera,
  facadeHomography,
  type Framing,
  invert,
  type Matrix3,
  project,
  transform,
} from './camera.js';
import type { Facade } from './facade.js';
import { drawLight, type Light, type LightKind } from './light.js';
import { drawOccluders, type OccluderKind } from './occluders.js';
import { Picture } from './picture.js';
import type { Random } from './random.js';
import type { Rgb } from './relief.js';
import { applySensor } from './sensor.js';
import { linear, reliefAt, sampleLevel } from './texture.js';
import { largest, smallest } from '../extremes.js';

/** A box in px of the image; x right, y down. */
export interface PhotoBox {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface TakenPhotograph {
  image: RgbImage;
  /** Bounding box of the facade's four corners, cut to the image, whole px. */
  box: PhotoBox;
  /** Facade plane (px, from the top left corner of the facade) -> image px. */
  homography: Matrix3;
  framing: Framing;
  light: LightKind;
  occluders: OccluderKind[];
}

/** Box of the facade's frame in an image of `width` x `height`, cut to it. */
export function facadeBox(
  homography: Matrix3,
  facade: { width: number; height: number },
  width: number,
  height: number,
): PhotoBox {
  const corners = [
    transform(homography, 0, 0),
    transform(homography, facade.width, 0),
    transform(homography, facade.width, facade.height),
    transform(homography, 0, facade.height),
  ];
  const xs = corners.map(([x]) => Math.max(0, Math.min(width, x)));
  const ys = corners.map(([, y]) => Math.max(0, Math.min(height, y)));
  const x = Math.floor(smallest(xs));
  const y = Math.floor(smallest(ys));
  return { x, y, width: Math.ceil(largest(xs)) - x, height: Math.ceil(largest(ys)) - y };
}

/** The building's side and top behind the front, as plain walls. */
function drawBody(picture: Picture, camera: Camera, facade: Facade, light: Light): void {
  const side = camera.position[0] > 0 ? 1 : -1;
  const x = side * facade.width * 0.46;
  const depth = facade.width * 0.5;
  const top = facade.height * 0.42;
  const corners = [
    project(camera, [x, 0, -6]),
    project(camera, [x, top, -6]),
    project(camera, [x, top, -depth]),
    project(camera, [x, 0, -depth]),
  ];
  if (corners.some(([, , z]) => z <= 1) || Math.abs(camera.position[0]) < facade.width * 0.46) return;
  const facing = light.direction[0] * side;
  const bright = light.ambient[1] * 0.8 + Math.max(0, facing) * light.sun[1] * 0.8;
  const [r, g, b] = linear(facade.wallColor);
  picture.fill(
    corners.flatMap(([px, py]) => [px, py]),
    [r * bright, g * bright, b * bright],
  );
}

const shadowReach = [2.5, 6, 12, 22, 38];
/** Of lit windows. */
const lampColor: Rgb = [0.9, 0.62, 0.28];

/** Paints the facade over the picture, lit. */
function drawFront(picture: Picture, facade: Facade, homography: Matrix3, light: Light): void {
  const { width, height, data } = picture;
  const box = facadeBox(homography, facade, width, height);
  const inverse = invert(homography);
  const determinant =
    inverse[0] * (inverse[4] * inverse[8] - inverse[5] * inverse[7]) -
    inverse[1] * (inverse[3] * inverse[8] - inverse[5] * inverse[6]) +
    inverse[2] * (inverse[3] * inverse[7] - inverse[4] * inverse[6]);
  const { levels } = facade.texture;
  const texel = new Float64Array(8);
  const [lx, ly, lz] = light.direction;
  const frontLit = lz > 0.05;
  const shiftX = frontLit ? lx / lz : 0;
  const shiftY = frontLit ? -ly / lz : 0;
  const { sun, ambient, skyLow, haze, glow } = light;
  for (let y = box.y; y < box.y + box.height; y++) {
    for (let x = box.x; x < box.x + box.width; x++) {
      const w = inverse[6] * (x + 0.5) + inverse[7] * (y + 0.5) + inverse[8];
      if (w <= 0) continue;
      const u = (inverse[0] * (x + 0.5) + inverse[1] * (y + 0.5) + inverse[2]) / w;
      const v = (inverse[3] * (x + 0.5) + inverse[4] * (y + 0.5) + inverse[5]) / w;
      if (u < -1 || v < -1 || u > facade.width + 1 || v > facade.height + 1) continue;
      // Texels per image pixel (area) gives the level; a little sharper than neutral.
      const level = Math.max(
        0,
        Math.min(levels.length - 1.01, 0.5 * Math.log2(Math.abs(determinant / (w * w * w))) - 0.25),
      );
      const fine = Math.floor(level);
      const mix = level - fine;
      texel.fill(0);
      const scale = 1 / (1 << fine);
      if (mix < 0.95) sampleLevel(levels[fine], u * scale, v * scale, 1 - mix, texel);
      if (mix > 0.05) sampleLevel(levels[fine + 1], u * scale * 0.5, v * scale * 0.5, mix, texel);
      const total = mix < 0.05 ? 1 - mix : mix > 0.95 ? mix : 1;
      const alpha = texel[3] / total;
      if (alpha < 0.01) continue;
      const sx = texel[6];
      const sy = texel[7];
      let direct = 0;
      if (frontLit) {
        direct = Math.max(0, (-sx * lx + sy * ly + lz) / Math.sqrt(1 + sx * sx + sy * sy));
        if (direct > 0) {
          const map = levels[fine];
          const here = texel[5] / total + 1.5;
          for (let k = 0; k < shadowReach.length; k++) {
            const t = shadowReach[k];
            if (reliefAt(map, (u + shiftX * t) * scale, (v + shiftY * t) * scale) > here + t * 0.9) {
              direct *= 0.12;
              break;
            }
          }
        }
      }
      // Hollows see less of the sky; surfaces that look up see more.
      const open = Math.max(0.35, Math.min(1.25, 1 + sy * 0.4 + Math.min(0, texel[5] / total) * 0.016));
      const lamp = (texel[4] / total) * glow;
      const i = (y * width + x) * 3;
      for (let c = 0; c < 3; c++) {
        const shade = (texel[c] / total) * (ambient[c] * open + sun[c] * direct) + lamp * lampColor[c] * alpha;
        data[i + c] = data[i + c] * (1 - alpha) + shade * (1 - haze) + skyLow[c] * haze * alpha;
      }
    }
  }
}

/** Share of the image that shows the building (its solid part, occluders aside), from a grid of 16 x 16 points. */
function visibleShare(camera: Camera, homography: Matrix3, facade: Facade): number {
  const inverse = invert(homography);
  const level = facade.texture.levels[2];
  let count = 0;
  for (let j = 0; j < 16; j++) {
    for (let i = 0; i < 16; i++) {
      const [u, v] = transform(inverse, ((i + 0.5) * camera.width) / 16, ((j + 0.5) * camera.height) / 16);
      if (reliefAt(level, u / 4, v / 4) > -1e3) count++;
    }
  }
  return count / 256;
}

/** The least part of an image that its landmark may fill. */
const leastShare: Record<Framing, number> = { far: 0.06, whole: 0.2, part: 0.35, detail: 0.5 };

/**
 * Takes a random photograph of `facade`, its longest side `size` px. `variation` from 0 (whole views from the front in
 * daylight, nothing in the way) to 1 (as people take them).
 */
export function takePhotograph(facade: Facade, random: Random, size: number, variation = 1): TakenPhotograph {
  const roll = random.fork('framing varies').chance(variation) ? random.next() : 0.5;
  const framing: Framing = roll < 0.07 ? 'far' : roll < 0.68 ? 'whole' : roll < 0.93 ? 'part' : 'detail';
  let camera: Camera;
  let homography: Matrix3;
  let attempt = 0;
  do {
    camera = drawCamera(random.fork('camera', attempt), facade.width, facade.height, { size, framing, variation });
    homography = facadeHomography(camera, facade.width, facade.height);
  } while (visibleShare(camera, homography, facade) < leastShare[framing] && ++attempt < 20);
  const light = drawLight(random.fork('light'), variation);
  const picture = new Picture(camera.width, camera.height);
  const box = facadeBox(homography, facade, camera.width, camera.height);
  const scene = { camera, light, unit: facade.height };
  drawBackdrop(picture, random.fork('backdrop'), scene);
  drawBody(picture, camera, facade, light);
  drawFront(picture, facade, homography, light);
  const bounds = { left: box.x, top: box.y, right: box.x + box.width, bottom: box.y + box.height };
  const occluders = random.fork('in the way').chance(variation)
    ? drawOccluders(picture, random.fork('occluders'), { ...scene, bounds })
    : [];
  applySensor(picture, random.fork('sensor'), { strength: 0.75 });
  return { image: picture.toRgb(), box, homography, framing, light: light.kind, occluders };
}
