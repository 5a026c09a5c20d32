/**
 * @file The portable descriptor model: one ONNX file per image size straight from the engine's recording, with weights
 * and preprocessing inside. The caller resizes: the input is [1, H, W, 3] float32 RGB 0-255, the output [1, D] unit rows.
 */
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import sharp from 'sharp';
import { recordModel } from '../backend/index.js';
import { assertWritable, FileSet, type WriteOptions } from '../data/files.js';
import { withFolderLock } from '../data/folder-lock.js';
import { decodeImage } from '../data/images.js';
import type { DescriptorModel } from '../models/descriptor.js';
import type { RegionSource } from '../models/region-source.js';
import { describeInGraph } from '../rpn/graph-pooling.js';
import { RpnHead } from '../rpn/head.js';
import { assertProposals, ProposalDescriber } from '../rpn/proposal-describer.js';
import { encodeMeta, type ModelMeta } from '../models/meta.js';
import { largest, smallest } from '../extremes.js';
import { type ExportedFile, type ExportManifest, type ImageSize, manifestName } from './manifest.js';

const inputName = 'image';
const outputName = 'descriptor';

export interface ExportOptions extends WriteOptions {
  /** What R-MAC pools in place of the model's own regions. Proposals are found inside the file. */
  regions?: RegionSource | undefined;
}

/** Writes one ONNX file per size and the manifest into `folder`, all together. */
export async function exportOnnx(
  model: DescriptorModel,
  folder: string,
  sizes: readonly ImageSize[],
  { regions, ...options }: ExportOptions = {},
): Promise<ExportManifest> {
  const manifestPath = join(folder, manifestName);
  assertWritable(manifestPath, options);
  const meta = metaWith(model, regions);
  return withFolderLock(folder, async () => {
    const set = new FileSet(options);
    try {
      const files = await addModels(set, model, { folder, sizes, meta });
      const manifest: ExportManifest = {
        format: 'onnx',
        input: { name: inputName, layout: '[1, height, width, 3]', type: 'float32', values: 'RGB 0-255' },
        output: { name: outputName, layout: '[1, dimension]', type: 'float32', dimension: model.dimension },
        files,
        model: meta,
      };
      await set.add(manifestPath, `${JSON.stringify(manifest, null, 2)}\n`);
      await set.commit();
      return manifest;
    } finally {
      await set.discard();
    }
  });
}

async function addModels(
  set: FileSet,
  model: DescriptorModel,
  { folder, sizes, meta }: { folder: string; sizes: readonly ImageSize[]; meta: ModelMeta },
): Promise<ExportedFile[]> {
  const files: ExportedFile[] = [];
  const head = meta.regions && new RpnHead(meta.rpn!, model.channels, model.rpnWeights);
  try {
    for (const { width, height } of sizes) {
      const describe = (images: tf.Tensor4D) =>
        head === undefined || meta.regions === undefined
          ? model.describe(images)
          : describeInGraph(model, head, { source: meta.regions, images });
      const bytes = recordModel((image) => describe(image as tf.Tensor4D), {
        inputShape: [1, height, width, 3],
        inputName,
        outputName,
        metadata: { rmac: encodeMeta(meta) },
      });
      const file = `descriptor-${width}x${height}.onnx`;
      await set.add(join(folder, file), bytes);
      files.push({ file, width, height, bytes: bytes.length });
    }
    return files;
  } finally {
    head?.dispose();
  }
}

/** The model's meta with these regions in place of its own. */
function metaWith({ meta }: DescriptorModel, regions: RegionSource | undefined): ModelMeta {
  if (regions === undefined && meta.regions === undefined) return meta;
  const { regions: own, ...rest } = meta;
  const source = regions ?? own!;
  if (source.proposals === 0) return rest;
  assertProposals(meta);
  return { ...rest, regions: source };
}

export interface Verification extends ImageSize {
  /** Pictures compared: photographs, or one that is made up. */
  pictures: number;
  /** Largest absolute difference of a component. */
  maxDifference: number;
  /** Smallest cosine of two descriptors. */
  cosine: number;
  ok: boolean;
}

/** Components of unit descriptors must agree to this (float32 arithmetic in another order). */
export const tolerance = 1e-4;

export interface VerifyOptions {
  /** The regions it was exported with, in place of the model's own. */
  regions?: RegionSource | undefined;
  /** Photographs to compare on, brought to the file's size; default: a picture that is made up. */
  images?: readonly string[];
}

/**
 * Runs one exported file in plain ONNX Runtime, without anything of this project's engine, and compares with the model: with
 * proposals, with those found in plain numbers.
 */
export async function verifyOnnx(
  model: DescriptorModel,
  folder: string,
  { file, width, height }: ExportedFile,
  { regions, images = [] }: VerifyOptions = {},
): Promise<Verification> {
  const meta = metaWith(model, regions);
  const describer = meta.regions && new ProposalDescriber(model, meta.regions);
  const session = await InferenceSession.create(join(folder, file));
  const shape: [number, number, number, number] = [1, height, width, 3];
  const compare = async (pixels: Float32Array) => {
    const outputs = await session.run({ [inputName]: new Tensor('float32', pixels, shape) });
    const actual = outputs[outputName]?.data as Float32Array;
    const expected = tf.tidy(() => (describer ?? model).describe(tf.tensor4d(pixels, shape)).dataSync());
    return differenceOf(actual, expected);
  };
  const found: { maxDifference: number; cosine: number }[] = [];
  try {
    if (images.length === 0) found.push(await compare(testPicture(width, height)));
    for (const path of images) found.push(await compare(await photograph(path, { width, height })));
  } finally {
    await session.release();
    describer?.dispose();
  }
  const maxDifference = largest(found.map((pair) => pair.maxDifference));
  const cosine = smallest(found.map((pair) => pair.cosine));
  return { width, height, pictures: found.length, maxDifference, cosine, ok: maxDifference <= tolerance };
}

function differenceOf(actual: ArrayLike<number>, expected: ArrayLike<number>) {
  let maxDifference = actual.length === expected.length ? 0 : Number.POSITIVE_INFINITY;
  let cosine = 0;
  for (let i = 0; i < expected.length; i++) {
    maxDifference = Math.max(maxDifference, Math.abs(actual[i] - expected[i]));
    cosine += actual[i] * expected[i];
  }
  return { maxDifference, cosine };
}

/** [height, width, 3] RGB 0-255 of a file, bent to the size. */
async function photograph(path: string, { width, height }: ImageSize): Promise<Float32Array> {
  const { data, ...raw } = await decodeImage(path);
  const resized = sharp(data, { raw: { ...raw, channels: 3 } }).resize(width, height, { fit: 'fill' });
  return Float32Array.from(await resized.raw().toBuffer());
}

/** Smooth colour waves with edges: every size gives the same kind of picture, without a file. */
function testPicture(width: number, height: number): Float32Array {
  const pixels = new Float32Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const tile = (Math.floor(x / 23) + Math.floor(y / 17)) % 2;
      for (let c = 0; c < 3; c++) {
        const wave = Math.sin(x * (0.021 + 0.013 * c)) * Math.cos(y * (0.034 - 0.007 * c));
        pixels[(y * width + x) * 3 + c] = Math.round(127 + 70 * wave + (tile === 0 ? -40 : 40));
      }
    }
  }
  return pixels;
}
