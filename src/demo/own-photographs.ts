/** @file The user's folder per landmark as the demo needs it: training photographs, and queries for validation and test. */
import { join } from 'node:path';
import { writeFileAtomic } from '../data/files.js';
import { groupBy } from '../data/group-by.js';
import { linkImages } from '../data/image-link.js';
import { type ImageRecord, pathInside, writeManifest } from '../data/manifest.js';
import { scanFolder, type ScanResult } from '../data/scan.js';
import { splitRecords } from '../data/split.js';
import { InputError } from '../errors.js';
import { type GroundTruth, labelsGroundTruth } from '../retrieval/ground-truth.js';
import type { DemoFolder } from './demo-folder.js';

/** From here on a third of the landmarks can be kept for the test. */
const landmarksForUnseen = 6;
/** One to train on, one held back, one more for a pair in training. */
const photosPerLandmark = 3;

export interface PhotographSplit {
  train: ImageRecord[];
  validation: GroundTruth;
  test: GroundTruth;
  /** Whether the test asks about landmarks that training never sees. */
  unseen: boolean;
}

/**
 * Splits photographs. With six landmarks or more a third of the landmarks is the test, never trained on; with fewer, a
 * quarter of every landmark's photographs. Of the rest, a quarter of the photographs is held back for validation.
 */
export function splitForDemo(records: readonly ImageRecord[], seed: number): PhotographSplit {
  const landmarks = groupBy(records, ({ landmark }) => landmark).size;
  const unseen = landmarks >= landmarksForUnseen;
  const { train: rest, validation: test } = splitRecords(
    records,
    unseen ? { by: 'landmark', validation: 1 / 3, seed } : { by: 'photo', validation: 1 / 4, seed },
  );
  const { train, validation } = splitRecords(rest, { by: 'photo', validation: 1 / 4, seed });
  return {
    train,
    validation: askAbout(validation, rest),
    test: askAbout(test, unseen ? test : records),
    unseen,
  };
}

/** Every photograph of `queries` asks for the others of its landmark in `database`. */
function askAbout(queries: readonly ImageRecord[], database: readonly ImageRecord[]): GroundTruth {
  const asked = new Set(queries.map(({ id }) => id));
  const all = labelsGroundTruth(database);
  return { database: all.database, queries: all.queries.filter(({ id }) => asked.has(id)) };
}

/** Scans `images`, splits, and writes the demo's lists; the photographs are reached through a link. */
export async function preparePhotographs(
  images: string,
  folder: DemoFolder,
  {
    seed,
    signal,
    onProgress,
  }: { seed: number; signal?: AbortSignal; onProgress?: (done: number, total: number) => void },
): Promise<{ scan: ScanResult; split: string }> {
  const scan = await scanFolder(images, { minImages: photosPerLandmark, signal, onProgress });
  const landmarks = scan.landmarks.filter((landmark) => landmark.images > 0).length;
  if (landmarks < 2) {
    throw new InputError(
      `${images} has ${landmarks} folders with ${photosPerLandmark} usable photographs; the demo needs a folder per landmark, two at least.`,
    );
  }
  const { records } = await linkImages(folder.photographs, images, scan.records);
  const { train, validation, test, unseen } = splitForDemo(records, seed);
  await writeManifest(folder.trainManifest, train, { overwrite: true });
  await writeGroundTruth(folder.validation, validation, folder.photographs);
  await writeGroundTruth(folder.test, test, folder.photographs);
  await writeManifest(join(folder.photographs, 'manifest.jsonl'), records, { overwrite: true });
  const split = unseen
    ? 'split by landmark'
    : `split by photograph: with fewer than ${landmarksForUnseen} landmarks none can be kept out of training`;
  return { scan, split };
}

async function writeGroundTruth(file: string, { queries, database }: GroundTruth, root: string): Promise<void> {
  const inside = <T extends { image: string }>(entry: T) => ({ ...entry, image: pathInside(root, entry.image) });
  const content = { queries: queries.map(inside), database: database.map(inside) };
  await writeFileAtomic(file, `${JSON.stringify(content)}\n`, { overwrite: true });
}
