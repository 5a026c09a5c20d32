/**
 * @file The descriptor as graph models of TensorFlow.js, one per image size: `loadGraphModel` of any of its builds reads them, and every
 * backend of its runs them. Input [1, height, width, 3] float32 RGB 0-255, output [1, D] unit rows.
 */
import { join } from 'node:path';
import type * as tf from '@tensorflow/tfjs-core';
import type { FileSet, WriteOptions } from '../data/files.js';
import { InputError } from '../errors.js';
import { toHalf } from '../linear/half-float.js';
import type { DescriptorModel } from '../models/descriptor.js';
import {
  type ExportedFile,
  type ExportManifest,
  type ImageSize,
  inputName,
  outputName,
  type Precision,
} from './manifest.js';
import { type GraphConstant, recordGraphModel } from './tfjs-graph.js';
import { extents } from './tfjs-nodes.js';
import { writeExport } from './write-export.js';

export interface GraphModelOptions extends WriteOptions {
  /** How filters and matrices are stored. Default `float32`. */
  precision?: Exclude<Precision, 'int8'> | undefined;
}

/**
 * Writes `descriptor-WIDTHxHEIGHT.json` and its weights (`.bin`) for each size, and the manifest, into `folder`, all together.
 * @throws InputError where there is an export already, and for a model that pools proposals.
 */
export async function exportTfjs(
  model: DescriptorModel,
  folder: string,
  sizes: readonly ImageSize[],
  { precision = 'float32', ...options }: GraphModelOptions = {},
): Promise<ExportManifest> {
  const { meta, dimension } = model;
  if (meta.regions !== undefined) {
    throw new InputError('Graph models of TensorFlow.js pool no proposals: pass --regions grid, or use --format onnx.');
  }
  return writeExport(folder, { format: 'tfjs', precision, model: meta, dimension }, options, (set) =>
    addGraphModels(set, model, { folder, sizes, precision }),
  );
}

async function addGraphModels(
  set: FileSet,
  model: DescriptorModel,
  { folder, sizes, precision }: { folder: string; sizes: readonly ImageSize[]; precision: Precision },
): Promise<ExportedFile[]> {
  const files: ExportedFile[] = [];
  // Shifts and the least norm keep their digits.
  const isHalf = ({ dtype, shape }: GraphConstant) =>
    precision === 'float16' && dtype === 'float32' && shape.length > 1;
  for (const { width, height } of sizes) {
    const shape = [1, height, width, 3];
    // By the graph that trains: what a compiled trunk does, TensorFlow.js would not see.
    const describe = (images: tf.Tensor) =>
      model.describeFromPrefix(model.prefix(images as tf.Tensor4D, 'none'), 'none', [height, width]);
    const { nodes, constants } = recordGraphModel(describe, { shape, inputName, outputName });
    const name = `descriptor-${width}x${height}`;
    const weights = Buffer.concat(constants.map((constant) => bytesOf(constant, isHalf(constant))));
    const end = (of: string, dims: number[]) => ({ name: `${of}:0`, dtype: 'DT_FLOAT', tensorShape: extents(dims) });
    const graph = {
      format: 'graph-model',
      generatedBy: 'rmac',
      signature: {
        inputs: { [inputName]: end(inputName, shape) },
        outputs: { [outputName]: end(outputName, [1, model.dimension]) },
      },
      modelTopology: { node: nodes, library: {}, versions: { producer: 27 } },
      weightsManifest: [
        {
          paths: [`${name}.bin`],
          weights: constants.map((constant) => ({
            name: constant.name,
            shape: constant.shape,
            dtype: constant.dtype,
            ...(isHalf(constant) && { quantization: { dtype: 'float16', original_dtype: 'float32' } }),
          })),
        },
      ],
    };
    const json = `${JSON.stringify(graph)}\n`;
    await set.add(join(folder, `${name}.bin`), weights);
    await set.add(join(folder, `${name}.json`), json);
    files.push({ file: `${name}.json`, width, height, bytes: weights.length + Buffer.byteLength(json) });
  }
  return files;
}

function bytesOf({ values }: GraphConstant, half: boolean): Uint8Array {
  const { buffer, byteOffset, byteLength } = half ? toHalf(values as Float32Array) : values;
  return new Uint8Array(buffer, byteOffset, byteLength);
}
