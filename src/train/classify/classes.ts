/** @file The classes of a manifest: its landmarks in alphabetical order of their UTF-16 code units. */
import { createHash } from 'node:crypto';
import type { ImageRecord } from '../../data/manifest.js';
import { InputError } from '../../errors.js';
import { firstFew } from '../../retrieval/ground-truth.js';

/** Throws `InputError` if there are fewer than two. */
export function classesOf(records: readonly ImageRecord[]): string[] {
  const classes = [...new Set(records.map(({ landmark }) => landmark))].sort();
  if (classes.length < 2) {
    throw new InputError(
      `Classification needs photographs of two landmarks or more; the manifest has only "${classes[0]}" (${records.length} images).`,
    );
  }
  return classes;
}

/** Each record's class. Throws `InputError` naming the landmarks that are none, and `source`. */
export function labelsOf(records: readonly ImageRecord[], classes: readonly string[], source: string): Int32Array {
  const numbers = new Map(classes.map((name, i) => [name, i]));
  const unknown = [...new Set(records.flatMap(({ landmark }) => (numbers.has(landmark) ? [] : [landmark])))];
  if (unknown.length > 0) {
    throw new InputError(
      `${source} has ${unknown.length === 1 ? 'a landmark' : `${unknown.length} landmarks`} that the training does not have: ${firstFew(unknown)}; a classifier cannot know them.`,
    );
  }
  return Int32Array.from(records, ({ landmark }) => numbers.get(landmark)!);
}

/** Changes when an image is added, removed, moved or labelled otherwise: the order of an epoch would be another. */
export function fingerprintOf(records: readonly ImageRecord[]): string {
  const hash = createHash('sha256');
  for (const { id, landmark } of records) hash.update(`${id}\n${landmark}\n`);
  return hash.digest('hex');
}
