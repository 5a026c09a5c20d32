/** @file The regions of ranked pictures as outlines, those that make up most of the similarity with the query thick. */
import { decodeImage, type ImageSizing, toTensor } from '../data/images.js';
import type { Box } from '../data/manifest.js';
import { InputError } from '../errors.js';
import type { DescriptorModel } from '../models/descriptor.js';
import { type RegionSource, regionsText } from '../models/region-source.js';
import type { ProposalDescriber } from '../rpn/proposal-describer.js';
import { type RegionRows, regionRows, similarityShares } from '../rpn/region-rows.js';
import { cropSizing } from '../retrieval/query-crop.js';
import type { Outline } from './page.js';

export interface RegionOutlinesOptions {
  sizing: ImageSizing;
  /** In place of the model's grid. */
  proposals?: ProposalDescriber | undefined;
  /** What is pooled, for the words. */
  regions?: RegionSource | undefined;
  /** Regions drawn thick. Default 3. */
  strong?: number;
  /** Regions drawn at all, those that add most. Default 64. */
  most?: number;
}

export class RegionOutlines {
  private readonly known = new Map<string, Promise<RegionRows | undefined>>();

  /** The caller keeps owning the model, which must pool R-MAC, and the proposals. */
  constructor(
    private readonly model: DescriptorModel,
    private readonly options: RegionOutlinesOptions,
  ) {}

  /** What is drawn, in words. */
  get text(): string {
    const { regions, strong = 3, most = 64 } = this.options;
    return (
      `Rectangles: the regions that are pooled (${regionsText(regions)}; at most ${most}). Yellow: the ${strong} that add ` +
      "most to the similarity with the query, on the query itself to its own descriptor's length; the pointer shows how much."
    );
  }

  /** Outlines of an image or its part, the strongest last; none where it cannot be described. `query` [D] is a unit row. */
  async of(path: string, query: Float32Array, crop?: Box): Promise<Outline[]> {
    const { strong = 3, most = 64 } = this.options;
    const key = JSON.stringify([path, crop]);
    const described = this.known.get(key) ?? this.describe(path, crop);
    this.known.set(key, described);
    const found = await described;
    if (found === undefined) return [];
    const { regions, map } = found;
    const shares = similarityShares(found, query);
    const order = [...regions.keys()].toSorted((a, b) => shares[b] - shares[a] || a - b).slice(0, most);
    return order
      .map((region, rank): Outline => {
        const { yMin, xMin, yMax, xMax } = regions[region];
        return {
          box: [yMin / map.height, xMin / map.width, yMax / map.height, xMax / map.width],
          kind: rank < strong ? 'strong' : 'region',
          title: `region ${region + 1}: ${shares[region].toFixed(3)} of the similarity`,
        };
      })
      .toReversed();
  }

  private async describe(path: string, crop: Box | undefined): Promise<RegionRows | undefined> {
    const { sizing, proposals } = this.options;
    try {
      const own = crop === undefined ? sizing : await cropSizing(path, crop, sizing);
      const pixels = toTensor(await decodeImage(path, { sizing: own, crop }));
      try {
        return regionRows(this.model, pixels, proposals);
      } finally {
        pixels.dispose();
      }
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      return undefined;
    }
  }
}
