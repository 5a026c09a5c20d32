/**
 * @file The portable descriptor model: an ONNX file for images of any size, or one per image size, straight from the engine's recording,
 * with weights and preprocessing inside. The caller resizes: the input is [1, H, W, 3] float32 RGB 0-255, the output [1, D] unit rows.
 */
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { recordedSizes, recordModel } from '../backend/index.js';
import type { FileSet, WriteOptions } from '../data/files.js';
import { InputError } from '../errors.js';
import type { DescriptorModel } from '../models/descriptor.js';
import { sizingFor } from '../retrieval/describe.js';
import type { RegionSource } from '../models/region-source.js';
import { describeInGraph } from '../rpn/graph-pooling.js';
import { RpnHead } from '../rpn/head.js';
import { assertProposals } from '../rpn/proposal-describer.js';
import { encodeMeta, type ModelMeta } from '../models/meta.js';
import { pooledRegions } from './grid-operators.js';
import {
  type ExportedFile,
  type ExportManifest,
  type ImageSize,
  inputName,
  outputName,
  type Precision,
} from './manifest.js';
import { writeExport } from './write-export.js';

export interface ExportOptions extends WriteOptions {
  /** What R-MAC pools in place of the model's own regions. Proposals are found inside the file. */
  regions?: RegionSource | undefined;
  /** How weights are stored; what is computed is float32. Default `float32`. */
  precision?: Precision | undefined;
}

/**
 * Writes one ONNX file for images of any size, or one per size, and the manifest into `folder`, all together. Proposals need
 * sizes. @throws InputError where there is an export already, or sizes are missing.
 */
export async function exportOnnx(
  model: DescriptorModel,
  folder: string,
  sizes: readonly ImageSize[] | 'any',
  { regions, precision = 'float32', ...options }: ExportOptions = {},
): Promise<ExportManifest> {
  const meta = metaWith(model, regions);
  if (sizes === 'any' && meta.regions !== undefined) {
    throw new InputError('Proposals are found in a file of one image size: name the sizes (--sizes).');
  }
  const about = {
    format: 'onnx',
    ...(sizes === 'any' && { resize: resizeRule(meta) }),
    precision,
    model: meta,
  } as const;
  return writeExport(folder, { ...about, dimension: model.dimension }, options, (set) =>
    addModels(set, model, { folder, sizes, meta, precision }),
  );
}

async function addModels(
  set: FileSet,
  model: DescriptorModel,
  {
    folder,
    sizes,
    meta,
    precision,
  }: { folder: string; sizes: readonly ImageSize[] | 'any'; meta: ModelMeta; precision: Precision },
): Promise<ExportedFile[]> {
  const files: ExportedFile[] = [];
  const common = { inputName, outputName, weights: precision, metadata: { rmac: encodeMeta(meta) } };
  const add = async (file: string, bytes: Uint8Array, size: Partial<ImageSize>) => {
    await set.add(join(folder, file), bytes);
    files.push({ file, ...size, bytes: bytes.length });
  };
  if (sizes === 'any') {
    const bytes = recordModel((image) => describeAnySize(model, image as tf.Tensor4D), {
      ...common,
      inputShape: [1, 'height', 'width', 3],
      shapes: recordedSizes.map(([height, width]) => [1, height, width, 3]),
    });
    await add('descriptor.onnx', bytes, {});
    return files;
  }
  const head = meta.regions && new RpnHead(meta.rpn!, model.channels, model.rpnWeights);
  try {
    for (const { width, height } of sizes) {
      const describe = (images: tf.Tensor4D) =>
        head === undefined || meta.regions === undefined
          ? model.describe(images)
          : describeInGraph(model, head, { source: meta.regions, images });
      const bytes = recordModel((image) => describe(image as tf.Tensor4D), {
        ...common,
        inputShape: [1, height, width, 3],
      });
      await add(`descriptor-${width}x${height}.onnx`, bytes, { width, height });
    }
    return files;
  } finally {
    head?.dispose();
  }
}

/** `model.describe`, with the grid of R-MAC found in the graph. */
function describeAnySize(model: DescriptorModel, images: tf.Tensor4D): tf.Tensor2D {
  const { pooling } = model.meta;
  if (pooling.kind !== 'rmac') return model.describe(images);
  return tf.tidy(() => model.aggregate(pooledRegions(model.featureMap(images), images, pooling, model.stride)));
}

/** How `rmac extract` sizes images for the model. */
function resizeRule(meta: ModelMeta): NonNullable<ExportManifest['resize']> {
  const { longest, upscale = true } = sizingFor(meta);
  return { longestSide: longest as number, enlarge: upscale, filter: meta.preprocessing.filter ?? 'lanczos3' };
}

/** The model's meta with these regions in place of its own. */
export function metaWith({ meta }: DescriptorModel, regions: RegionSource | undefined): ModelMeta {
  if (regions === undefined && meta.regions === undefined) return meta;
  const { regions: own, ...rest } = meta;
  const source = regions ?? own!;
  if (source.proposals === 0) return rest;
  assertProposals(meta);
  return { ...rest, regions: source };
}
