/** @file What a collection is and holds, without its vectors. */
import type { CollectionRecord } from '../collection/collection-record.js';
import { photographPath } from '../collection/index-folder.js';
import { openStore } from '../collection/open-store.js';
import type { CollectionStore } from '../collection/vector-store.js';

/** A photograph of a collection. `path`: its file, absolute. */
export type CollectionItem = Omit<CollectionRecord, 'bytes' | 'modified' | 'sha256'>;

/** What a collection is. */
export interface CollectionInfo {
  name: string;
  /** The folder of the index. */
  index: string;
  model: { file: string; sha256: string; dimension: number };
  /** Address of the database that has the vectors; undefined where the folder has them. */
  store: string | undefined;
  photographs: number;
  /** Distinct objects that photographs are said to show; 0 where nothing is said. */
  objects: number;
  /** Names of the columns that the photographs have besides those that an item has by name. */
  columns: string[];
  /** Similarity under which a query is said not to be in the collection, where no probability is; undefined where none could be learned. */
  threshold: number | undefined;
  /** Nearest photographs of an object whose mean similarity is compared with the threshold. */
  thresholdPhotographs: number;
  /** Probability under which a query is said not to be in the collection; undefined where none could be learned. */
  thresholdProbability: number | undefined;
  /** How the threshold was learned, or why there is none. */
  thresholdHow: string | undefined;
}

const mostValues = 1000;

/** Distinct values of a column, sorted, the first of them. */
export function columnValues(store: CollectionStore, column: string): string[] {
  return store.values(column).toSorted().slice(0, mostValues);
}

export function itemOf(folder: string, record: CollectionRecord): CollectionItem {
  const { bytes: _bytes, modified: _modified, sha256: _sha256, ...item } = record;
  return { ...item, path: photographPath(folder, record.path) };
}

export function infoOf(folder: string, store: CollectionStore): CollectionInfo {
  const { name, model, columns, threshold, store: database } = store.head;
  return {
    name,
    index: folder,
    model: { ...model },
    store: database?.address,
    photographs: store.size,
    objects: store.values('object').length,
    columns: [...columns],
    threshold: threshold?.similarity,
    thresholdPhotographs: threshold?.photographs ?? 1,
    thresholdProbability: threshold?.presence?.threshold,
    thresholdHow: threshold?.how,
  };
}

/** What the index in `directory` holds, without its vectors. @throws InputError where there is none, or it is damaged. */
export async function indexInfo(directory: string): Promise<CollectionInfo> {
  const store = await openStore(directory);
  try {
    return infoOf(directory, store);
  } finally {
    await store.close();
  }
}
