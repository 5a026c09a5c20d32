/**
 * @file A folder per landmark becomes records: every image is decoded once, so that what is broken is known before the
 * training starts.
 *
 * - The landmark is the first folder below the scanned one, however deep the file lies. A file directly in the scanned
 *   folder has no label: it becomes a landmark of its own, named as the file, that nothing else matches.
 * - An image is a file with an image's extension or an image's first bytes; the rest, and hidden names, are skipped.
 * - Copies (equal bytes) are kept once per landmark, the first by name. A file that is in several landmarks is left out
 *   of all of them: one of the labels is wrong, and as a negative of itself it would teach the opposite.
 * - Ids are `<folder>/<name without extension>`; where two files would share one, both keep their extension.
 * - Links are followed, except back up into a folder they lie in. The order is that of the names' UTF-16 codes.
 */
import { createHash } from 'node:crypto';
import { readdir, realpath, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { InputError, messageOf } from '../errors.js';
import { countBy, groupBy } from './group-by.js';
import { hasImageName, readImageFile, unfitFile } from './image-format.js';
import { decodeImage } from './images.js';
import type { ImageRecord } from './manifest.js';
import { runAhead } from './run-ahead.js';

export interface ScanOptions {
  /** Landmarks with fewer usable photographs are left out. Default 1. */
  minImages?: number;
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
  duplicates: { path: string; of: string }[];
  /** Files with the same bytes in several landmarks. */
  conflicts: { paths: string[] }[];
  /** Landmarks that `minImages` left out. */
  tooFew: { landmark: string; images: number }[];
  /** Files that are no images, and hidden ones. */
  skipped: number;
  /** Images directly in the folder, each a landmark of its own. */
  unlabelled: number;
}

interface FoundImage {
  /** Names from the scanned folder to the file. */
  parts: string[];
  path: string;
  landmark: string;
}

/**
 * Scans `folder`. Never fails for an image: what cannot be used is in the result.
 * @throws InputError if the folder cannot be read, or `signal` fires; what the system refuses, as `readImageFile`.
 */
export async function scanFolder(folder: string, options: ScanOptions = {}): Promise<ScanResult> {
  const { minImages = 1, signal, onProgress } = options;
  const { images, unreadable, skipped } = await findImages(folder);
  const broken = unreadable;
  const usable: (FoundImage & { hash: string })[] = [];
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
  const ids = uniqueIds(left.map(({ parts }) => parts));
  return {
    records: left.map(({ path, landmark }, i) => ({ id: ids[i], path, landmark })),
    landmarks: summarize(images, left, broken, duplicates, conflicts),
    broken,
    duplicates,
    conflicts,
    tooFew: few.map(([landmark, count]) => ({ landmark, images: count })),
    skipped,
    unlabelled: left.filter(({ parts }) => parts.length === 1).length,
  };
}

/** All image files below `folder`, in order, and the folders in it that cannot be read. */
async function findImages(folder: string) {
  const images: FoundImage[] = [];
  const unreadable: ScanResult['broken'] = [];
  let skipped = 0;
  const visit = async (parts: string[], above: readonly string[]): Promise<void> => {
    const place = join(folder, ...parts);
    const real = await realpath(place);
    if (above.includes(real)) return; // a link back up would never end
    for (const name of (await readdir(place)).toSorted()) {
      const path = join(place, name);
      const inside = [...parts, name];
      const kind = name.startsWith('.') ? undefined : await stat(path).catch(() => undefined);
      if (kind?.isDirectory()) {
        await visit(inside, [...above, real]).catch((error: unknown) => {
          if (!isDenied(error)) throw error;
          unreadable.push({ path, reason: messageOf(error) });
        });
      } else if (!name.startsWith('.') && (hasImageName(name) || (kind?.isFile() && (await looksLikeImage(path))))) {
        // also a dangling link with an image's name: probing says what is wrong
        images.push({ parts: inside, path, landmark: inside[0] });
      } else skipped++;
    }
  };
  try {
    await visit([], []);
  } catch (error) {
    throw new InputError(`Cannot scan ${folder}: ${messageOf(error)}`);
  }
  return { images, unreadable, skipped };
}

async function looksLikeImage(path: string): Promise<boolean> {
  try {
    return (await unfitFile(path)) === undefined;
  } catch (error) {
    if (!(error instanceof InputError) && !isDenied(error)) throw error;
    return false;
  }
}

function isDenied(error: unknown): boolean {
  return ['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '');
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

function withoutCopies<T extends FoundImage & { hash: string }>(images: readonly T[]) {
  const duplicates: ScanResult['duplicates'] = [];
  const conflicts: ScanResult['conflicts'] = [];
  const copiesOf = groupBy(images, ({ hash }) => hash);
  const kept = images.filter((image) => {
    const copies = copiesOf.get(image.hash) ?? [];
    const first = copies[0];
    if (copies.some(({ landmark }) => landmark !== first.landmark)) {
      if (image === first) conflicts.push({ paths: copies.map(({ path }) => path) });
      return false;
    }
    if (image !== first) duplicates.push({ path: image.path, of: first.path });
    return image === first;
  });
  return { kept, duplicates, conflicts };
}

function summarize(
  images: readonly FoundImage[],
  kept: readonly FoundImage[],
  broken: ScanResult['broken'],
  duplicates: ScanResult['duplicates'],
  conflicts: ScanResult['conflicts'],
): ScanResult['landmarks'] {
  const landmarkOf = new Map(images.map(({ path, landmark }) => [path, landmark]));
  const count = (paths: string[]) => countBy(paths, (path) => landmarkOf.get(path) ?? '');
  const columns = {
    images: count(kept.map(({ path }) => path)),
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
function uniqueIds(files: readonly string[][]): string[] {
  const whole = files.map((parts) => parts.join('/'));
  let ids = whole.map((id) => id.slice(0, id.length - extname(id).length));
  for (;;) {
    const uses = countBy(ids, (id) => id);
    const next = ids.map((id, i) => ((uses.get(id) ?? 0) > 1 ? whole[i] : id));
    if (next.every((id, i) => id === ids[i])) return ids; // whole names differ, so this is reached
    ids = next;
  }
}
