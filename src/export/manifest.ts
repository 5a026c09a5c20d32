/** @file `descriptor-model.json` of an export folder: what a program needs to know to use the files. */
import { join } from 'node:path';
import { z } from 'zod';
import { readText } from '../data/read-file.js';
import { InputError, messageOf } from '../errors.js';
import { checkMeta, largestImageSize, type ModelMeta } from '../models/meta.js';

export const manifestName = 'descriptor-model.json';
/** The values of `--format`: ONNX, or graph models of TensorFlow.js. */
export const formats = ['onnx', 'tfjs'] as const;
/** Of every exported file. */
export const inputName = 'image';
export const outputName = 'descriptor';

const side = z.int().min(1).max(largestImageSize);
const fileSchema = z.object({
  /** Name inside the export folder. */
  file: z.string().regex(/^\w[\w.-]*\.(onnx|json)$/, 'the name of a model file beside it expected'),
  /** Absent: the file takes images of any size. */
  width: side.optional(),
  height: side.optional(),
  bytes: z.int().min(0),
});
/** The values of `--precision`: how a file stores its weights. It computes in float32. */
export const precisions = ['float32', 'float16', 'int8'] as const;
const manifestSchema = z.object({
  format: z.enum(formats),
  input: z.object({
    name: z.string(),
    layout: z.literal('[1, height, width, 3]'),
    type: z.literal('float32'),
    values: z.literal('RGB 0-255'),
  }),
  output: z.object({
    name: z.string(),
    layout: z.literal('[1, dimension]'),
    type: z.literal('float32'),
    dimension: z.int().min(1),
  }),
  /** How images are brought to size for a file that takes any; others are brought to the file's. */
  resize: z
    .object({
      /** The longer side becomes this, px, and the shorter one follows, rounded. */
      longestSide: side,
      /** Whether a smaller image is enlarged to it. */
      enlarge: z.boolean(),
      filter: z.enum(['lanczos3', 'cubic']),
    })
    .optional(),
  precision: z.enum(precisions).optional(),
  files: z.array(fileSchema).min(1),
  model: z.unknown(),
});

export type ExportFormat = (typeof formats)[number];
export type Precision = (typeof precisions)[number];
export type ExportedFile = z.output<typeof fileSchema>;
export interface ImageSize {
  width: number;
  height: number;
}
export type ExportManifest = Omit<z.output<typeof manifestSchema>, 'model'> & { model: ModelMeta };

/** Reads and checks the manifest of an export folder. @throws InputError naming the file and what is wrong in it. */
export async function readExportManifest(folder: string): Promise<ExportManifest> {
  const path = join(folder, manifestName);
  let json: unknown;
  try {
    json = JSON.parse(await readText(path));
  } catch (error) {
    throw new InputError(`Cannot read ${path} (written by rmac export descriptor-model): ${messageOf(error)}`);
  }
  const parsed = manifestSchema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue.path.join('.') || 'top level';
    throw new InputError(`${path}: ${where}: ${issue.message}; write it again by rmac export descriptor-model.`);
  }
  return { ...parsed.data, model: checkMeta(parsed.data.model, path) };
}
