/**
 * @file Generated landmark photographs on disk:
 *
 *   images/<landmark>/NNN.jpg     the photographs, wrong ones among them
 *   manifest.jsonl                all, labelled by folder: as noisy as a text search
 *   manifest-train-noisy.jsonl    training landmarks (about two thirds) without held-back photographs, wrong ones included
 *   manifest-train.jsonl          the same, right ones only
 *   manifest-val.jsonl            held-back right photographs of the training landmarks
 *   groundtruth.json              landmarks never trained on: every right photograph a query (its own id junk), against all
 *                                 their photographs and every wrong image of the collection
 *   groundtruth-seen.json         queries = manifest-val, database = manifest-train and manifest-val
 *   truth.jsonl                   per image: {id, path, landmark, split, wrong, kind?, box?, homography?, framing?, light?}
 *
 * The same options give the same bytes. The folder appears when it is complete.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { InputError } from '../errors.js';
import { makeFolder, writeFileAtomic } from '../data/files.js';
import { assertReplaceable, writeWholeFolder } from '../data/replace-folder.js';
import type { RgbImage } from '../data/rgb-image.js';
import { type ImageRecord, writeManifest } from '../data/manifest.js';
import {
  checkSynthesizeOptions,
  type PlannedLandmark,
  type PlannedPhoto,
  planDataset,
  type SynthesizeOptions,
} from './dataset-plan.js';
import { drawFacade, facadeSize } from './facade.js';
import { takePhotograph } from './photograph.js';
import { Random } from './random.js';
import { drawStyle } from './style.js';
import { renderWrongImage } from './wrong-images.js';

export interface SynthesizeRun {
  /** Replace a collection that is there already. Default false. */
  overwrite?: boolean;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

/** What was generated. */
export interface SynthesizeSummary {
  out: string;
  landmarks: number;
  testLandmarks: number;
  images: number;
  wrong: number;
  /** Queries of groundtruth.json. */
  queries: number;
  database: number;
}

/** JPEGs being written while the next photographs are drawn. */
const encodeAhead = 4;

/**
 * Generates a collection into the folder `out`.
 * @throws UsageError for an option out of range; InputError if `out` is taken, cannot be written, or on `signal`.
 */
export async function synthesizeLandmarks(
  out: string,
  options: SynthesizeOptions = {},
  run: SynthesizeRun = {},
): Promise<SynthesizeSummary> {
  const checked = checkSynthesizeOptions(options);
  await assertReplaceable(out, { overwrite: run.overwrite, mark: 'truth.jsonl', kind: 'a generated collection' });
  const landmarks = planDataset(checked);
  return writeWholeFolder(out, async (fresh) => {
    await writePhotographs(fresh, landmarks, checked, run);
    return { out, ...(await writeLists(fresh, landmarks)) };
  });
}

async function writePhotographs(
  folder: string,
  landmarks: readonly PlannedLandmark[],
  { size, seed, variation }: Required<SynthesizeOptions>,
  { signal, onProgress }: SynthesizeRun,
): Promise<void> {
  const root = new Random(seed);
  const total = landmarks.reduce((sum, { photos }) => sum + photos.length, 0);
  const truth: string[] = [];
  const writing: Promise<void>[] = [];
  let done = 0;
  try {
    for (const { name, style, plan, photos } of landmarks) {
      await makeFolder(join(folder, 'images', name));
      const facade = drawFacade(
        drawStyle(plan, root.fork('style', style)),
        root.fork(name).seed,
        size <= 192 ? facadeSize / 2 : facadeSize,
      );
      for (const photo of photos) {
        if (signal?.aborted) throw new InputError('Interrupted; nothing was written.');
        const random = root.fork(photo.id);
        const { id, landmark, split, wrong } = photo;
        const common = { id, path: imagePath(photo), landmark, split };
        let image: RgbImage;
        if (wrong) {
          image = renderWrongImage(wrong, random, size);
          truth.push(JSON.stringify({ ...common, wrong: true, kind: wrong }));
        } else {
          const { image: picture, ...facts } = takePhotograph(facade, random, size, variation);
          image = picture;
          truth.push(
            JSON.stringify({
              ...common,
              wrong: false,
              facade: { width: facade.width, height: facade.height },
              ...facts,
            }),
          );
        }
        const write = writeJpeg(join(folder, imagePath(photo)), image, random.fork('jpeg').int(55, 94));
        // The error is thrown where the write is awaited, which may be some photographs later.
        write.catch(() => undefined);
        writing.push(write);
        if (writing.length >= encodeAhead) await writing.shift();
        onProgress?.(++done, total);
      }
    }
    await Promise.all(writing);
  } finally {
    // Nobody may still write when the caller removes the folder.
    await Promise.allSettled(writing);
  }
  await writeFileAtomic(join(folder, 'truth.jsonl'), truth.map((line) => `${line}\n`).join(''));
}

