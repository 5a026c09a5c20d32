/** @file Descriptors for a ground truth, and with them the activation maps that re-ranking looks into. */
import * as tf from '@tensorflow/tfjs-core';
import type { DescriptorModel } from '../../models/descriptor.js';
import type { Describer } from '../describe.js';
import {
  type DescribeGroundTruthOptions,
  describeGroundTruth,
  type GroundTruthDescriptors,
} from '../describe-ground-truth.js';
import type { GroundTruth } from '../ground-truth.js';
import type { ActivationMap } from './activation-map.js';
import { type CompactMap, compactMap } from './compact-map.js';
import type { RegionModel } from './region-batch.js';
import { type LocalizationQuery, localizationQuery } from './rerank.js';

/** Describes by a model and keeps the map of the last image. */
export class MapDescriber implements Describer {
  /** Of the last image described: its map, and height over width in px. */
  last: { map: ActivationMap; aspect: number } | undefined;

  /** The caller keeps owning `model`. */
  constructor(private readonly model: DescriptorModel) {}

  get dimension(): number {
    return this.model.dimension;
  }

  /** [1, H, W, 3] RGB 0-255 -> [1, D] unit rows. Waits for the engine's map. */
  describe(images: tf.Tensor4D): tf.Tensor2D {
    return tf.tidy(() => {
      const [, imageHeight, imageWidth] = images.shape;
      const map = this.model.featureMap(images);
      const [, height, width, channels] = map.shape;
      const values = Float32Array.from(map.dataSync<'float32'>()); // the backend may reuse the memory it returns
      this.last = { map: { height, width, channels, values }, aspect: imageHeight / imageWidth };
      return this.model.pool(map, [imageHeight, imageWidth]);
    });
  }
}

export interface GroundTruthMaps {
  described: GroundTruthDescriptors;
  /** By id, of every database image that could be described. */
  maps: Map<string, CompactMap>;
  /** By query id. */
  queries: Map<string, LocalizationQuery>;
}

export interface DescribeMapsOptions extends DescribeGroundTruthOptions {
  /** For queries that are compared by regions or R-MAC. */
  regions?: RegionModel;
  /** What activations are multiplied by before they become levels; default fitted to each image, 1 is the paper's. */
  scale?: number;
}

/** `describeGroundTruth`, with the maps: compact ones of the database, and what re-ranking needs of each query. */
export async function describeGroundTruthMaps(
  model: DescriptorModel,
  groundTruth: GroundTruth,
  { regions, scale, ...options }: DescribeMapsOptions,
): Promise<GroundTruthMaps> {
  const describer = new MapDescriber(model);
  const maps = new Map<string, CompactMap>();
  const ofImage = new Map<string, LocalizationQuery>();
  const ofQuery = new Map<string, LocalizationQuery>();
  const wholeQueries = new Set(groundTruth.queries.filter(({ box }) => box === undefined).map(({ image }) => image));
  const described = await describeGroundTruth(describer, groundTruth, {
    ...options,
    onDescribed(item, kind) {
      options.onDescribed?.(item, kind);
      const { map, aspect } = describer.last!;
      if (kind === 'database') maps.set(item.id, compactMap(map, { scale }));
      if (kind === 'query') ofQuery.set(item.id, localizationQuery(map, { aspect, model: regions }));
      else if (wholeQueries.has(item.image))
        ofImage.set(item.image, localizationQuery(map, { aspect, model: regions }));
    },
  });
  for (const { id, image, box } of groundTruth.queries) {
    const whole = box === undefined ? ofImage.get(image) : undefined;
    if (whole !== undefined && !ofQuery.has(id)) ofQuery.set(id, whole);
  }
  return { described, maps, queries: ofQuery };
}
