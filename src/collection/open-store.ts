/** @file The store of an index folder: files in it, or a database. */
import { DatabaseStore } from './database-store.js';
import { EmbeddedStore, type EmbeddedStoreOptions } from './embedded-store.js';
import { type IndexHead, readHead, storedPath } from './index-folder.js';
import { parseStoreAddress } from './stores/store-address.js';
import type { CollectionStore } from './vector-store.js';

/** @throws InputError where there is no index, a damaged one, or its database cannot be asked. */
export async function openStore(folder: string, options: EmbeddedStoreOptions = {}): Promise<CollectionStore> {
  const { store, ...head } = await readHead(folder);
  return store === undefined ? EmbeddedStore.open(folder, options) : DatabaseStore.open(folder, { ...head, store });
}

/**
 * An empty store of a new index, in a database where the head has a store's address. Nothing is written before the first change.
 * @throws InputError where the database is away or the table in use; with `replace`, only where the table is not rmac's.
 */
export async function beginStore(
  folder: string,
  head: Omit<IndexHead, 'columns' | 'segments'>,
  { replace = false }: { replace?: boolean } = {},
): Promise<CollectionStore> {
  const { store } = head;
  if (store === undefined) return EmbeddedStore.begin(folder, head);
  return DatabaseStore.begin(folder, { ...head, columns: [], segments: [], store }, replace);
}

/** An address as the head of the index in `folder` has it: a folder relative to the index's, where both can move. */
export function storedAddress(folder: string, text: string): string {
  const { kind, place } = parseStoreAddress(text);
  return kind === 'lancedb' ? text.replace(place, () => storedPath(folder, place)) : text;
}
