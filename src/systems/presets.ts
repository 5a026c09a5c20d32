/**
 * @file The published systems by name. Where a paper leaves something open or its implementations differ, the value here is a
 * choice, and docs/systems.md says so.
 */
import { gordoPresets } from './presets/gordo.js';
import { msPresets } from './presets/ms-rmac.js';
import { osPresets } from './presets/os-rmac.js';
import { plusPresets } from './presets/rmac-plus.js';
import { toliasPresets } from './presets/tolias.js';
import type { Preset } from './system.js';

/** The published systems by name (docs/systems.md). */
export const presets: ReadonlyMap<string, Preset> = new Map(
  [...toliasPresets, ...plusPresets, ...osPresets, ...msPresets, ...gordoPresets].map((preset) => [
    preset.name,
    preset,
  ]),
);
