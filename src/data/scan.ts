/**
 * @file A folder per landmark, or a table of images and labels, becomes records: every image is decoded once, so that what
 * is broken is known before the training starts.
 *
 * - The landmark is the first folder below the scanned one, however deep the file lies, or what `label` says. A file
 *   without a label becomes a landmark of its own, named as the file, that nothing else matches.
 * - Copies (equal bytes) are kept once, the first by name or in the table; as a negative of itself, a photograph would
 *   teach the opposite. Where copies have different labels one of these is wrong, so they are listed as conflicts, too.
 * - Ids are `<folder>/<name without extension>`; where two files would share one, both keep their extension.
 * - Which files are images, and in which order: find-images.ts.
 */
import { createHash } from 'node:crypto';
import { extname } from 'node:path';
import { InputError, messageOf } from '../errors.js';
import { findImages } from './find-images.js';
import { countBy, groupBy } from './group-by.js';
import { readImageFile } from './image-format.js';
import { type LabelledImage, readImageTable } from './image-table.js';
import { decodeImage } from './images.js';
import type { ImageRecord } from './manifest.js';
import { runAhead } from './run-ahead.js';

export interface ScanOptions {
  /** Landmarks with fewer usable photographs are left out. Default 1. */
  minImages?: number;
  /**
   * The label of the names from the scanned folder to a file; undefined where it has none. Default: the first folder.
   * Not with a table, which has its own labels.
   */
  label?: (parts: readonly string[]) => string | undefined;
  /** Stops the scan with an InputError. */
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

/** Paths are those of the scanned folder joined with what lies in it. */
export interface ScanResult {
  records: ImageRecord[];
  /** Every landmark with an image file, also those that end with no record. In order. */
  landmarks: { landmark: string; images: number; broken: number; duplicates: number; conflicts: number }[];
  /** Images that cannot be decoded and folders that cannot be read. */
  broken: { path: string; reason: string }[];
  /** Files with the bytes of one that is kept. */
  duplicates: { path: string; of: string }[];
  /** Files with the same bytes in several landmarks, the kept one first. */
  conflicts: { paths: string[] }[];
  /** Landmarks that `minImages` left out. */
  tooFew: { landmark: string; images: number }[];
  /** Files that are no images, and hidden ones. */
  skipped: number;
  /** Images without a label, each a landmark of its own. */
  unlabelled: number;
}

/** `1`: the first folder; `2`: the first two, as "paris/louvre"; a file with fewer folders has those as its label. */
export function labelByDepth(depth: number): (parts: readonly string[]) => string | undefined {
  return (parts) => parts.slice(0, -1).slice(0, depth).join('/') || undefined;
}

/** What the first group of `pattern` matches in "folder/name.jpg" (without a group: the whole match). */
export function labelByPattern(pattern: RegExp): (parts: readonly string[]) => string | undefined {
  return (parts) => {
    const match = pattern.exec(parts.join('/'));
    return (match?.[1] ?? match?.[0]) || undefined;
  };
}

/**
 * Scans `folder`. Never fails for an image: what cannot be used is in the result.
 * @throws InputError if the folder cannot be read, or `signal` fires; what the system refuses, as `readImageFile`.
 */
export async function scanFolder(folder: string, options: ScanOptions = {}): Promise<ScanResult> {
  const { label = labelByDepth(1) } = options;
  const { images, unreadable, skipped } = await findImages(folder).catch((error: unknown) => {
    throw new InputError(`Cannot scan ${folder}: ${messageOf(error)}`);
  });
  const labelled = images.map(({ parts, path }) => ({ parts, path, landmark: label(parts) }));
  return scanImages(labelled, { unreadable, skipped }, options);
}

/** Scans the images of a table, as scanFolder does. @throws InputError as readImageTable does, or if `signal` fires. */
export async function scanTable(file: string, options: ScanOptions = {}): Promise<ScanResult> {
  return scanImages(await readImageTable(file), { unreadable: [], skipped: 0 }, options);
}

type ScannedImage = LabelledImage & { landmark: string; unlabelled: boolean };

async function scanImages(
  listed: readonly LabelledImage[],
  { unreadable, skipped }: { unreadable: ScanResult['broken']; skipped: number },
  { minImages = 1, signal, onProgress }: ScanOptions,
): Promise<ScanResult> {
  const images = listed.map(
    (image): ScannedImage => ({
      ...image,
      landmark: image.landmark ?? image.parts.join('/'),
      unlabelled: image.landmark === undefined,
    }),
  );
  const broken = unreadable;
  const usable: (ScannedImage & { hash: string })[] = [];
  let done = 0;
  for await (const outcome of runAhead(images, ({ path }) => probe(path), 4)) {
    if (signal?.aborted) throw new InputError(`Interrupted after ${done} of ${images.length} images.`);
    if ('error' in outcome && !(outcome.error instanceof InputError)) throw outcome.error;
    if ('error' in outcome)
      broken.push({ path: outcome.item.path, reason: reasonOf(outcome.error, outcome.item.path) });
    else usable.push({ ...outcome.item, hash: outcome.value });
    onProgress?.(++done, images.length);
  }

  const { kept, duplicates, conflicts } = withoutCopies(usable);
  const counts = countBy(kept, ({ landmark }) => landmark);
  const few = [...counts].filter(([, count]) => count < minImages);
  const left = kept.filter(({ landmark }) => (counts.get(landmark) ?? 0) >= minImages);
  const ids = uniqueIds(left);
  return {
    records: left.map(
      ({ path, landmark, group, fields }, i): ImageRecord => ({
        id: ids[i],
        path,
        landmark,
        ...(group !== undefined && { group }),
        ...(fields && { fields }),
      }),
    ),
    landmarks: scanSummary(images, left, broken, duplicates, conflicts),
    broken,
    duplicates,
    conflicts,
    tooFew: few.map(([landmark, count]) => ({ landmark, images: count })),
    skipped,
    unlabelled: left.filter((image) => image.unlabelled).length,
  };
}

/** Decodes the whole image, small, and returns the hash of its bytes. */
async function probe(path: string): Promise<string> {
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(path)) throw new InputError('the name has control characters; rename it');
  await decodeImage(path, { sizing: { longest: 32, upscale: false } });
  return createHash('sha256')
    .update(await readImageFile(path))
    .digest('hex');
}

