/**
 * @file Store bounded in bytes: what the frozen stages gave for an image, or its pixels where none is frozen. Which values stay when not
 * all fit depends on the order in which they will be asked for:
 *
 * - `recent`: those used last. For images that are drawn again soon (an update's, described and then replayed).
 * - `first`: those that came first, until they are deleted. For whole epochs in random order: there an image comes back after all others, by
 *   when a small store has dropped what was used before them. With room for half of the images it finds half of all later reads,
 *   `recent` 16 %.
 */

export class ByteCache<V> {
  private readonly entries = new Map<string, { value: V; bytes: number }>();
  private used = 0;

  constructor(
    private readonly maxBytes: number,
    private readonly keep: 'recent' | 'first' = 'recent',
  ) {}

  get bytes(): number {
    return this.used;
  }

  get size(): number {
    return this.entries.size;
  }

  has(key: string): boolean {
    return this.entries.has(key);
  }

  /** The value, which becomes the most recently used. */
  get(key: string): V | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    this.entries.delete(key);
    this.entries.set(key, entry);
    return entry.value;
  }

  /** Stores a value; what does not fit goes: the least recently used ones, or with `first` this one. One larger than the bound is not kept. */
  set(key: string, value: V, bytes: number): void {
    this.delete(key);
    if (bytes > this.maxBytes - (this.keep === 'first' ? this.used : 0)) return;
    this.entries.set(key, { value, bytes });
    this.used += bytes;
    for (const oldest of this.entries.keys()) {
      if (this.used <= this.maxBytes) break;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    const entry = this.entries.get(key);
    if (entry === undefined) return;
    this.entries.delete(key);
    this.used -= entry.bytes;
  }
}
