/** @file What lies behind and before a building: sky with clouds, hills, a skyline or tree line, and the ground. */
import type { Camera, Vector } from './camera.js';
import type { Light } from './light.js';
import { fractalNoise } from './noise.js';
import type { Picture } from './picture.js';
import { cellRandom, type Random } from './random.js';
import { type Rgb, setColor } from './relief.js';

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

const leaves: Rgb = [0.07, 0.13, 0.045];

/** Fills the whole picture with a random surrounding, in the light and scale of a facade `unit` px high. */
export function drawBackdrop(
  picture: Picture,
  random: Random,
  { camera, light, unit }: { camera: Camera; light: Light; unit: number },
): void {
  const { width, height } = picture;
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
  const paintGround = (out: Float64Array, [dx, dy, dz]: Vector, across: number) => {
    const t = position[1] / -dy;
    const gx = (position[0] + dx * t) / tile;
    const gz = (position[2] + dz * t) / tile;
    // Detail fades where a pixel covers more than a tile.
    const blur = Math.min(1, (t * across * 0.004) / tile / Math.max(0.05, -(dy / across)));
    const sharp = 1 - blur;
    let k = 0.72 + 0.5 * fractalNoise(gx * 0.37 + ox, gz * 0.37 + oy);
    if (ground === 'paving' || ground === 'cobbles') {
      const joint = Math.min(gx - Math.floor(gx), gz - Math.floor(gz)) < 0.06 ? 0.3 : 0;
      k *= 1 + sharp * (0.35 * (cellRandom(seed, Math.floor(gx), Math.floor(gz)) - 0.5) - joint);
    } else if (ground === 'grass') k *= 1 + sharp * 0.7 * (fractalNoise(gx * 9 + oy, gz * 9 + ox) - 0.5);
    else if (ground === 'water') k *= 1 + 1.6 * sharp * (fractalNoise(gx * 1.5, gz * 6) - 0.5);
    else k *= 1 + sharp * 0.3 * (fractalNoise(gx * 12, gz * 12) - 0.5);
    for (let c = 0; c < 3; c++) {
      out[c] = groundColor[c] * k * daylight;
      if (ground === 'water') out[c] = out[c] * 0.4 + light.skyLow[c] * 0.45 * k;
    }
  };
  const paintSky = (out: Float64Array, [dx, , dz]: Vector, { across, slope }: { across: number; slope: number }) => {
    const m = Math.sqrt(Math.min(1, Math.max(0, slope) * 1.3));
    const far = 1 / (slope + 0.12);
    const cloud =
      fractalNoise((dx / across) * far * 6 + ox, far * 9 + oy) * 0.75 +
      fractalNoise((dx / across) * far * 17 + oy, far * 25 + ox) * 0.35;
    const cover = Math.max(0, Math.min(1, (cloud - 1 + light.clouds * 0.75) * 4));
    for (let c = 0; c < 3; c++) {
      out[c] = light.skyLow[c] + (light.skyTop[c] - light.skyLow[c]) * m;
      out[c] += (light.cloudColor[c] * (0.75 + 0.5 * cloud) - out[c]) * cover * 0.85;
    }
    const angle = Math.atan2(dx, -dz) + turn;
    if (horizons[0] === 'hills' && slope < hillHeight * (0.3 + fractalNoise(angle * 22 + ox, 3.5))) {
      const haze = Math.max(0.05, daylight + 0.2);
      setColor(out, hillColor, (0.8 + 0.3 * fractalNoise(angle * 300, slope * 300)) * haze);
    }
    if (horizons[1] === 'trees') {
      const crown = 0.45 + 0.5 * fractalNoise(angle * 40 + oy, 8.5) + 0.25 * fractalNoise(angle * 190 + ox, 20.5);
      if (slope >= rowHeight * crown) return;
      setColor(out, leaves, daylight * (0.5 + 1.1 * fractalNoise(angle * 420 + ox, slope * 420)));
    } else if (horizons[1] === 'city') {
      const column = Math.floor(angle * 9 + cellRandom(seed, Math.floor(angle * 2), 1));
      const of = (what: number) => cellRandom(seed, column, what);
      if (slope >= rowHeight * (0.35 + of(2))) return;
      const wx = angle * 9 * (5 + Math.floor(4 * of(5)));
      const wy = (slope / rowHeight) * (14 + 8 * of(6));
      const pane = wx - Math.floor(wx) > 0.35 && wy - Math.floor(wy) > 0.4;
      const isLit = light.glow > 0 && pane && cellRandom(seed, Math.floor(wx), Math.floor(wy)) > 0.6;
      const lamp = isLit ? 0.4 * light.glow : 0;
      const k = (0.12 + 0.35 * of(3)) * daylight * (pane ? 0.45 : 1);
      out[0] = k * (0.9 + 0.3 * of(7)) + lamp;
      out[1] = k + lamp * 0.8;
      out[2] = k * (0.8 + 0.3 * of(8)) + lamp * 0.45;
    }
  };
  picture.cover((x, y, out) => {
    const px = (x + 0.5 - width / 2) / focal;
    const py = (y + 0.5 - height / 2) / focal;
    const along = (i: number) => axes[0][i] * px + axes[1][i] * py + axes[2][i];
    const ray: Vector = [along(0), along(1), along(2)];
    const across = Math.hypot(ray[0], ray[2]);
    const slope = ray[1] / across;
    if (slope < -1e-3) paintGround(out, ray, across);
    else paintSky(out, ray, { across, slope });
  });
}
