/** @file The descriptors of a site: in bytes where these find what the index finds, else in float16, as the index has them. */
import { join } from 'node:path';
import type { EmbeddedStore } from '../collection/embedded-store.js';
import { evenly } from '../data/evenly.js';
import { writeFileAtomic } from '../data/files.js';
import { toHalf } from '../linear/half-float.js';
import { fromInt8, toInt8 } from '../linear/int8-rows.js';
import type { DescriptorRows } from '../linear/rows.js';
import { roundedRecall } from '../retrieval/rounded-recall.js';

export const siteVectors = ['auto', 'int8', 'float16'] as const;

/** How a site stores its descriptors. */
export interface StoredVectors {
  type: Exclude<(typeof siteVectors)[number], 'auto'>;
  /** Of the ten nearest others of a photograph by the index, the share that bytes find, 0 to 1; float16 finds all. */
  int8Recall: number;
}

/** From which share on bytes will do. */
const enoughRecall = 0.98;
/** Photographs that it is measured on. */
const sample = 200;
/** Descriptors that are in memory at once. */
const rowsAtOnce = 4096;

/** Writes the descriptors, in the order of the items, and says how. */
export async function writeVectors(
  store: EmbeddedStore,
  folder: string,
  wanted: (typeof siteVectors)[number],
): Promise<StoredVectors> {
  const int8Recall = await recallOfBytes(store);
  const type = wanted === 'auto' ? (int8Recall >= enoughRecall ? 'int8' : 'float16') : wanted;
  if (type === 'float16') {
    const halves = map(blocks(store), ({ data }) => new Uint8Array(toHalf(data).buffer));
    await writeFileAtomic(join(folder, 'vectors.f16'), halves);
  } else {
    const scales: Uint8Array[] = [];
    const bytes = map(blocks(store), (rows) => {
      const rounded = toInt8(rows);
      scales.push(new Uint8Array(rounded.scales.buffer));
      return new Uint8Array(rounded.values.buffer);
    });
    await writeFileAtomic(join(folder, 'vectors.i8'), bytes);
    await writeFileAtomic(join(folder, 'scales.f32'), scales);
  }
  return { type, int8Recall };
}

async function recallOfBytes(store: EmbeddedStore): Promise<number> {
  const ids = store.ids();
  const rows = evenly([...ids.keys()], sample);
  return roundedRecall({
    queries: await store.vectors(rows.map((row) => ids[row])),
    rows,
    exact: blocks(store),
    rounded: map(blocks(store), (block) => fromInt8(toInt8(block))),
    total: ids.length,
  });
}

async function* blocks(store: EmbeddedStore): AsyncGenerator<DescriptorRows> {
  const ids = store.ids();
  for (let first = 0; first < ids.length; first += rowsAtOnce) {
    yield store.vectors(ids.slice(first, first + rowsAtOnce));
  }
}

async function* map<T, R>(items: AsyncIterable<T>, change: (item: T) => R): AsyncGenerator<R> {
  for await (const item of items) yield change(item);
}
