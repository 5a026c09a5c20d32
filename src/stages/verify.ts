/** @file Exported files against the model they were made of. */
import { join } from 'node:path';
import { loadModel } from '../data/model-file.js';
import { readExportManifest } from '../export/manifest.js';
import { type Verification, verifyOnnx } from '../export/verify-onnx.js';
import { InputError, messageOf } from '../errors.js';
import { type ExportReport, photographs } from './export.js';
import { type EngineChoice, openEngine } from './open-model.js';

/** Which export is compared with which model. */
export interface VerifyStageOptions extends EngineChoice {
  /** The model that was exported. */
  model: string;
  /** The export folder. */
  out: string;
  /** Folder, manifest or list whose first photographs are compared on. Default: a picture that is made up. */
  images?: string;
}

/** Runs every file in plain ONNX Runtime. @throws InputError naming a file that does not run there. */
export async function verifyExport(options: VerifyStageOptions): Promise<ExportReport> {
  const { out } = options;
  const manifest = await readExportManifest(out);
  if (manifest.format !== 'onnx')
    throw new InputError(`${out} holds no ONNX files; expected rmac export descriptor-model --format onnx.`);
  await openEngine(options);
  const model = await loadModel(options.model);
  try {
    const regions = manifest.model.regions ?? { grid: true, proposals: 0 };
    const { resize, precision } = manifest;
    const comparing = { regions, resize, precision, images: await photographs(options.images) };
    const verified: Verification[] = [];
    for (const file of manifest.files) {
      try {
        verified.push(await verifyOnnx(model, out, file, comparing));
      } catch (error) {
        throw new InputError(`${join(out, file.file)} does not run in ONNX Runtime: ${messageOf(error)}`);
      }
    }
    return { out, manifest, verified };
  } finally {
    model.dispose();
  }
}
