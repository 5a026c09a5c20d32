/** @file Segments of an index: photographs that were added together, their vectors in one file and their records in another. */
import { createHash } from 'node:crypto';
import { closeSync, createReadStream, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { FileSet } from '../data/files.js';
import { fillFrom } from '../data/read-file.js';
import { parseJson } from '../data/whole-lines.js';
import { InputError } from '../errors.js';
import { type CollectionRecord, recordSchema } from './collection-record.js';
import type { Segment } from './index-folder.js';

/** Bytes of vectors that are in memory at once. */
const blockBytes = 1 << 24;

export const livingRows = ({ rows, removed }: Segment) => rows - removed.length;

/** Writes the files of segment `number`: `lines` of records, and their vectors as float16 bits in blocks of any size. */
export async function writeSegment(
  folder: string,
  number: number,
  lines: Iterable<Uint8Array>,
  vectors: AsyncIterable<Uint16Array>,
): Promise<Segment> {
  const digits = String(number).padStart(6, '0');
  const segment = { vectors: `vectors-${digits}.f16`, records: `records-${digits}.jsonl` };
  const hash = createHash('sha256');
  let rows = 0;
  const hashed = async function* () {
    for (const line of lines) {
      rows++;
      hash.update(line);
      yield line;
    }
  };
  // What a killed writer left under the same names, no head has named.
  const files = new FileSet({ overwrite: true });
  try {
    await files.add(join(folder, segment.vectors), bytesOf(vectors));
    await files.add(join(folder, segment.records), inChunks(hashed()));
    await files.commit();
  } finally {
    await files.discard();
  }
  return { ...segment, rows, removed: [], sha256: hash.digest('hex') };
}

async function* bytesOf(blocks: AsyncIterable<Uint16Array>): AsyncGenerator<Uint8Array> {
  for await (const { buffer, byteOffset, byteLength } of blocks) yield new Uint8Array(buffer, byteOffset, byteLength);
}

/** Lines together, so that each write is worth its call. */
async function* inChunks(lines: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let chunk: Uint8Array[] = [];
  for await (const line of lines) {
    chunk.push(line);
    if (chunk.length < 4096) continue;
    yield Buffer.concat(chunk);
    chunk = [];
  }
  yield Buffer.concat(chunk);
}

/** A record as its line of a file. */
export function recordLine(record: CollectionRecord): Uint8Array {
  return Buffer.from(`${JSON.stringify(record)}\n`);
}

/** The records of a segment, removed ones too: where each lies in the file, which stays open, for a million of them take memory. */
export class SegmentRecords {
  private constructor(
    private readonly file: string,
    private readonly handle: number,
    /** Where each line begins, and where the last one ends. [rows + 1] */
    private readonly offsets: Float64Array,
  ) {}

  /** `take` is given the id of each row. @throws InputError where the file is not what was written. */
  static async open(
    folder: string,
    { records: name, rows, sha256 }: Segment,
    take: (id: string, row: number) => void,
  ): Promise<SegmentRecords> {
    const file = join(folder, name);
    const handle = openSync(file, 'r');
    try {
      const offsets = new Float64Array(rows + 1);
      const hash = createHash('sha256');
      let row = 0;
      let rest: Buffer = Buffer.alloc(0);
      for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
        hash.update(chunk);
        const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
        let start = 0;
        for (let end = bytes.indexOf(10); end !== -1 && row < rows; end = bytes.indexOf(10, start)) {
          take(`${(parseJson(bytes.toString('utf8', start, end)) as CollectionRecord | undefined)?.id}`, row);
          offsets[row + 1] = offsets[row] + end + 1 - start;
          row++;
          start = end + 1;
        }
        rest = bytes.subarray(start);
      }
      if (row !== rows || rest.length > 0 || hash.digest('hex') !== sha256) throw damaged(file);
      return new SegmentRecords(file, handle, offsets);
    } catch (error) {
      closeSync(handle);
      throw error;
    }
  }

  /** The bytes of a row's line. */
  line(row: number): Uint8Array {
    const line = Buffer.alloc(this.offsets[row + 1] - this.offsets[row]);
    if (readSync(this.handle, line, 0, line.length, this.offsets[row]) !== line.length) throw damaged(this.file);
    return line;
  }

  record(row: number): CollectionRecord {
    const parsed = recordSchema.safeParse(parseJson(Buffer.from(this.line(row)).toString()));
    if (!parsed.success) throw damaged(this.file);
    return parsed.data;
  }

  close(): void {
    closeSync(this.handle);
  }
}

function damaged(file: string): InputError {
  return new InputError(`${file} is damaged: it is not the file that was written; build the index again.`);
}

/**
 * The float16 bits of the rows that are still there, from `from` to `to` of these, in blocks that hold until the next one is asked for.
 */
export async function* livingVectors(
  folder: string,
  segment: Segment,
  dimension: number,
  { from = 0, to = Number.POSITIVE_INFINITY }: { from?: number; to?: number } = {},
): AsyncGenerator<Uint16Array> {
  const file = join(folder, segment.vectors);
  const handle = await open(file);
  try {
    if ((await handle.stat()).size !== 2 * segment.rows * dimension) {
      throw new InputError(
        `${file} is damaged: ${segment.rows} rows of ${dimension} values expected; build the index again.`,
      );
    }
    const step = Math.max(1, Math.floor(blockBytes / (2 * dimension)));
    const removed = new Set(segment.removed);
    const block = new Uint16Array(Math.min(step, segment.rows) * dimension);
    let living = 0;
    for (let first = 0; first < segment.rows && living < to; first += step) {
      const rows = Array.from({ length: Math.min(step, segment.rows - first) }, (_, row) => row);
      const kept = removed.size === 0 ? rows : rows.filter((row) => !removed.has(first + row));
      const wanted = kept.slice(Math.max(0, from - living), Math.max(0, to - living));
      living += kept.length;
      if (wanted.length === 0) continue;
      const bytes = new Uint8Array(block.buffer, 0, 2 * rows.length * dimension);
      await fillFrom(handle, bytes, 2 * first * dimension, file);
      for (const [place, row] of wanted.entries()) {
        if (place !== row) block.copyWithin(place * dimension, row * dimension, (row + 1) * dimension);
      }
      yield block.subarray(0, wanted.length * dimension);
    }
  } finally {
    await handle.close();
  }
}
