/**
 * @file What a system is to those who use it: presets by name, and a preset opened on a network's weights.
 *
 *   const system = await openSystem('os-rmac@densenet121', { weights: 'densenet121.safetensors' });
 *   if (system.needsFit) await system.fit(trainingImages);
 *   const rows = await system.describe({ path }, 'database');      // [vectors * dimension]
 *   const result = await evaluateSystem(system, groundTruth, await describeForSystem(system, groundTruth));
 */
import type { Box } from '../data/manifest.js';
import type { QuarterTurn } from '../data/rgb-image.js';
import type { DescribeFailure } from '../retrieval/descriptor-folder.js';
import type { GroundTruth } from '../retrieval/ground-truth.js';
import type { DescriptorTable } from '../retrieval/ranking.js';
import type { Similarity } from '../linear/rows.js';
import type { SystemSettings } from './settings.js';

/** A published system, whatever network it is put on. */
export interface Preset {
  name: string;
  /** One line. */
  summary: string;
  /** Paper and place in it. */
  source: string;
  /** Networks of the paper, by family (`vgg16`, `resnet50`): the layers of its maps, last first. The first is the default. */
  networks: Readonly<Record<string, readonly string[]>>;
  settings: SystemSettings;
}

/** The network a system runs on. */
export interface SystemNetwork {
  architecture: string;
  /** Layers of the maps, last first. */
  layers: readonly string[];
}

export type Role = 'query' | 'database';

/** An image, or with `box` (px of the upright image) the part of it that is the query. */
export interface SystemImage {
  path: string;
  box?: Box | undefined;
  /** Clockwise turn after EXIF that makes the image upright. */
  rotate?: QuarterTurn | undefined;
}

export interface FitReport {
  images: number;
  /** Vectors learned from. */
  rows: number;
  failures: DescribeFailure[];
  /** What is doubtful about what was learned, one line each. */
  warnings: string[];
}

export interface WorkOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((done: number) => void) | undefined;
}

/** A preset on a network, on the running engine. The caller disposes of it. */
export interface System {
  /** `<preset>@<network>`. */
  readonly name: string;
  readonly preset: Preset;
  /** The preset's, with `--size` applied and sizes bounded by what the network has. */
  readonly settings: SystemSettings;
  readonly network: SystemNetwork;
  /** Values of one vector. */
  readonly dimension: number;
  /** Vectors of one image in that role; the same for every image. */
  vectors(role: Role): number;
  /** What the database keeps of an image: float32. */
  readonly bytesPerImage: number;
  /** Describing needs `fit` first. */
  readonly needsFit: boolean;
  /** Learns whitening or selected values from images that should not be those searched. Throws `InputError` where they are too few. */
  fit(images: readonly { id: string; path: string }[], options?: WorkOptions): Promise<FitReport>;
  /** One image -> its vectors, [vectors(role) * dimension]. Throws `InputError` for an image that cannot be used. */
  describe(image: SystemImage, role: Role): Promise<Float32Array>;
  /** Vectors of the same whole image in both roles, for the price of one. */
  describeBoth(image: SystemImage): Promise<Record<Role, Float32Array>>;
  /** The queries, expanded where the preset does that. */
  expand(groundTruth: GroundTruth, described: { database: DescriptorTable; queries: DescriptorTable }): DescriptorTable;
  /** Similarities (larger is nearer) of rows of query vectors to database rows, each row the vectors of one image. */
  similarity(database: DescriptorTable): Similarity;
  /** Frees the network. */
  dispose(): void;
}
