/** @file From an image's feature maps to its vectors before the fit. */
import { regionsOf } from '../models/pooling.js';
import { poolRegions } from '../rpn/pool-regions.js';
import { activationMask, type Classifier, maskMap } from './class-activation.js';
import { addMaps, type FeatureMap } from './feature-map.js';
import type { SystemSettings } from './settings.js';
import { slidingPool } from './sliding-pool.js';
import { sumPool, sumRegions } from './sum-pool.js';

/** The maps of one image at one side, in the order of the network's layers: not only those that are pooled. */
export interface ImageMaps {
  /** Size of the image, px; of the part that the maps show. */
  image: { height: number; width: number };
  maps: readonly FeatureMap[];
  /** Pixels per cell of each map. */
  strides: readonly number[];
}

/** Rows of one length, in groups that are summed apart (late fusion): one group per side, or one of all. */
export interface PooledVectors {
  /** Length of a row. */
  dimension: number;
  /** [R, dimension] each. Rows of one map have unit length; of several, each map's part has. */
  groups: readonly Float32Array[];
}

/**
 * The vectors of an image: of its maps, and where `settings.mask` asks for it of the masked ones as well. `classifier` is needed
 * for the mask alone.
 */
export function poolViews(
  views: readonly ImageMaps[],
  settings: SystemSettings,
  classifier?: Classifier,
): readonly PooledVectors[] {
  const fused = settings.fusion === 'early' ? [addViews(views, settings)] : views;
  const whole = poolAll(fused, settings);
  if (settings.mask === undefined) return [whole];
  if (classifier === undefined) throw new Error('poolViews: a mask needs the classifier.');
  const { threshold } = settings.mask;
  const summed = settings.fusion === 'early' ? views.length : 1;
  const masked = fused.map((view) => {
    const mask = activationMask(view.maps[0], classifier, { threshold, summed });
    return { ...view, maps: view.maps.map((map) => maskMap(map, mask)) };
  });
  return [whole, poolAll(masked, settings)];
}

function addViews(views: readonly ImageMaps[], { mapResize }: SystemSettings): ImageMaps {
  const largest = views.reduce((a, b) => (b.image.height * b.image.width > a.image.height * a.image.width ? b : a));
  const layers = [...largest.maps.keys()];
  return {
    ...largest,
    maps: layers.map((layer) =>
      addMaps(
        views.map(({ maps }) => maps[layer]),
        mapResize,
      ),
    ),
  };
}

function poolAll(views: readonly ImageMaps[], settings: SystemSettings): PooledVectors {
  const groups = views.map((view) => poolView(view, settings));
  const dimension = settings.maps.reduce((sum, layer) => sum + views[0].maps[layer].channels, 0);
  return { dimension, groups: settings.fusion === 'list' ? [joined(groups)] : groups };
}

/** Rows of a view: of one map as they are, of several maps one row of their joined vectors. */
function poolView(view: ImageMaps, settings: SystemSettings): Float32Array {
  const { epsilon, maps } = settings;
  const rows = maps.map((layer) => normalizeRows(poolMap(view, layer, settings), view.maps[layer].channels, epsilon));
  if (maps.length === 1) return rows[0];
  return joined(maps.map((layer, i) => sumRows(rows[i], view.maps[layer].channels, epsilon)));
}

function poolMap(view: ImageMaps, layer: number, { pooling }: SystemSettings): Float32Array {
  const map = view.maps[layer];
  const { height, width } = map;
  switch (pooling.kind) {
    case 'mac':
      return poolRegions(map.data, map, [{ yMin: 0, xMin: 0, yMax: height, xMax: width }]);
    case 'sum':
      return sumPool(map, pooling);
    case 'sliding':
      return slidingPool(map, pooling);
    default: {
      const regions = regionsOf(
        map,
        { ...pooling, kind: 'rmac', p: 3, epsilon: 0 },
        {
          image: view.image,
          stride: view.strides[layer],
        },
      );
      return pooling.of === 'sum' ? sumRegions(map, regions) : poolRegions(map.data, map, regions);
    }
  }
}

/** Every row of [R, length] divided by its norm, or by `epsilon` where that is larger. In place. */
export function normalizeRows(rows: Float32Array, length: number, epsilon: number): Float32Array {
  for (let start = 0; start < rows.length; start += length) {
    let squares = 0;
    for (let i = start; i < start + length; i++) squares += rows[i] * rows[i];
    const factor = 1 / Math.max(Math.sqrt(squares), epsilon);
    for (let i = start; i < start + length; i++) rows[i] *= factor;
  }
  return rows;
}

/** l2 of the sum of rows, [length]. */
export function sumRows(rows: Float32Array, length: number, epsilon: number): Float32Array {
  const sum = new Float32Array(length);
  for (let start = 0; start < rows.length; start += length) {
    for (let i = 0; i < length; i++) sum[i] += rows[start + i];
  }
  return normalizeRows(sum, length, epsilon);
}

/** One after the other. */
export function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}
