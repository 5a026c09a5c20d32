/** @file Images of a training set of which photographs are generated: each is there once as it is, and so many times as another photograph. */
import type { ImageRecord } from '../../data/manifest.js';
import type { ViewSettings } from './view-settings.js';

/** An image to train on: as it is, or one generated from it anew each time that it is drawn. */
export interface TrainingRecord extends ImageRecord {
  generated?: true;
}

/** Every photograph as a landmark of its own, in the group of that which it had: nobody says whether the others show the same. */
export function eachByItself(records: readonly ImageRecord[]): ImageRecord[] {
  return records.map((record) => ({ ...record, landmark: record.id, group: record.group ?? record.landmark }));
}

/** The images, each followed by `perImage` that are generated from it; the images alone without settings. */
export function withViews(
  records: readonly ImageRecord[],
  views: Pick<ViewSettings, 'perImage'> | undefined,
): TrainingRecord[] {
  if (views === undefined) return [...records];
  return records.flatMap((record) => [
    record,
    ...Array.from({ length: views.perImage }, (_, i) => ({
      ...record,
      id: `${record.id} (view ${i + 1})`,
      generated: true as const,
    })),
  ]);
}
