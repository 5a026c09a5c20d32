/**
 * @file Architectural styles. Landmarks of one style are siblings: same plan, stone, window shape and roofs, different
 * measures and details. Siblings are what a network trained on categories confuses.
 */
import { type MaterialKind, shade, vary } from './materials.js';
import type { ArchShape } from './paths.js';
import type { Random } from './random.js';
import { palette, type Rgb } from './relief.js';

export const planKinds = ['palace', 'cathedral', 'tomb', 'temple', 'tower', 'pyramid', 'arcade', 'gate'] as const;
export type PlanKind = (typeof planKinds)[number];

export const roofKinds = [
  'flat',
  'battlement',
  'pediment',
  'gable',
  'hip',
  'dome',
  'onion',
  'spire',
  'kiosk',
  'steps',
  'mansard',
] as const;
export type RoofKind = (typeof roofKinds)[number];

export const glazingKinds = ['bars', 'tracery', 'shutters', 'lattice', 'dark', 'curtain'] as const;
export type GlazingKind = (typeof glazingKinds)[number];

export const corniceKinds = ['plain', 'dentils', 'brackets', 'frieze', 'corbels'] as const;
export type CorniceKind = (typeof corniceKinds)[number];

export interface Style {
  plan: PlanKind;
  wallKind: MaterialKind;
  trimKind: MaterialKind;
  wallColor: Rgb;
  trimColor: Rgb;
  accentColor: Rgb;
  roofColor: Rgb;
  window: ArchShape;
  portal: ArchShape;
  glazing: GlazingKind;
  cornice: CorniceKind;
  mainRoof: RoofKind;
  sideRoof: RoofKind;
  /** Columns or pilasters between the bays. */
  columns: boolean;
  storeys: number;
  bays: number;
  /** Share of bays that hold a niche or a relief instead of a window, 0-1. */
  niches: number;
}

const wallColors = palette(
  78,
  68,
  52,
  70,
  42,
  32,
  86,
  82,
  74,
  62,
  58,
  53,
  82,
  62,
  42,
  90,
  88,
  84,
  74,
  52,
  48,
  56,
  50,
  44,
  83,
  75,
  45,
  65,
  66,
  62,
);
const accentColors = palette(20, 35, 55, 55, 15, 12, 15, 40, 30, 75, 55, 15, 30, 22, 18, 85, 80, 70, 12, 45, 50);
const roofColors = palette(55, 27, 20, 32, 34, 38, 30, 50, 45, 80, 62, 22, 85, 83, 80, 25, 42, 60, 45, 38, 32);

const wallKindsOf: Record<PlanKind, readonly MaterialKind[]> = {
  palace: ['brick', 'plaster', 'ashlar', 'banded'],
  cathedral: ['ashlar', 'brick', 'banded', 'rubble'],
  tomb: ['marble', 'ashlar', 'tile', 'banded'],
  temple: ['marble', 'ashlar', 'plaster', 'wood'],
  tower: ['ashlar', 'brick', 'banded', 'rubble'],
  pyramid: ['ashlar', 'plaster', 'rubble', 'tile'],
  arcade: ['brick', 'ashlar', 'plaster', 'banded'],
  gate: ['ashlar', 'rubble', 'marble', 'brick'],
};
const mainRoofsOf: Record<PlanKind, readonly RoofKind[]> = {
  palace: ['flat', 'mansard', 'pediment', 'hip', 'dome'],
  cathedral: ['gable', 'pediment', 'gable', 'battlement'],
  tomb: ['dome', 'onion', 'dome'],
  temple: ['pediment', 'pediment', 'hip'],
  tower: ['spire', 'dome', 'onion', 'kiosk', 'battlement'],
  pyramid: ['dome', 'steps', 'kiosk', 'onion'],
  arcade: ['flat', 'battlement', 'mansard', 'steps'],
  gate: ['flat', 'battlement', 'pediment', 'steps'],
};
const windowsOf: Record<PlanKind, readonly ArchShape[]> = {
  palace: ['flat', 'segmental', 'round'],
  cathedral: ['pointed', 'round', 'trefoil'],
  tomb: ['ogee', 'pointed', 'horseshoe'],
  temple: ['flat', 'round'],
  tower: ['round', 'pointed', 'flat', 'horseshoe'],
  pyramid: ['flat', 'ogee', 'trefoil'],
  arcade: ['round', 'ogee', 'segmental', 'horseshoe'],
  gate: ['round', 'pointed', 'segmental'],
};

const sideRoofs: readonly RoofKind[] = ['kiosk', 'dome', 'spire', 'onion', 'battlement', 'hip'];

/** Draws a style whose plan is `plan`. */
export function drawStyle(plan: PlanKind, random: Random): Style {
  const wallColor = vary(random, random.pick(wallColors), 0.06);
  const window = random.pick(windowsOf[plan]);
  return {
    plan,
    wallKind: random.pick(wallKindsOf[plan]),
    trimKind: random.pick(['ashlar', 'marble', 'ashlar', 'plaster']),
    wallColor,
    trimColor: random.chance(0.55)
      ? shade(wallColor, random.range(1.08, 1.22))
      : vary(random, random.pick(wallColors), 0.06),
    accentColor: vary(random, random.pick(accentColors), 0.1),
    roofColor: vary(random, random.pick(roofColors), 0.1),
    window,
    portal: window === 'flat' ? random.pick<ArchShape>(['round', 'flat', 'segmental']) : window,
    glazing: random.pick(glazingKinds),
    cornice: random.pick(corniceKinds),
    mainRoof: random.pick(mainRoofsOf[plan]),
    sideRoof: random.pick(sideRoofs),
    columns: random.chance(0.55),
    storeys: random.int(2, 3),
    bays: random.int(5, 8),
    niches: random.range(0.1, 0.4),
  };
}

/** A landmark's own reading of a style: near it, never equal to a sibling's. */
export function varyStyle(style: Style, random: Random): Style {
  return {
    ...style,
    wallColor: vary(random, style.wallColor, 0.11),
    trimColor: vary(random, style.trimColor, 0.12),
    accentColor: vary(random, style.accentColor, 0.25),
    roofColor: vary(random, style.roofColor, 0.12),
    wallKind: random.chance(0.75) ? style.wallKind : random.pick(wallKindsOf[style.plan]),
    window: random.chance(0.8) ? style.window : random.pick(windowsOf[style.plan]),
    columns: random.chance(0.75) ? style.columns : !style.columns,
    sideRoof: random.chance(0.7) ? style.sideRoof : random.pick(sideRoofs),
    cornice: random.chance(0.6) ? style.cornice : random.pick(corniceKinds),
    mainRoof: random.chance(0.75) ? style.mainRoof : random.pick(mainRoofsOf[style.plan]),
    glazing: random.chance(0.75) ? style.glazing : random.pick(glazingKinds),
    storeys: style.storeys + (random.chance(0.25) ? 1 : 0),
    bays: Math.max(3, style.bays + random.int(-2, 2)),
    niches: Math.min(0.5, Math.max(0.05, style.niches + random.range(-0.08, 0.08))),
  };
}
