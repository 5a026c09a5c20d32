/**
 * @file The portable descriptor model: one ONNX file per image size straight from the engine's recording, with weights
 * and preprocessing inside. The caller resizes: the input is [1, H, W, 3] float32 RGB 0-255, the output [1, D] unit rows.
 */
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { recordModel } from '../backend/index.js';
import { assertWritable, type WriteOptions, writeFileAtomic } from '../data/files.js';
import type { DescriptorModel } from '../models/descriptor.js';
import { encodeMeta, type ModelMeta } from '../models/meta.js';

export interface ImageSize {
  width: number;
  height: number;
}

export interface ExportedFile extends ImageSize {
  /** Name inside the export folder. */
  file: string;
  bytes: number;
}

/** `descriptor-model.json`: what a program needs to know to use the files. */
export interface ExportManifest {
  format: 'onnx';
  input: { name: string; layout: '[1, height, width, 3]'; type: 'float32'; values: 'RGB 0-255' };
  output: { name: string; layout: '[1, dimension]'; type: 'float32'; dimension: number };
  files: ExportedFile[];
  model: ModelMeta;
}

export const manifestName = 'descriptor-model.json';
const inputName = 'image';
const outputName = 'descriptor';

/** Writes one ONNX file per size and the manifest, last, into `folder`. */
export async function exportOnnx(
  model: DescriptorModel,
  folder: string,
  sizes: readonly ImageSize[],
  options: WriteOptions = {},
): Promise<ExportManifest> {
  const manifestPath = join(folder, manifestName);
  assertWritable(manifestPath, options);
  const files: ExportedFile[] = [];
  for (const { width, height } of sizes) {
    const bytes = recordModel((image) => model.describe(image as tf.Tensor4D), {
      inputShape: [1, height, width, 3],
      inputName,
      outputName,
      metadata: { rmac: encodeMeta(model.meta) },
    });
    const file = `descriptor-${width}x${height}.onnx`;
    await writeFileAtomic(join(folder, file), bytes, options);
    files.push({ file, width, height, bytes: bytes.length });
  }
  const manifest: ExportManifest = {
    format: 'onnx',
    input: { name: inputName, layout: '[1, height, width, 3]', type: 'float32', values: 'RGB 0-255' },
    output: { name: outputName, layout: '[1, dimension]', type: 'float32', dimension: model.dimension },
    files,
    model: model.meta,
  };
  await writeFileAtomic(manifestPath, `${JSON.stringify(manifest, null, 2)}\n`, options);
  return manifest;
}

export interface Verification extends ImageSize {
  /** Largest absolute difference of a component. */
  maxDifference: number;
  /** Cosine of the two descriptors. */
  cosine: number;
  ok: boolean;
}

/** Components of unit descriptors must agree to this (float32 arithmetic in another order). */
export const tolerance = 1e-4;

/**
 * Runs one exported file in plain ONNX Runtime, without anything of this project's engine, on a test picture, and
 * compares with the model.
 */
export async function verifyOnnx(
  model: DescriptorModel,
  folder: string,
  { file, width, height }: ExportedFile,
): Promise<Verification> {
  const pixels = testPicture(width, height);
  const session = await InferenceSession.create(join(folder, file));
  const outputs = await session.run({ [inputName]: new Tensor('float32', pixels, [1, height, width, 3]) });
  await session.release();
  const actual = outputs[outputName]?.data as Float32Array;
  const expected = tf.tidy(() => model.describe(tf.tensor4d(pixels, [1, height, width, 3])).dataSync());
  let maxDifference = actual.length === expected.length ? 0 : Number.POSITIVE_INFINITY;
  let cosine = 0;
  for (let i = 0; i < expected.length; i++) {
    maxDifference = Math.max(maxDifference, Math.abs(actual[i] - expected[i]));
    cosine += actual[i] * expected[i];
  }
  return { width, height, maxDifference, cosine, ok: maxDifference <= tolerance };
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
