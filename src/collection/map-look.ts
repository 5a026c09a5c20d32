/**
 * @file Where in a photograph the model sees the query: approximate max-pooling localisation (Tolias et al. 2016, section 5.2) in its activation
 * map. Maps of the collection are made at their first use and kept in memory, bounded.
 */
import { decodeImage, type ImageSizing, toTensor } from '../data/images.js';
import type { Box } from '../data/manifest.js';
import type { DescriptorModel } from '../models/descriptor.js';
import { cropSizing } from '../retrieval/query-crop.js';
import { type CompactMap, compactMap } from '../retrieval/localization/compact-map.js';
import { MapDescriber } from '../retrieval/localization/describe-maps.js';
import { localizationQuery, localizedVectors } from '../retrieval/localization/rerank.js';
import { uprightSize } from '../data/upright-size.js';
import type { CollectionRecord } from './collection-record.js';
import { photographPath } from './index-folder.js';
import { type LookedForQuery, type LookInside, RecentlyUsed } from './second-look.js';

const mostMemoryBytes = 2 ** 28;

/** A photograph's map, and its size in px. */
interface KnownMap {
  map: CompactMap;
  width: number;
  height: number;
}

/** The activation maps of a collection's photographs. */
export class CollectionMaps {
  readonly #recent = new RecentlyUsed<KnownMap>(mostMemoryBytes);
  readonly #describer: MapDescriber;

  /** The caller keeps owning `model`. */
  constructor(
    private readonly folder: string,
    model: DescriptorModel,
    private readonly sizing: ImageSizing,
  ) {
    this.#describer = new MapDescriber(model);
  }

  /** Looks for a query by the cosine of maxima. */
  async lookFor({ image, box }: LookedForQuery): Promise<LookInside> {
    const sizing = box === undefined ? this.sizing : await cropSizing(image, box, this.sizing);
    const { map, aspect } = await this.#mapOf(image, sizing, box);
    const query = localizationQuery(map, { aspect });
    const whole = box ?? { x: 0, y: 0, ...(await uprightSize(image)) };
    return async (record) => {
      const item = await this.#known(record);
      const { boxes, vectors, target } = localizedVectors(query, [item.map], { kind: 'aml' });
      const { yMin, xMin, yMax, xMax } = boxes[0].region;
      const [sx, sy] = [item.width / item.map.width, item.height / item.map.height];
      const found = { x: xMin * sx, y: yMin * sy, width: (xMax - xMin) * sx, height: (yMax - yMin) * sy };
      const score = vectors[0].reduce((sum, value, i) => sum + value * target[i], 0);
      return { score, regions: { query: whole, item: found } };
    };
  }

  async #known({ path, sha256 }: CollectionRecord): Promise<KnownMap> {
    const recent = this.#recent.get(sha256);
    if (recent !== undefined) return recent;
    const file = photographPath(this.folder, path);
    const known = { map: compactMap((await this.#mapOf(file, this.sizing)).map), ...(await uprightSize(file)) };
    this.#recent.set(sha256, known, known.map.codes.length);
    return known;
  }

  async #mapOf(image: string | Uint8Array, sizing: ImageSizing, crop?: Box) {
    const pixels = await decodeImage(image, { sizing, crop });
    const tensor = toTensor(pixels);
    // describe() keeps the map of this image; nothing runs between it and the next line.
    this.#describer.describe(tensor).dispose();
    tensor.dispose();
    return this.#describer.last!;
  }
}
