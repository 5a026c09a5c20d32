/**
 * @file Training and validation records: held-back photographs of the same landmarks, or landmarks never trained on.
 *
 * The result depends on the records, the options and the seed, not on the order of the records: they are sorted by id
 * first, and both halves come back in that order.
 */
import seedrandom from 'seedrandom';
import { InputError } from '../errors.js';
import { groupBy } from './group-by.js';
import type { ImageRecord } from './manifest.js';

export const splitKinds = ['photo', 'landmark', 'group'] as const;
export type SplitKind = (typeof splitKinds)[number];

export interface SplitOptions {
  /**
   * What is held back. 'photo': photographs of every landmark, so that all are trained on; at least one stays, and a
   * landmark's only photograph stays. 'landmark': whole landmarks. 'group': whole groups, so that nothing in one half
   * is seen in the other: a record without a group counts as its landmark's, and a landmark whose records are in
   * several groups ties these together.
   */
  by: SplitKind;
  /** Share of photographs ('photo'; of the landmarks that have two or more), landmarks or groups; in (0, 1). */
  validation: number;
  /** Default 0. */
  seed?: number;
}

export interface Split {
  train: ImageRecord[];
  validation: ImageRecord[];
}

/** @throws InputError if one half would be empty. */
export function splitRecords(records: readonly ImageRecord[], { by, validation, seed = 0 }: SplitOptions): Split {
  const sorted = records.toSorted((a, b) => byCode(a.id, b.id));
  const random = seedrandom(`rmac split ${seed}`);
  const held = by === 'photo' ? heldPhotos(sorted, validation, random) : heldUnits(sorted, by, validation, random);
  return {
    train: sorted.filter(({ id }) => !held.has(id)),
    validation: sorted.filter(({ id }) => held.has(id)),
  };
}

function heldPhotos(records: readonly ImageRecord[], share: number, random: () => number): Set<string> {
  const landmarks = [...groupBy(records, ({ landmark }) => landmark)]
    .filter(([, photos]) => photos.length > 1)
    .toSorted(([a], [b]) => byCode(a, b));
  const held = new Set<string>();
  // Rounding per landmark would never hold back one of 4 at a share of 0.1. Quotas are carried from landmark to
  // landmark instead, in random order: the total is right and small landmarks take turns.
  let quota = 0;
  for (const [, photos] of shuffled(landmarks, random)) {
    const before = Math.round(quota);
    quota += photos.length * share;
    const count = Math.min(photos.length - 1, Math.round(quota) - before);
    for (const { id } of shuffled(photos, random).slice(0, count)) held.add(id);
  }
  if (held.size === 0) {
    throw new InputError(
      `No photograph can be held back: ${landmarks.length} landmarks have two or more, and a share of ${share} of theirs ` +
        'is less than one. Raise --val, or split --by landmark.',
    );
  }
  return held;
}

function heldUnits(
  records: readonly ImageRecord[],
  by: 'landmark' | 'group',
  share: number,
  random: () => number,
): Set<string> {
  const unitOf = by === 'landmark' ? (record: ImageRecord) => record.landmark : groupUnits(records);
  const units = [...groupBy(records, unitOf).values()]; // in order of their first id
  if (units.length < 2) {
    throw new InputError(`All photographs are of one ${by}: there is nothing to hold back. Split --by photo.`);
  }
  const count = Math.min(units.length - 1, Math.max(1, Math.round(units.length * share)));
  return new Set(
    shuffled(units, random)
      .slice(0, count)
      .flatMap((unit) => unit.map(({ id }) => id)),
  );
}

/** Which records must stay together: components of the graph whose nodes are landmarks and groups (union-find). */
function groupUnits(records: readonly ImageRecord[]): (record: ImageRecord) => string {
  const parent = new Map<string, string>();
  const rootOf = (node: string): string => {
    let root = node;
    for (let up = parent.get(root); up !== undefined; up = parent.get(root)) root = up;
    return root;
  };
  const landmarkNode = ({ landmark }: ImageRecord) => `landmark ${landmark}`;
  for (const record of records) {
    if (record.group === undefined) continue;
    const [a, b] = [rootOf(landmarkNode(record)), rootOf(`group ${record.group}`)];
    if (a !== b) parent.set(a, b);
  }
  return (record) => rootOf(landmarkNode(record));
}

/** A shuffled copy (Fisher-Yates). */
function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const copy = [...items];
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [copy[i], copy[j]] = [copy[j], copy[i]];
  }
  return copy;
}

function byCode(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
