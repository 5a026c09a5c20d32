/** @file The grid and proposals of a model on photographs with boxes: what they find, and where they look. */
import * as tf from '@tensorflow/tfjs-core';
import { decodeImages, toTensor } from '../data/images.js';
import type { BoxedRecord } from '../data/manifest.js';
import { uprightSize } from '../data/upright-size.js';
import { InputError } from '../errors.js';
import type { DescriptorModel } from '../models/descriptor.js';
import type { PoolingOptions } from '../models/meta.js';
import { type Region, rigidGrid, rmacPlusGrid } from '../models/regions.js';
import { type BoxRows, boxInImage, type ImageSides } from './box-rows.js';
import { RpnHead } from './head.js';
import { propose } from './propose.js';
import { RegionStatistics } from './region-statistics.js';
import { largest } from '../extremes.js';

export interface MeasureRegionsOptions {
  /** Longest side of an image, px; both sides are snapped to multiples of the network's stride, as in training. */
  imageSize: number;
  /** Numbers of proposals, ascending; of no use to a model without proposals. */
  counts: readonly number[];
  signal?: AbortSignal;
  onProgress?: (done: number) => void;
  /** Called with every image's regions by the name of their kind; best proposals first. */
  onImage?: (record: BoxedRecord, regions: ReadonlyMap<string, BoxRows>, box: BoxRows, image: ImageSides) => void;
}

export interface MeasuredRegions {
  photographs: number;
  /** Median share of the image that its box takes. */
  boxShare: number;
  /** The grid, the whole image, then proposals by number. */
  kinds: RegionStatistics[];
  failures: { id: string; error: string }[];
}

/**
 * Measures the model's grid, the whole image and, where the model has proposals, the best of them. What cannot be read, or
 * whose box lies outside, is in `failures`. Throws `InputError` when nothing is left; stops early when `signal` says so.
 */
export async function measureRegions(
  model: DescriptorModel,
  records: readonly BoxedRecord[],
  { imageSize, counts, signal, onProgress, onImage }: MeasureRegionsOptions,
): Promise<MeasuredRegions> {
  const { stride, meta } = model;
  const head = meta.rpn && new RpnHead(meta.rpn, model.channels, model.rpnWeights);
  const kinds = new Map<string, RegionStatistics>();
  const failures: { id: string; error: string }[] = [];
  const shares: number[] = [];
  let done = 0;
  const sizing = { longest: imageSize, multipleOf: stride };
  try {
    for await (const decoded of decodeImages(records, ({ path }) => ({ path }), { sizing })) {
      if (signal?.aborted) break;
      const { item } = decoded;
      try {
        if ('error' in decoded) throw decoded.error;
        const image = { height: decoded.image.height, width: decoded.image.width };
        const box = boxInImage(item.box, await uprightSize(item.path), image);
        if (box === undefined) throw new InputError(`${item.path}: its box has no pixel of it.`);
        const regions = new Map<string, BoxRows>([
          ['grid', gridRows(image, meta.pooling)],
          ['whole image', [0, 0, image.height, image.width]],
        ]);
        if (head !== undefined) {
          const map = tf.tidy(() => model.featureMap(toTensor(decoded.image)));
          const { boxes } = propose(head, map, { image, stride, count: largest(counts) });
          map.dispose();
          for (const count of counts) regions.set(`rpn:${count}`, boxes.subarray(0, 4 * count));
        }
        shares.push(((box[2] - box[0]) * (box[3] - box[1])) / (image.height * image.width));
        for (const [name, rows] of regions) {
          const kind = kinds.get(name) ?? new RegionStatistics(name);
          kind.add(rows, box, image);
          kinds.set(name, kind);
        }
        onImage?.(item, regions, box, image);
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        failures.push({ id: item.id, error: error.message });
      }
      onProgress?.(++done);
    }
  } finally {
    head?.dispose();
  }
  if (shares.length === 0) {
    throw new InputError(`No photograph to measure regions on${failures.length > 0 ? `; ${failures[0].error}` : '.'}`);
  }
  const boxShare = shares.toSorted((a, b) => a - b)[shares.length >> 1];
  return { photographs: shares.length, boxShare, kinds: [...kinds.values()], failures };
}

/** The grid of a pooling on the pixels of an image, as rows. (On the map it is rounded to cells.) */
export function gridRows({ height, width }: ImageSides, { grid, ...options }: PoolingOptions): Float32Array {
  const regions: Region[] = grid === 'rmac-plus' ? rmacPlusGrid(height, width) : rigidGrid(height, width, options);
  return Float32Array.from(regions.flatMap(({ yMin, xMin, yMax, xMax }) => [yMin, xMin, yMax, xMax]));
}
