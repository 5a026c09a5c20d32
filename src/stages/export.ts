/** @file The whole descriptor (preprocessing, trunk, pooling, whitening) as ONNX, checked, or as graph models of TensorFlow.js. */
import { join } from 'node:path';
import { listImages } from '../data/image-list.js';
import { loadModel } from '../data/model-file.js';
import { UsageError } from '../errors.js';
import type { ExportFormat, ExportManifest, ImageSize, Precision } from '../export/manifest.js';
import { type FileMap, measureFile } from '../export/measure-file.js';
import { exportOnnx } from '../export/onnx.js';
import { exportTfjs } from '../export/tfjs.js';
import { type Verification, verifyOnnx } from '../export/verify-onnx.js';
import type { RegionSource } from '../models/region-source.js';
import { mainGroundTruth, openTruth } from '../retrieval/protocols/open-truth.js';
import { type EngineChoice, openEngine } from './open-model.js';

/** Which model, for which image sizes, and where to. */
export interface ExportStageOptions extends EngineChoice {
  /** Model file. */
  model: string;
  /** Folder of the files and descriptor-model.json. */
  out: string;
  /** ONNX, or graph models of TensorFlow.js: float32 or float16, always of fixed sizes, without proposals, not checked. Default `onnx`. */
  format?: ExportFormat;
  /**
   * One file for each of these. Default: one file for images of any size; with proposals and as graph models landscape and portrait of 4:3,
   * and square, of the model's longest side.
   */
  sizes?: readonly ImageSize[];
  /** How the file stores its weights. Default `float32`. */
  precision?: Precision;
  /** What R-MAC pools. Default: the model's own regions. */
  regions?: RegionSource;
  /** Folder, manifest or list whose first photographs are compared on. Default: a picture that is made up. */
  images?: string;
  /** Manifest with labels: mAP by the file for images of any size beside the model's. Default: not measured. */
  manifest?: string;
  /** Replace existing files. */
  overwrite?: boolean;
}

/** What was exported, and how it agrees with the model. */
export interface ExportReport {
  out: string;
  /** What descriptor-model.json says. */
  manifest: ExportManifest;
  /** How each of its files agrees with the model; look at `ok`. Empty for graph models. */
  verified: Verification[];
  /** mAP by the model and by the file, where a manifest was given. */
  map?: FileMap;
}

/** Photographs compared at most. */
export const mostPictures = 20;

/**
 * Writes the files, then runs each in plain ONNX Runtime. @throws InputError where one is there already; UsageError for what the format
 * does not have.
 */
export async function exportModel(options: ExportStageOptions): Promise<ExportReport> {
  const { out, regions, precision, overwrite } = options;
  if (options.format === 'tfjs') return exportGraphModels(options);
  await openEngine(options);
  const model = await loadModel(options.model);
  try {
    const proposes = (regions ?? model.meta.regions ?? { proposals: 0 }).proposals > 0;
    const sizes = options.sizes ?? (proposes ? defaultSizes(model.meta.imageSize ?? 512) : 'any');
    if (options.manifest !== undefined && sizes !== 'any') {
      throw new UsageError(
        '--manifest measures a file for images of any size; it does not go with --sizes or proposals.',
      );
    }
    const images = await photographs(options.images);
    const manifest = await exportOnnx(model, out, sizes, { regions, precision, overwrite });
    const comparing = { regions, images, resize: manifest.resize, precision };
    const verified: Verification[] = [];
    for (const file of manifest.files) verified.push(await verifyOnnx(model, out, file, comparing));
    if (options.manifest === undefined) return { out, manifest, verified };
    const truth = await openTruth({ protocol: 'labels', manifest: options.manifest }, { images: true });
    const map = await measureFile(model, join(out, manifest.files[0].file), mainGroundTruth(truth));
    return { out, manifest, verified, map };
  } finally {
    model.dispose();
  }
}

async function exportGraphModels(options: ExportStageOptions): Promise<ExportReport> {
  const { out, sizes, precision, regions, overwrite } = options;
  if (precision === 'int8') throw new UsageError('--format tfjs: --precision float32 or float16 expected, got "int8".');
  if (regions !== undefined && regions.proposals > 0) throw new UsageError('--format tfjs: --regions grid expected.');
  for (const name of ['images', 'manifest'] as const) {
    if (options[name] !== undefined)
      throw new UsageError(`--format tfjs: --${name} compares ONNX files; leave it out.`);
  }
  await openEngine(options);
  const model = await loadModel(options.model);
  try {
    const wanted = sizes ?? defaultSizes(model.meta.imageSize ?? 512);
    return { out, manifest: await exportTfjs(model, out, wanted, { precision, overwrite }), verified: [] };
  } finally {
    model.dispose();
  }
}

/** Paths of photographs to compare on. */
export async function photographs(source: string | undefined): Promise<string[]> {
  if (source === undefined) return [];
  return (await listImages(source)).slice(0, mostPictures).map(({ path }) => path);
}

/** Landscape, portrait and square with the model's longest side. */
function defaultSizes(longest: number): ImageSize[] {
  const short = Math.round((longest * 3) / 4);
  return [
    { width: longest, height: short },
    { width: short, height: longest },
    { width: longest, height: longest },
  ];
}
