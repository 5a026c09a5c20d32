/**
 * @file The two append-only files behind a resumable extraction. The rows lie one after the other as D little-endian float32
 * each; the log (line-log.ts) says what they are, a line for each row and in the same order:
 *   {"id", "source", "sha256"}, the row length D among the settings.
 * A row comes before its line. What a kill or a power failure left of either ends what is believed of both: a line counts if
 * its row is there whole, which `sha256`, the first 16 digits of that of id, source and row, tells. `source` tells whether the
 * image is still the same one; a later line for an id replaces an earlier one.
 */
import { createReadStream, existsSync } from 'node:fs';
import { type FileHandle, open, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { makeFolder } from '../data/files.js';
import { changedSettings, LineLog, type LogExtent, type LogSettings, readLineLog } from '../data/line-log.js';
import { fillFrom } from '../data/read-file.js';
import { sha256Of } from '../data/sha256.js';
import { failing } from '../data/write-failure.js';
import { InputError, messageOf } from '../errors.js';

const format = 'rmac partial descriptors, version 2';
const formerFormat = 'rmac partial descriptors, version 1';

/** What decides the values of a descriptor besides the image: model checksum, size, pooling … */
export type ExtractionSettings = LogSettings;

/** Paths of the log and of the rows. */
export interface PartialFiles {
  partial: string;
  partialRows: string;
}

const lineSchema = z.object({ id: z.string(), source: z.string(), sha256: z.string() });

/** Bytes of rows that are in memory at once, where one row is not longer. */
const blockBytes = 1 << 22;

/** Finished rows on disk. Open it, append as images finish, read the rows back at the end. */
export class PartialDescriptors {
  readonly #files: PartialFiles;
  readonly #log: LineLog;
  readonly #rows: FileHandle;
  readonly #rowBytes: number;
  readonly #found: FinishedRows;

  private constructor(files: PartialFiles, log: LineLog, rows: FileHandle, rowBytes: number, found: FinishedRows) {
    this.#files = files;
    this.#log = log;
    this.#rows = rows;
    this.#rowBytes = rowBytes;
    this.#found = found;
  }

  /**
   * Opens the files to continue them, or begins them. Those begun with other settings, or by an earlier version, are an
   * InputError that says so, or are replaced with `overwrite`.
   */
  static async open(
    files: PartialFiles,
    options: ExtractionSettings,
    dimension: number,
    { overwrite = false }: { overwrite?: boolean } = {},
  ): Promise<PartialDescriptors> {
    const { partial, partialRows } = files;
    const settings: ExtractionSettings = { ...options, dimension: `${dimension}` };
    const rowBytes = dimension * Float32Array.BYTES_PER_ELEMENT;
    const { extent, ...found } = await readFinished(files, rowBytes);
    const changes = extent === undefined ? [] : changedSettings(extent.settings, settings);
    if (extent !== undefined && changes.length === 0) {
      const log = await LineLog.resume(partial, extent);
      const rows = await open(partialRows, 'a').catch(failing(partialRows));
      await truncate(partialRows, found.count * rowBytes).catch(failing(partialRows));
      return new PartialDescriptors(files, log, rows, rowBytes, found);
    }
    if (!overwrite) await assertReplaceable(partial, changes);
    await makeFolder(dirname(partial));
    const rows = await open(partialRows, 'w').catch(failing(partialRows));
    const log = await LineLog.begin(partial, { format, settings });
    return new PartialDescriptors(files, log, rows, rowBytes, { count: 0, finished: new Map() });
  }

  /** Images that have a row. */
  get size(): number {
    return this.#found.finished.size;
  }

  /** `source` of the image whose row is there. */
  sourceOf(id: string): string | undefined {
    return this.#found.finished.get(id)?.source;
  }

  /** Adds one finished row. */
  async append(id: string, source: string, descriptor: Float32Array): Promise<void> {
    const bytes = Buffer.from(descriptor.buffer, descriptor.byteOffset, descriptor.byteLength);
    if (bytes.length !== this.#rowBytes) throw new Error(`PartialDescriptors: a row of ${descriptor.length} values.`);
    const { partialRows } = this.#files;
    await this.#rows.appendFile(bytes).catch(failing(partialRows));
    const synced = await this.#log.append({ id, source, sha256: digestOf(id, source, bytes) });
    if (synced) await this.#rows.datasync().catch(failing(partialRows));
    this.#found.finished.set(id, { source, row: this.#found.count++ });
  }

  /** The rows of `ids`, one after the other, as bytes in blocks; a block holds only until the next one is asked for. */
  async *readRows(ids: readonly string[]): AsyncGenerator<Uint8Array> {
    const { partialRows } = this.#files;
    const rowBytes = this.#rowBytes;
    const rows = ids.map((id) => this.#found.finished.get(id)!.row);
    const buffer = new Uint8Array(Math.max(1, Math.floor(blockBytes / rowBytes)) * rowBytes);
    const handle = await open(partialRows).catch((error: unknown) => {
      throw new InputError(`Cannot read ${partialRows}: ${messageOf(error)}`);
    });
    try {
      for (let i = 0; i < rows.length; ) {
        let end = i + 1; // of what lies together in the file
        while (end < rows.length && rows[end] === rows[end - 1] + 1 && (end - i) * rowBytes < buffer.length) end++;
        const block = buffer.subarray(0, (end - i) * rowBytes);
        await fillFrom(handle, block, rows[i] * rowBytes, partialRows);
        yield block;
        i = end;
      }
    } finally {
      await handle.close();
    }
  }

  /** Flushes to disk and closes the files; they stay for the next run. */
  async close(): Promise<void> {
    try {
      await this.#rows.datasync().catch(failing(this.#files.partialRows));
      await this.#rows.close();
    } finally {
      await this.#log.close();
    }
  }
}

interface FinishedRows {
  /** Rows in the file. */
  count: number;
  /** By id: which row, and of which state of the image. */
  finished: Map<string, { source: string; row: number }>;
}

/** What is believed of the files; without an extent where there is no log of this format. */
async function readFinished(
  { partial, partialRows }: PartialFiles,
  rowBytes: number,
): Promise<FinishedRows & { extent: LogExtent | undefined }> {
  const found: FinishedRows = { count: 0, finished: new Map() };
  const rows = wholeRows(partialRows, rowBytes);
  const extent = await readLineLog(partial, format, async (value) => {
    const line = lineSchema.safeParse(value);
    if (!line.success) return false;
    const { value: row } = await rows.next();
    const { id, source, sha256 } = line.data;
    if (row === undefined || digestOf(id, source, row) !== sha256) return false;
    found.finished.set(id, { source, row: found.count++ });
    return true;
  });
  await rows.return(undefined);
  return { ...found, extent };
}

/** The rows of a file that are there whole; none where there is no file. */
async function* wholeRows(file: string, rowBytes: number): AsyncGenerator<Uint8Array, undefined> {
  if (!existsSync(file)) return;
  let rest: Buffer = Buffer.alloc(0);
  const highWaterMark = Math.ceil(blockBytes / rowBytes) * rowBytes;
  for await (const chunk of createReadStream(file, { highWaterMark }) as AsyncIterable<Buffer>) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    for (; at + rowBytes <= bytes.length; at += rowBytes) yield bytes.subarray(at, at + rowBytes);
    rest = bytes.subarray(at);
  }
}

function digestOf(id: string, source: string, row: Uint8Array): string {
  return sha256Of([Buffer.from(JSON.stringify([id, source])), row]).slice(0, 16);
}

/** @throws InputError where `file` holds work that this run cannot take over. */
async function assertReplaceable(file: string, changes: readonly string[]): Promise<void> {
  const fail = (what: string, finish: string): never => {
    throw new InputError(
      `${file} is an unfinished extraction ${what}; ${finish}, choose another --out, or pass --overwrite to start again.`,
    );
  };
  if (changes.length > 0) fail(`with other settings (${changes.join(', ')})`, 'finish it with its own');
  const former = await readLineLog(file, formerFormat, () => false);
  if (former !== undefined) fail('of an earlier version of rmac', 'finish it with that one');
}
