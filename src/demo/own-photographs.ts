/** @file The user's folder per landmark as the demo needs it: training photographs, and queries for validation and test. */
import { writeFileAtomic } from '../data/files.js';
import { groupBy } from '../data/group-by.js';
import { pathInside } from '../data/image-path.js';
import { type ImageRecord, readManifest, writeManifest } from '../data/manifest.js';
import { splitRecords } from '../data/split.js';
import { InputError } from '../errors.js';
import { type GroundTruth, labelsGroundTruth } from '../retrieval/ground-truth.js';
import type { DemoFolder } from './demo-folder.js';

/** From here on a third of the landmarks can be kept for the test. */
const landmarksForUnseen = 6;
/** One to train on, one held back, one more for a pair in training. */
export const photosPerLandmark = 3;

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

/** Splits the photographs of the folder's manifest and writes its other lists; returns how, in words. */
export async function splitPhotographs(images: string, folder: DemoFolder, seed: number): Promise<string> {
  const records = await readManifest(folder.manifest);
  const landmarks = groupBy(records, ({ landmark }) => landmark).size;
  if (landmarks < 2) {
    throw new InputError(
      `${images} has ${landmarks} folders with ${photosPerLandmark} usable photographs; the demo needs a folder per landmark, two at least.`,
    );
  }
  const { train, validation, test, unseen } = splitForDemo(records, seed);
  await writeManifest(folder.trainManifest, train, { overwrite: true });
  await writeGroundTruth(folder.validation, validation, folder.photographs);
  await writeGroundTruth(folder.test, test, folder.photographs); // last: it says that the rest is there
  return unseen
    ? 'split by landmark'
    : `split by photograph: with fewer than ${landmarksForUnseen} landmarks none can be kept out of training`;
}

async function writeGroundTruth(file: string, { queries, database }: GroundTruth, root: string): Promise<void> {
  const inside = <T extends { image: string }>(entry: T) => ({ ...entry, image: pathInside(root, entry.image) });
  const content = { queries: queries.map(inside), database: database.map(inside) };
  await writeFileAtomic(file, `${JSON.stringify(content)}\n`, { overwrite: true });
}
