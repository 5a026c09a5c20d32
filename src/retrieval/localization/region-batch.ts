/** @file Region vectors of many images at once: pooled from maps, turned into unit rows in blocks. Plain numbers. */
import type { Region } from '../../models/regions.js';
import { poolRegions } from '../../rpn/pool-regions.js';
import type { ActivationMap } from './activation-map.js';

/** How a model describes the regions of a map; `modelRegions` makes it from a descriptor model. */
export interface RegionModel {
  /** R-MAC's regions on a map of so many cells; never empty. */
  regionsOf(this: void, map: { height: number; width: number }): Region[];
  /** What is behind pooling: maxima [M, C] -> unit rows [M, D] (l2; whitening and l2 where there is one). */
  rowsOf(this: void, maxima: Float32Array, channels: number): Float32Array;
}

/** Rows per call of `rowsOf`: enough for a matrix product, few enough for memory. */
export const rowsPerBlock = 1024;

/** Regions of a part of a map; the part's upper left corner is the origin of the grid, as if the image had been cropped there. */
export function regionsWithin(model: RegionModel, box: Region): Region[] {
  const { yMin, xMin, yMax, xMax } = box;
  return model
    .regionsOf({ height: yMax - yMin, width: xMax - xMin })
    .map((r) => ({ yMin: r.yMin + yMin, xMin: r.xMin + xMin, yMax: r.yMax + yMin, xMax: r.xMax + xMin }));
}

/** Gathers the pooled regions of images and hands out each image's unit rows [R, D], in order. */
export class RegionBatch {
  readonly #model: RegionModel;
  readonly #use: (image: number, rows: Float32Array) => void;
  #waiting: { image: number; maxima: Float32Array }[] = [];
  #count = 0;
  #channels = 0;

  /** `use` receives the number of each image as it was given to `add`, and its rows. */
  constructor(model: RegionModel, use: (image: number, rows: Float32Array) => void) {
    this.#model = model;
    this.#use = use;
  }

  /** Pools `regions` of a map, every cell looked at. */
  add(image: number, map: ActivationMap, regions: readonly Region[]): void {
    this.addMaxima(image, poolRegions(map.values, map, regions), map.channels);
  }

  /** `maxima`: of an image's regions, [R, C]. */
  addMaxima(image: number, maxima: Float32Array, channels: number): void {
    this.#channels = channels;
    this.#waiting.push({ image, maxima });
    this.#count += maxima.length / channels;
    if (this.#count >= rowsPerBlock) this.flush();
  }

  /** Hands out what is still waiting. */
  flush(): void {
    if (this.#count === 0) return;
    const all = new Float32Array(this.#count * this.#channels);
    let at = 0;
    for (const { maxima } of this.#waiting) {
      all.set(maxima, at);
      at += maxima.length;
    }
    const rows = this.#model.rowsOf(all, this.#channels);
    const dimension = rows.length / this.#count;
    let row = 0;
    for (const { image, maxima } of this.#waiting) {
      const end = row + maxima.length / this.#channels;
      this.#use(image, rows.subarray(row * dimension, end * dimension));
      row = end;
    }
    this.#waiting = [];
    this.#count = 0;
  }
}

/** Sum of rows [R, D], l2: R-MAC of unit region rows. */
export function sumOfRows(rows: Float32Array, dimension: number): Float32Array {
  const sum = new Float32Array(dimension);
  for (let at = 0; at < rows.length; at += dimension) for (let i = 0; i < dimension; i++) sum[i] += rows[at + i];
  return unitRows(sum, dimension);
}

/** Every row divided by its length, or by `epsilon` where it is shorter. A copy. */
export function unitRows(rows: Float32Array, dimension: number, epsilon: number = 1e-6): Float32Array {
  const out = new Float32Array(rows.length);
  for (let at = 0; at < rows.length; at += dimension) {
    let squared = 0;
    for (let i = at; i < at + dimension; i++) squared += rows[i] * rows[i];
    const factor = 1 / Math.max(Math.sqrt(squared), epsilon);
    for (let i = at; i < at + dimension; i++) out[i] = rows[i] * factor;
  }
  return out;
}
