/** @file The eight building plans: how walls, portals, towers and roofs make one facade on its board. */
import { cathedral, pyramid, tomb, tower } from './plans-tall.js';
import { arcade, gate, palace, temple } from './plans-wide.js';
import type { Random } from './random.js';
import type { PlanKind } from './style.js';
import type { Site } from './site.js';

/** Width / height of a plan's board. */
export function drawAspect(plan: PlanKind, random: Random): number {
  const [low, high] = {
    palace: [1.25, 1.75],
    cathedral: [0.72, 0.95],
    tomb: [1.1, 1.5],
    temple: [1.3, 1.7],
    tower: [0.38, 0.55],
    pyramid: [0.7, 0.95],
    arcade: [1.15, 1.7],
    gate: [0.95, 1.3],
  }[plan] as [number, number];
  return random.range(low, high);
}

/** Draws a whole facade of the site's style on the site's board. */
export const drawPlan: Record<PlanKind, (site: Site) => void> = {
  palace,
  cathedral,
  tomb,
  temple,
  tower,
  pyramid,
  arcade,
  gate,
};
