/** @file Published weights become a model file. */
import { assertWritable, writeFileSet } from '../data/files.js';
import { encodeModelFile } from '../data/model-file.js';
import { openWeights } from '../data/open-weights.js';
import { importClassifier } from '../models/import-classifier.js';
import type { ModelMeta, PoolingKind } from '../models/meta.js';
import { importFile } from '../models/weights/import-file.js';
import { encodePublishedClassifier } from '../train/classify/classifier-file.js';

/** Which weight file, of which network, and where to. */
export interface WeightsImportOptions {
  /** .safetensors, .pth, .h5, model.json, .caffemodel or .mat. */
  file: string;
  /** Name of the network. */
  arch: string;
  /** Layer whose output is the feature map. Default: the last one. */
  cut?: string;
  /** Default `rmac`. */
  pooling?: PoolingKind;
  /** Levels of the R-MAC grid. Default 3. */
  levels?: number;
  /** Longest image side that the model is made for, px. */
  size?: number;
  /** What stands before the network's names. Default: what most of them stand behind. */
  prefix?: string;
  /** Where the weights come from. Default: what the file says. */
  provenance?: string;
  /** Which stored whitening of a retrieval model, or `none`. Default: the first. */
  whitening?: string;
  /** File for fc6 and fc7 of VGG or AlexNet. */
  withClassifier?: string;
  /** Model file to write. */
  out: string;
  /** Replace existing files. */
  overwrite?: boolean;
}

export interface WeightsImportReport extends ModelMeta {
  /** The file that was written. */
  model: string;
  /** Kind of the file that was read, and whose names it has. */
  format: string;
  layout: string;
  prefix: string;
  /** The retrieval system that the file is a model of, and the whitening that was taken of it. */
  system?: string;
  whiteningName?: string | undefined;
  tensors: number;
  /** Values of all tensors. */
  parameters: number;
  /** Names of tensors that were left out: of the classifier, not behind the prefix, behind the cut. */
  skipped: { head: readonly string[]; outside: readonly string[]; behindCut: readonly string[] };
  classifier?: string;
}

/** @throws InputError that lists what does not fit the network; UsageError for a network that is not known. */
export async function importModel(options: WeightsImportOptions): Promise<WeightsImportReport> {
  const { file, out, withClassifier, pooling: kind, levels } = options;
  for (const path of [out, withClassifier]) if (path !== undefined) assertWritable(path, options);
  const source = await openWeights(file);
  const converted = importFile(source, file, {
    architecture: options.arch,
    cut: options.cut,
    pooling: { ...(kind !== undefined && { kind }), ...(levels !== undefined && { levels }) },
    imageSize: options.size,
    prefix: options.prefix,
    provenance: options.provenance ?? source.metadata.source,
    whitening: options.whitening,
  });
  const { meta, weights, layout, prefix, head, outside, behindCut, system, whiteningName } = converted;
  const files: [string, Uint8Array][] = [[out, encodeModelFile(meta, weights)]];
  if (withClassifier !== undefined) {
    const { architecture } = meta;
    const layers = importClassifier(source.tensors, file, { architecture, layout, prefix });
    files.push([withClassifier, encodePublishedClassifier(architecture, layers)]);
  }
  await writeFileSet(files, options);
  return {
    model: out,
    ...meta,
    format: source.format,
    layout,
    prefix,
    ...(system && { system, whiteningName }),
    tensors: weights.size,
    parameters: [...weights.values()].reduce((sum, { data }) => sum + data.length, 0),
    skipped: { head, outside, behindCut },
    ...(withClassifier !== undefined && { classifier: withClassifier }),
  };
}
