/** @file What the presets have in common. */
import type { RegionPooling, SystemSettings } from '../settings.js';

/** Tolias' grid in cells, three levels, no whole-image region. */
export const rigidPooling: RegionPooling = {
  kind: 'regions',
  of: 'max',
  grid: 'tolias',
  plane: 'map',
  levels: 3,
  wholeImage: false,
  precision: 'f64',
};
/** All directions of the map. */
export const pca = { kind: 'pca', dimension: 'all' } as const;

/** R-MAC without whitening, one side, no enlarging: what the others change. */
export const plainSettings: SystemSettings = {
  sides: [1024],
  upscale: false,
  queryCrop: 'image',
  maps: [0],
  fusion: 'late',
  mapResize: 'half-pixel',
  pooling: rigidPooling,
  unit: true,
  database: 'vector',
  distance: 'dot',
  epsilon: 1e-6,
};
