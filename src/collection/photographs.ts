/** @file The photographs of an index in its order: their ids in memory, the rest of their records in the files of the segments. */
import type { CollectionRecord } from './collection-record.js';
import type { Segment } from './index-folder.js';
import { livingRows, SegmentRecords } from './segment.js';

/** What is still there in the segments. Close it. */
export class Photographs {
  readonly #rowOf = new Map<string, number>();
  readonly #ids: string[] = [];
  /** First row of each segment. */
  readonly #starts: number[] = [];
  /** Rows in the file of a segment that has lost some. */
  readonly #places: (Uint32Array | undefined)[] = [];
  #files: SegmentRecords[] = [];

  private constructor(private readonly segments: readonly Segment[]) {}

  static none(): Photographs {
    return new Photographs([]);
  }

  /** @throws InputError for a damaged file; what the system says for one that is not there. */
  static async open(folder: string, segments: readonly Segment[]): Promise<Photographs> {
    const photographs = new Photographs(segments);
    try {
      for (const segment of segments) await photographs.#append(folder, segment);
      return photographs;
    } catch (error) {
      photographs.close();
      throw error;
    }
  }

  get count(): number {
    return this.#ids.length;
  }

  ids(): string[] {
    return [...this.#ids];
  }

  id(row: number): string {
    return this.#ids[row];
  }

  rowOf(id: string): number | undefined {
    return this.#rowOf.get(id);
  }

  record(row: number): CollectionRecord {
    const { segment, place } = this.#placeOf(row);
    return this.#files[segment].record(place);
  }

  *records(): Generator<CollectionRecord> {
    for (let row = 0; row < this.count; row++) yield this.record(row);
  }

  /** The lines of a segment's records, of which those that `state` says are removed are left out. */
  *lines(segment: number, state: Segment): Generator<Uint8Array> {
    const removed = new Set(state.removed);
    for (let row = 0; row < state.rows; row++) if (!removed.has(row)) yield this.#files[segment].line(row);
  }

  /** The segments when these photographs are removed. */
  without(ids: readonly string[]): Segment[] {
    const removed = this.segments.map((segment) => new Set(segment.removed));
    for (const id of ids) {
      const row = this.#rowOf.get(id);
      if (row === undefined) continue;
      const { segment, place } = this.#placeOf(row);
      removed[segment].add(place);
    }
    return this.segments.map((segment, s) =>
      removed[s].size === segment.removed.length
        ? segment
        : { ...segment, removed: [...removed[s]].toSorted((a, b) => a - b) },
    );
  }

  close(): void {
    for (const file of this.#files) file.close();
    this.#files = [];
  }

  async #append(folder: string, segment: Segment): Promise<void> {
    const removed = new Set(segment.removed);
    const places = removed.size === 0 ? undefined : new Uint32Array(livingRows(segment));
    const start = this.#ids.length;
    const file = await SegmentRecords.open(folder, segment, (id, place) => {
      if (removed.has(place)) return;
      const row = this.#ids.length;
      if (places !== undefined) places[row - start] = place;
      this.#ids.push(id);
      this.#rowOf.set(id, row);
    });
    this.#files.push(file);
    this.#starts.push(start);
    this.#places.push(places);
  }

  #placeOf(row: number): { segment: number; place: number } {
    const segment = this.#starts.findLastIndex((start) => start <= row);
    const living = row - this.#starts[segment];
    return { segment, place: this.#places[segment]?.[living] ?? living };
  }
}