async function writeJpeg(file: string, { data, width, height }: RgbImage, quality: number): Promise<void> {
  const bytes = await sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality, chromaSubsampling: quality > 85 ? '4:4:4' : '4:2:0' })
    .toBuffer();
  await writeFile(file, bytes);
}

function imagePath({ landmark, index }: PlannedPhoto): string {
  return `images/${landmark}/${String(index).padStart(3, '0')}.jpg`;
}

/** Writes the manifests and ground truths; last, so that a list never names a missing image. */
async function writeLists(
  folder: string,
  landmarks: readonly PlannedLandmark[],
): Promise<Omit<SynthesizeSummary, 'out'>> {
  const all = landmarks.flatMap(({ photos }) => photos);
  const lists: Record<string, PlannedPhoto[]> = {
    manifest: all,
    'manifest-train-noisy': all.filter(({ split }) => split === 'train'),
    'manifest-train': all.filter(({ split, wrong }) => split === 'train' && !wrong),
    'manifest-val': all.filter(({ split }) => split === 'val'),
  };
  for (const [name, photos] of Object.entries(lists)) {
    if (photos.length > 0)
      await writeManifest(
        join(folder, `${name}.jsonl`),
        photos.map(
          (photo): ImageRecord => ({ id: photo.id, path: join(folder, imagePath(photo)), landmark: photo.landmark }),
        ),
      );
  }
  const unseen = groundTruth(
    all.filter(({ split, wrong }) => split === 'test' && !wrong),
    all.filter(({ split, wrong }) => split === 'test' || wrong),
  );
  await writeFileAtomic(join(folder, 'groundtruth.json'), unseen);
  const seen = all.filter(({ split, wrong }) => split !== 'test' && !wrong);
  const held = seen.filter(({ split }) => split === 'val');
  if (held.length > 0) await writeFileAtomic(join(folder, 'groundtruth-seen.json'), groundTruth(held, seen));
  const parsed = JSON.parse(unseen) as { queries: unknown[]; database: unknown[] };
  return {
    landmarks: landmarks.length,
    testLandmarks: landmarks.filter(({ test }) => test).length,
    images: all.length,
    wrong: all.filter(({ wrong }) => wrong).length,
    queries: parsed.queries.length,
    database: parsed.database.length,
  };
}

/** Ground truth of design format: positives = right photographs of the same landmark, a query's own id is junk. */
function groundTruth(queries: readonly PlannedPhoto[], database: readonly PlannedPhoto[]): string {
  const entries = queries.map((query) => ({
    id: query.id,
    image: imagePath(query),
    landmark: query.landmark,
    positives: database
      .filter((photo) => photo.landmark === query.landmark && !photo.wrong && photo.id !== query.id)
      .map(({ id }) => id),
    junk: [query.id],
  }));
  return `${JSON.stringify({ queries: entries, database: database.map((photo) => ({ id: photo.id, image: imagePath(photo) })) })}\n`;
}
