/** @file What a closer look at a photograph of the collection says of a query, after the descriptors have said which to look at. */
import type { Box } from '../data/manifest.js';
import type { CollectionRecord } from './collection-record.js';

export interface SecondLook {
  /** Larger is better; 0 where nothing of the query was found. */
  score: number;
  /** Keypoints on one affine map. */
  agreeing?: number;
  /** What was found in both, px of the upright photographs. */
  regions?: { query: Box; item: Box };
}

/** A query as a file or encoded, and the part that matters, whole px inside it. */
export interface LookedForQuery {
  image: string | Uint8Array;
  box?: Box | undefined;
}

/** Looks for one query in photograph after photograph. */
export type LookInside = (record: CollectionRecord) => Promise<SecondLook>;

/** Values by key, forgotten in the order of their last use where they are more than `mostBytes` together. */
export class RecentlyUsed<T> {
  readonly #values = new Map<string, { value: T; bytes: number }>();
  #bytes = 0;

  constructor(private readonly mostBytes: number) {}

  get(key: string): T | undefined {
    const found = this.#values.get(key);
    if (found === undefined) return undefined;
    this.#values.delete(key);
    this.#values.set(key, found);
    return found.value;
  }

  set(key: string, value: T, bytes: number): void {
    this.#bytes += bytes - (this.#values.get(key)?.bytes ?? 0);
    this.#values.delete(key);
    this.#values.set(key, { value, bytes });
    for (const [oldest, { bytes: freed }] of this.#values) {
      if (this.#bytes <= this.mostBytes || oldest === key) break;
      this.#values.delete(oldest);
      this.#bytes -= freed;
    }
  }
}