/** The message without the path it starts with, which is listed beside it. */
function reasonOf(error: Error, path: string): string {
  return error.message.startsWith(`${path}: `) ? error.message.slice(path.length + 2) : error.message;
}

function withoutCopies<T extends ScannedImage & { hash: string }>(images: readonly T[]) {
  const duplicates: ScanResult['duplicates'] = [];
  const conflicts: ScanResult['conflicts'] = [];
  const copiesOf = groupBy(images, ({ hash }) => hash);
  const kept = images.filter((image) => {
    const copies = copiesOf.get(image.hash) ?? [];
    const labelled = copies.filter(({ unlabelled }) => !unlabelled);
    const first = labelled[0] ?? copies[0];
    if (image !== first) duplicates.push({ path: image.path, of: first.path });
    else if (labelled.some(({ landmark }) => landmark !== first.landmark)) {
      conflicts.push({ paths: labelled.map(({ path }) => path) });
    }
    return image === first;
  });
  return { kept, duplicates, conflicts };
}

function scanSummary(
  images: readonly ScannedImage[],
  kept: readonly ScannedImage[],
  broken: ScanResult['broken'],
  duplicates: ScanResult['duplicates'],
  conflicts: ScanResult['conflicts'],
): ScanResult['landmarks'] {
  const landmarkOf = new Map(images.map(({ path, landmark }) => [path, landmark]));
  const count = (paths: string[]) => countBy(paths, (path) => landmarkOf.get(path) ?? '');
  const columns = {
    images: countBy(kept, ({ landmark }) => landmark),
    broken: count(broken.map(({ path }) => path)), // an unreadable folder has no landmark and is in none of the rows
    duplicates: count(duplicates.map(({ path }) => path)),
    conflicts: count(conflicts.flatMap(({ paths }) => paths)),
  };
  return [...new Set(landmarkOf.values())].map((landmark) => ({
    landmark,
    images: columns.images.get(landmark) ?? 0,
    broken: columns.broken.get(landmark) ?? 0,
    duplicates: columns.duplicates.get(landmark) ?? 0,
    conflicts: columns.conflicts.get(landmark) ?? 0,
  }));
}

/** `a/b/001.jpg` -> `a/b/001`; files that would share an id keep their extension, until all differ. */
function uniqueIds(images: readonly Pick<LabelledImage, 'id' | 'parts'>[]): string[] {
  const whole = images.map(({ id, parts }) => id ?? parts.join('/'));
  let ids = images.map(({ id }, i) => id ?? whole[i].slice(0, whole[i].length - extname(whole[i]).length));
  for (;;) {
    const uses = countBy(ids, (id) => id);
    const next = ids.map((id, i) => ((uses.get(id) ?? 0) > 1 ? whole[i] : id));
    if (next.every((id, i) => id === ids[i])) return ids; // whole names differ, so this is reached
    ids = next;
  }
}
