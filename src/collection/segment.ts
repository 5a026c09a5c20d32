/** @file Segments of an index: photographs that were added together, their vectors in one file and their records in another. */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { FileSet } from '../data/files.js';
import { fillFrom, readText } from '../data/read-file.js';
import { sha256Of } from '../data/sha256.js';
import { parseJson } from '../data/whole-lines.js';
import { InputError } from '../errors.js';
import { type CollectionRecord, recordSchema } from './collection-record.js';
import type { Segment } from './index-folder.js';

/** Bytes of vectors that are in memory at once. */
const blockBytes = 1 << 24;

export const livingRows = ({ rows, removed }: Segment) => rows - removed.length;

/** Writes the files of segment `number`; `vectors`: the rows of `records` as float16 bits, in blocks of any size. */
export async function writeSegment(
  folder: string,
  number: number,
  records: readonly CollectionRecord[],
  vectors: AsyncIterable<Uint16Array>,
): Promise<Segment> {
  const digits = String(number).padStart(6, '0');
  const segment = { vectors: `vectors-${digits}.f16`, records: `records-${digits}.jsonl` };
  const lines = Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(''));
  // What a killed writer left under the same names, no head has named.
  const files = new FileSet({ overwrite: true });
  try {
    await files.add(join(folder, segment.vectors), bytesOf(vectors));
    await files.add(join(folder, segment.records), lines);
    await files.commit();
  } finally {
    await files.discard();
  }
  return { ...segment, rows: records.length, removed: [], sha256: sha256Of([lines]) };
}

async function* bytesOf(blocks: AsyncIterable<Uint16Array>): AsyncGenerator<Uint8Array> {
  for await (const { buffer, byteOffset, byteLength } of blocks) yield new Uint8Array(buffer, byteOffset, byteLength);
}

/** The records of all rows, removed ones too. @throws InputError where the file is not what was written. */
export async function readRecords(
  folder: string,
  { records: name, rows, sha256 }: Segment,
): Promise<CollectionRecord[]> {
  const file = join(folder, name);
  const text = await readText(file);
  const lines = text.split('\n').slice(0, -1);
  const damaged = new InputError(`${file} is damaged: it is not the file that was written; build the index again.`);
  if (lines.length !== rows || sha256Of([Buffer.from(text)]) !== sha256) throw damaged;
  return lines.map((line) => {
    const parsed = recordSchema.safeParse(parseJson(line));
    if (!parsed.success) throw damaged;
    return parsed.data;
  });
}

/** The float16 bits of the rows that are still there, in blocks that hold until the next one is asked for. */
export async function* livingVectors(folder: string, segment: Segment, dimension: number): AsyncGenerator<Uint16Array> {
  const file = join(folder, segment.vectors);
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    assertVectors(file, size, segment, dimension);
    const step = Math.max(1, Math.floor(blockBytes / (2 * dimension)));
    const removed = new Set(segment.removed);
    const block = new Uint16Array(Math.min(step, segment.rows) * dimension);
    for (let first = 0; first < segment.rows; first += step) {
      const count = Math.min(step, segment.rows - first);
      const bytes = new Uint8Array(block.buffer, 0, 2 * count * dimension);
      await fillFrom(handle, bytes, 2 * first * dimension, file);
      let kept = 0;
      for (let row = 0; row < count; row++) {
        if (removed.has(first + row)) continue;
        block.copyWithin(kept++ * dimension, row * dimension, (row + 1) * dimension);
      }
      yield block.subarray(0, kept * dimension);
    }
  } finally {
    await handle.close();
  }
}

function assertVectors(file: string, bytes: number, { rows }: Segment, dimension: number): void {
  if (bytes === 2 * rows * dimension) return;
  throw new InputError(`${file} is damaged: ${rows} rows of ${dimension} values expected; build the index again.`);
}
