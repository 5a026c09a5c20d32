/** @file A manifest becomes two: to train on, and held back. */
import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { countBy } from '../data/group-by.js';
import { type ImageRecord, readManifest } from '../data/manifest.js';
import { type SplitKind, splitRecords } from '../data/split.js';
import { type ImageLink, writeManifests } from '../data/write-manifests.js';
import { UsageError } from '../errors.js';
import { silentView, type StageContext } from './context.js';
import { noteLink } from './scan.js';

/** Which manifest, and what is held back of it. */
export interface SplitStageOptions {
  manifest: string;
  /** What is held back: photographs of every landmark, or whole landmarks or groups. */
  by: SplitKind;
  /** Share to hold back, in (0, 1). */
  val: number;
  /** Default 0. */
  seed?: number;
  /** Folder of train.jsonl and val.jsonl. Default: the manifest's. */
  out?: string;
  /** Replace existing files. */
  overwrite?: boolean;
}

/** One of the two manifests. */
export interface SplitHalf {
  manifest: string;
  images: number;
  landmarks: number;
  /** Landmarks with one image. */
  single: number;
}

/** Both halves. */
export interface SplitReport {
  by: SplitKind;
  seed: number;
  /** To the photographs, where they are not below the folder. */
  link?: ImageLink;
  train: SplitHalf;
  val: SplitHalf;
}

/** @throws UsageError where the manifest itself would be replaced; InputError where one half would be empty. */
export async function split(
  options: SplitStageOptions,
  { view = silentView }: StageContext = {},
): Promise<SplitReport> {
  const { manifest, by, val: validation, seed = 0, out = dirname(manifest) } = options;
  const [train, val] = [join(out, 'train.jsonl'), join(out, 'val.jsonl')];
  for (const file of [train, val]) {
    if (isSameFile(file, manifest)) {
      throw new UsageError(`${manifest} would be replaced by its own split; give another folder with --out.`);
    }
  }
  const halves = splitRecords(await readManifest(manifest), { by, validation, seed });
  const outputs = [
    { file: val, records: halves.validation },
    { file: train, records: halves.train },
  ];
  const link = await writeManifests(outputs, dirname(manifest), options);
  noteLink(view, link);
  const report = { train: halfOf(train, halves.train), val: halfOf(val, halves.validation) };
  const { single } = report.val;
  if (single > 0) {
    view.note(`Warning: ${single} landmarks have one image in ${val}; alone they are queries without a right answer.`);
  }
  return { by, seed, ...(link && { link }), ...report };
}

function halfOf(manifest: string, records: readonly ImageRecord[]): SplitHalf {
  const sizes = countBy(records, ({ landmark }) => landmark);
  const single = [...sizes.values()].filter((size) => size === 1).length;
  return { manifest, images: records.length, landmarks: sizes.size, single };
}

function isSameFile(a: string, b: string): boolean {
  try {
    return realpathSync(a) === realpathSync(b);
  } catch {
    return false; // one of them is not there yet
  }
}
