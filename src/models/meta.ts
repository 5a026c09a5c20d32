/**
 * @file What travels with the weights: which network, where it is cut, how pixels become its input, how its map becomes
 * a descriptor. Stored as JSON under the key `rmac` of the safetensors metadata; no time, host, path or history inside.
 */
import { z } from 'zod';
import { InputError } from '../errors.js';
import { mostProposals, type RegionSource } from './region-source.js';

/** Pixel arithmetic of a network: RGB 0-255 -> `(x[channels] * scale - mean) / std`, mean and std in channel order. */
export interface Preprocessing {
  channels: 'rgb' | 'bgr';
  scale: number;
  mean: [number, number, number];
  std: [number, number, number];
  /** What images were brought to size with in training, where it was bicubic. Default: Lanczos. */
  filter?: 'cubic';
}

/** How a feature map becomes one vector. Every option where published systems differ is named; sources in regions.ts. */
export interface PoolingOptions {
  kind: PoolingKind;
  /** GeM's exponent: the value training starts from. Ignored by the other kinds. Default 3. */
  p: number;
  /** R-MAC: scales of the grid. Default 3 (Tolias); Gordo uses 2. */
  levels: number;
  /** R-MAC: the whole map as one more region, first (cirtorch, Matlab). Default false (Tolias, Gordo). */
  wholeImage: boolean;
  /** R-MAC: rigid grid of Tolias, or the 15 regions of R-MAC+ (`levels`, `wholeImage`, `plane` do not apply to it). */
  grid: 'tolias' | 'rmac-plus';
  /** R-MAC: grid laid out in cells of the map (Tolias), or in image pixels and rounded as Caffe's ROI pooling (Gordo). */
  plane: 'map' | 'image';
  /** R-MAC: arithmetic that picks the overlap and the origins: float64 (Matlab order) or float32 (torch, Gordo). */
  precision: 'f64' | 'f32';
  /** Smallest norm an l2 normalisation divides by. Default 1e-6. */
  epsilon: number;
  /** Unit vectors of regions are raised to it, signs kept, before whitening (power law, Jégou and Chum 2012: 0.5). Default: none. */
  power?: number;
}

/** Least exponent of the power law: below it noise weighs as much as what is seen. */
export const leastPower = 0.1;

/** `cls`: the class token of a vision transformer, in place of its patches. */
export const poolingKinds = ['mac', 'spoc', 'gem', 'rmac', 'cls'] as const;
export type PoolingKind = (typeof poolingKinds)[number];

/** A region proposal network over the map: its anchors (src/rpn/anchors.ts) and the channels of its 3x3 convolution. */
export interface RpnMeta {
  anchors: { base: number; scales: number[]; ratios: number[]; clip: boolean };
  channels: number;
}

/** What a descriptor model is besides its weights; stored with them under the key `rmac`. */
export interface ModelMeta {
  /** Name of the trunk: a key of `architectures`. */
  architecture: string;
  /** Layer whose output is the feature map. */
  cut: string;
  preprocessing: Preprocessing;
  pooling: PoolingOptions;
  /** Present when pooled vectors go through `projection/kernel` and `projection/bias` before l2 and whitening (dirtorch). */
  projection?: { dimension: number };
  /** Present when the model has `whitening/shift` and `whitening/kernel`. */
  whitening?: { dimension: number };
  /** Present when the model has a region proposal network (`rpn/...`). */
  rpn?: RpnMeta;
  /** Present when R-MAC pools proposals of that network, instead of the grid or beside it. */
  regions?: RegionSource;
  /** Epsilon of the batch norms where it is not the architecture's own (Keras and torchvision differ). */
  normEpsilon?: number;
  /** Longest image side the model was made for, px. */
  imageSize?: number;
  /** Where the weights come from, in words: source, licence, data set. */
  provenance?: string;
}

/** Longest side that a model may ask for, px: a ResNet takes some 4 GB for a square of it. */
export const largestImageSize = 4096;

/** Tolias' grid on the map, three levels, no whole-image region. */
export const defaultPooling: Readonly<PoolingOptions> = {
  kind: 'rmac',
  p: 3,
  levels: 3,
  wholeImage: false,
  grid: 'tolias',
  plane: 'map',
  precision: 'f64',
  epsilon: 1e-6,
};

const triple = z.tuple([z.number(), z.number(), z.number()]);
const nonZeroTriple = triple.refine((values) => values.every((v) => v > 0), 'must be above 0');

const poolingSchema = z.strictObject({
  kind: z.enum(poolingKinds),
  p: z.number().positive().default(defaultPooling.p),
  levels: z.int().min(1).max(10).default(defaultPooling.levels),
  wholeImage: z.boolean().default(defaultPooling.wholeImage),
  grid: z.enum(['tolias', 'rmac-plus']).default(defaultPooling.grid),
  plane: z.enum(['map', 'image']).default(defaultPooling.plane),
  precision: z.enum(['f64', 'f32']).default(defaultPooling.precision),
  epsilon: z.number().positive().default(defaultPooling.epsilon),
  power: z.number().min(leastPower).max(1).optional(),
});

const positives = z.array(z.number().positive()).min(1).max(32);

const rpnSchema = z.strictObject({
  anchors: z.strictObject({ base: z.number().positive(), scales: positives, ratios: positives, clip: z.boolean() }),
  channels: z.int().min(1),
});

const regionsSchema = z.strictObject({ grid: z.boolean(), proposals: z.int().min(1).max(mostProposals) });

const metaSchema = z.strictObject({
  architecture: z.string(),
  cut: z.string(),
  preprocessing: z.strictObject({
    channels: z.enum(['rgb', 'bgr']),
    scale: z.number().positive(),
    mean: triple,
    std: nonZeroTriple,
    filter: z.literal('cubic').optional(),
  }),
  pooling: poolingSchema,
  projection: z.strictObject({ dimension: z.int().min(1) }).optional(),
  whitening: z.strictObject({ dimension: z.int().min(1) }).optional(),
  rpn: rpnSchema.optional(),
  regions: regionsSchema.optional(),
  normEpsilon: z.number().positive().optional(),
  imageSize: z.int().min(1).max(largestImageSize, `at most ${largestImageSize} px`).optional(),
  provenance: z.string().optional(),
});

/** Key of the safetensors metadata that holds the JSON. */
export const metadataKey = 'rmac';

/** Checks a meta object of unknown origin. `source` names the file in the `InputError`. */
export function checkMeta(value: unknown, source: string): ModelMeta {
  const result = metaSchema.safeParse(value);
  if (!result.success) {
    const issue = result.error.issues[0];
    const where = issue.path.length > 0 ? issue.path.join('.') : 'metadata';
    throw new InputError(`${source}: model metadata: ${where}: ${issue.message}.`);
  }
  return result.data;
}

/** Parses the JSON text of the metadata. */
export function parseMeta(text: string, source: string): ModelMeta {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InputError(`${source}: the model metadata is not JSON.`);
  }
  return checkMeta(value, source);
}

/** JSON text of the metadata; key order fixed by the schema, so equal metas are equal bytes. */
export function encodeMeta(meta: ModelMeta): string {
  return JSON.stringify(checkMeta(meta, 'model'));
}
