/** @file What lies behind and before a building: sky with clouds, hills, a skyline or tree line, and the ground. */
import type { Camera } from './camera.js';
import type { Light } from './light.js';
import { fractalNoise } from './noise.js';
import type { Picture } from './picture.js';
import { cellRandom, type Random } from './random.js';
import type { Rgb } from './relief.js';

type GroundKind = 'paving' | 'grass' | 'asphalt' | 'sand' | 'cobbles' | 'water';
type HorizonKind = 'none' | 'hills' | 'trees' | 'city';

const groundColors: Record<GroundKind, Rgb> = {
  paving: [0.33, 0.31, 0.28],
  grass: [0.1, 0.2, 0.05],
  asphalt: [0.1, 0.1, 0.105],
  sand: [0.5, 0.4, 0.26],
  cobbles: [0.2, 0.18, 0.16],
  water: [0.04, 0.09, 0.12],
};

/** Fills the whole picture with a random surrounding, in the light and scale of a facade `unit` px high. */
export function drawBackdrop(
  picture: Picture,
  random: Random,
  { camera, light, unit }: { camera: Camera; light: Light; unit: number },
): void {
  const { width, height, data } = picture;
  const { axes, focal, position } = camera;
  const ground = random.pick<GroundKind>(['paving', 'paving', 'grass', 'asphalt', 'sand', 'cobbles', 'grass', 'water']);
  const horizons: HorizonKind[] = [
    random.pick<HorizonKind>(['none', 'hills', 'none']),
    random.pick<HorizonKind>(['none', 'trees', 'city', 'trees', 'city']),
  ];
  const seed = random.fork('seed').seed;
  const ox = seed & 511;
  const oy = (seed >>> 9) & 511;
  const groundColor = groundColors[ground].map((c) => c * random.range(0.8, 1.25)) as [number, number, number];
  const daylight = Math.max(0.02, light.ambient[1] + light.sun[1] * Math.max(0, light.direction[1]) * 0.8);
  const hillHeight = random.range(0.03, 0.2);
  const rowHeight = random.range(0.05, 0.3);
  const hillColor: Rgb = [0.1 + 0.4 * light.skyLow[0], 0.14 + 0.4 * light.skyLow[1], 0.14 + 0.45 * light.skyLow[2]];
  const tile = unit * random.range(0.03, 0.1);
  const turn = random.range(0, 6);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const px = (x + 0.5 - width / 2) / focal;
      const py = (y + 0.5 - height / 2) / focal;
      const dx = axes[0][0] * px + axes[1][0] * py + axes[2][0];
      const dy = axes[0][1] * px + axes[1][1] * py + axes[2][1];
      const dz = axes[0][2] * px + axes[1][2] * py + axes[2][2];
      const across = Math.hypot(dx, dz);
      const slope = dy / across;
      const i = (y * width + x) * 3;
      let r: number;
      let g: number;
      let b: number;
      if (slope < -1e-3) {
        const t = position[1] / -dy;
        const gx = (position[0] + dx * t) / tile;
        const gz = (position[2] + dz * t) / tile;
        // Detail fades where a pixel covers more than a tile.
        const blur = Math.min(1, (t * across * 0.004) / tile / Math.max(0.05, -slope));
        const sharp = 1 - blur;
        let k = 0.72 + 0.5 * fractalNoise(gx * 0.37 + ox, gz * 0.37 + oy);
        if (ground === 'paving' || ground === 'cobbles') {
          const fx = gx - Math.floor(gx);
          const fz = gz - Math.floor(gz);
          k *=
            1 +
            sharp *
              (0.35 * (cellRandom(seed, Math.floor(gx), Math.floor(gz)) - 0.5) - (Math.min(fx, fz) < 0.06 ? 0.3 : 0));
        } else if (ground === 'grass') k *= 1 + sharp * 0.7 * (fractalNoise(gx * 9 + oy, gz * 9 + ox) - 0.5);
        else if (ground === 'water') k *= 1 + 1.6 * sharp * (fractalNoise(gx * 1.5, gz * 6) - 0.5);
        else k *= 1 + sharp * 0.3 * (fractalNoise(gx * 12, gz * 12) - 0.5);
        r = groundColor[0] * k * daylight;
        g = groundColor[1] * k * daylight;
        b = groundColor[2] * k * daylight;
        if (ground === 'water') {
          r = r * 0.4 + light.skyLow[0] * 0.45 * k;
          g = g * 0.4 + light.skyLow[1] * 0.45 * k;
          b = b * 0.4 + light.skyLow[2] * 0.45 * k;
        }
      } else {
        const s = Math.min(1, Math.max(0, slope) * 1.3);
        const m = Math.sqrt(s);
        r = light.skyLow[0] + (light.skyTop[0] - light.skyLow[0]) * m;
        g = light.skyLow[1] + (light.skyTop[1] - light.skyLow[1]) * m;
        b = light.skyLow[2] + (light.skyTop[2] - light.skyLow[2]) * m;
        const far = 1 / (slope + 0.12);
        const cloud =
          fractalNoise((dx / across) * far * 6 + ox, far * 9 + oy) * 0.75 +
          fractalNoise((dx / across) * far * 17 + oy, far * 25 + ox) * 0.35;
        const cover = Math.max(0, Math.min(1, (cloud - 1 + light.clouds * 0.75) * 4));
        if (cover > 0) {
          const k = 0.75 + 0.5 * cloud;
          r += (light.cloudColor[0] * k - r) * cover * 0.85;
          g += (light.cloudColor[1] * k - g) * cover * 0.85;
          b += (light.cloudColor[2] * k - b) * cover * 0.85;
        }
        const angle = Math.atan2(dx, -dz) + turn;
        if (horizons[0] === 'hills' && slope < hillHeight * (0.3 + fractalNoise(angle * 22 + ox, 3.5))) {
          const k = (0.8 + 0.3 * fractalNoise(angle * 300, slope * 300)) * Math.max(0.05, daylight + 0.2);
          r = hillColor[0] * k;
          g = hillColor[1] * k;
          b = hillColor[2] * k;
        }
        if (horizons[1] === 'trees') {
          const crown =
            rowHeight * (0.45 + 0.5 * fractalNoise(angle * 40 + oy, 8.5) + 0.25 * fractalNoise(angle * 190 + ox, 20.5));
          if (slope < crown) {
            const k = daylight * (0.5 + 1.1 * fractalNoise(angle * 420 + ox, slope * 420));
            r = 0.07 * k;
            g = 0.13 * k;
            b = 0.045 * k;
          }
        } else if (horizons[1] === 'city') {
          const column = Math.floor(angle * 9 + cellRandom(seed, Math.floor(angle * 2), 1));
          const tall = rowHeight * (0.35 + cellRandom(seed, column, 2));
          if (slope < tall) {
            const tone = (0.12 + 0.35 * cellRandom(seed, column, 3)) * daylight;
            const wx = angle * 9 * (5 + Math.floor(4 * cellRandom(seed, column, 5)));
            const wy = (slope / rowHeight) * (14 + 8 * cellRandom(seed, column, 6));
            const pane = wx - Math.floor(wx) > 0.35 && wy - Math.floor(wy) > 0.4;
            const litUp =
              light.glow > 0 && pane && cellRandom(seed, Math.floor(wx), Math.floor(wy)) > 0.6 ? 0.4 * light.glow : 0;
            const k = pane ? tone * 0.45 : tone;
            r = k * (0.9 + 0.3 * cellRandom(seed, column, 7)) + litUp;
            g = k + litUp * 0.8;
            b = k * (0.8 + 0.3 * cellRandom(seed, column, 8)) + litUp * 0.45;
          }
        }
      }
      data[i] = r;
      data[i + 1] = g;
      data[i + 2] = b;
    }
  }
}
