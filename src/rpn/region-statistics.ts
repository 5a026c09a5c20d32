/** @file How well one kind of regions (the grid, the best k proposals) finds the objects of many images, and where it looks. */
import type { BoxRows, ImageSides } from './box-rows.js';
import { CoverageMap } from './coverage.js';
import { averageRecall, bestOverlap, boxRecallAt } from './recall.js';

/** Overlaps of the recall curve (Gordo et al. 2016, Fig. 4 middle): 0.1, 0.15 ... 1. */
export const curveOverlaps: readonly number[] = Array.from({ length: 19 }, (_, i) => (10 + 5 * i) / 100);

export interface RegionFigures {
  name: string;
  /** Mean number per image. */
  regions: number;
  /** Share of the boxes that one region overlaps by 0.5, by 0.7, and its mean over 0.5, 0.55 ... 0.95. */
  recall50: number;
  recall70: number;
  averageRecall: number;
  /** At `curveOverlaps`. */
  recall: number[];
  /** Mean share of an image's regions that cover a place of the box, and a place up to half a side of the box around it. */
  coverageInside: number;
  coverageAround: number;
}

export class RegionStatistics {
  /** Largest overlap of each image's box with a region. */
  readonly overlaps: number[] = [];
  readonly inImage: CoverageMap = new CoverageMap();
  readonly aroundBox: CoverageMap = new CoverageMap({ places: 40, margin: 0.5 });
  private count = 0;

  constructor(readonly name: string) {}

  /** One image: its regions [R, 4] and its box, one row. */
  add(regions: BoxRows, box: BoxRows, image: ImageSides): void {
    this.count += regions.length / 4;
    this.overlaps.push(bestOverlap(box, regions));
    this.inImage.add(regions, [0, 0, image.height, image.width], image);
    this.aroundBox.add(regions, box, image);
  }

  figures(): RegionFigures {
    const { name, overlaps, count } = this;
    const { inside, around } = this.aroundBox.means();
    return {
      name,
      regions: count / overlaps.length,
      recall50: boxRecallAt(overlaps, 0.5),
      recall70: boxRecallAt(overlaps, 0.7),
      averageRecall: averageRecall(overlaps),
      recall: curveOverlaps.map((overlap) => boxRecallAt(overlaps, overlap)),
      coverageInside: inside,
      coverageAround: around,
    };
  }
}
