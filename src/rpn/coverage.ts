/**
 * @file Where regions look: how often each place is covered by them, over many images (Gordo et al. 2016, Fig. 4 right). Places are
 * relative to a frame, the image or the object's box, so that images of all sizes add up.
 */
import type { BoxRows, ImageSides } from './box-rows.js';

export interface CoverageOptions {
  /** Places along each side. Default 32. */
  places?: number;
  /** What lies around the frame and is seen too, in sides of the frame. Default 0. */
  margin?: number;
}

/** Row-major [places, places] over the frame and its margin, from the top left. */
export class CoverageMap {
  readonly places: number;
  readonly margin: number;
  private readonly sums: Float64Array;
  private readonly images: Uint32Array;

  constructor({ places = 32, margin = 0 }: CoverageOptions = {}) {
    this.places = places;
    this.margin = margin;
    this.sums = new Float64Array(places * places);
    this.images = new Uint32Array(places * places);
  }

  /** Counts `regions` [R, 4] of an image; `frame` is one row. Places outside of the image are none of this image. */
  add(regions: BoxRows, frame: BoxRows, { height, width }: ImageSides): void {
    const count = regions.length / 4;
    if (count === 0) return;
    const rows = this.range(0, height, frame[0], frame[2]);
    const columns = this.range(0, width, frame[1], frame[3]);
    for (let y = rows.first; y < rows.end; y++) {
      for (let x = columns.first; x < columns.end; x++) this.images[y * this.places + x]++;
    }
    for (let i = 0; i < regions.length; i += 4) {
      const tall = this.range(Math.max(regions[i], 0), Math.min(regions[i + 2], height), frame[0], frame[2]);
      const wide = this.range(Math.max(regions[i + 1], 0), Math.min(regions[i + 3], width), frame[1], frame[3]);
      for (let y = tall.first; y < tall.end; y++) {
        for (let x = wide.first; x < wide.end; x++) this.sums[y * this.places + x] += 1 / count;
      }
    }
  }

  /** Share of an image's regions that cover each place, 0 to 1: the mean over images that have the place; NaN where none has. */
  values(): Float64Array {
    return this.sums.map((sum, i) => sum / this.images[i]);
  }

  /** Means of `values` over the places in the frame, and over those in its margin (NaN without one). */
  means(): { inside: number; around: number } {
    const values = this.values();
    const sums = { inside: 0, around: 0 };
    const counts = { inside: 0, around: 0 };
    for (let y = 0; y < this.places; y++) {
      for (let x = 0; x < this.places; x++) {
        const value = values[y * this.places + x];
        if (Number.isNaN(value)) continue;
        const within = [this.position(y), this.position(x)].every((at) => at >= 0 && at < 1);
        sums[within ? 'inside' : 'around'] += value;
        counts[within ? 'inside' : 'around']++;
      }
    }
    return { inside: sums.inside / counts.inside, around: sums.around / counts.around };
  }

  /** Centre of the i-th place in sides of the frame. */
  private position(i: number): number {
    return ((i + 0.5) / this.places) * (1 + 2 * this.margin) - this.margin;
  }

  /** Places whose centres lie in [from, to) px of an axis on which the frame lies at [start, end). */
  private range(from: number, to: number, start: number, end: number): { first: number; end: number } {
    const index = (px: number) => {
      const at = ((px - start) / (end - start) + this.margin) / (1 + 2 * this.margin);
      return Math.min(Math.max(Math.ceil(at * this.places - 0.5), 0), this.places);
    };
    return { first: index(from), end: index(to) };
  }
}
