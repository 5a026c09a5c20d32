/**
 * @file The append-only file behind a resumable extraction (line-log.ts): one line per finished image,
 *   {"id", "source", "descriptor": base64 of D little-endian float32}, the row length D among the settings.
 * `source` tells whether the image is still the same one; a later line for an id replaces an earlier one.
 */
import { dirname } from 'node:path';
import { z } from 'zod';
import { changedSettings, LineLog, type LogExtent, type LogSettings, readLineLog } from '../data/line-log.js';
import { makeFolder } from '../data/files.js';
import { InputError } from '../errors.js';

const format = 'rmac partial descriptors, version 1';

/** What decides the values of a descriptor besides the image: model checksum, size, pooling … */
export type ExtractionSettings = LogSettings;

const lineSchema = z.object({ id: z.string(), source: z.string(), descriptor: z.string() });

/** Finished rows on disk. Open it, append as images finish, read the rows back at the end. */
export class PartialDescriptors {
  /** `source` of the images that have a row, by id. */
  readonly finished: Map<string, string>;
  readonly #file: string;
  readonly #log: LineLog;
  readonly #dimension: number;

  private constructor(file: string, log: LineLog, dimension: number, finished: Map<string, string>) {
    this.#file = file;
    this.#log = log;
    this.#dimension = dimension;
    this.finished = finished;
  }

  /**
   * Opens `file` to continue it, or begins it. A file begun with other settings is an InputError that names them,
   * or is replaced with `overwrite`.
   */
  static async open(
    file: string,
    options: ExtractionSettings,
    dimension: number,
    { overwrite = false }: { overwrite?: boolean } = {},
  ): Promise<PartialDescriptors> {
    const settings: ExtractionSettings = { ...options, dimension: `${dimension}` };
    const finished = new Map<string, string>();
    const before = await scan(file, dimension, ({ id, source }) => finished.set(id, source));
    const changes = before === undefined ? [] : changedSettings(before.settings, settings);
    if (before !== undefined && changes.length === 0) {
      return new PartialDescriptors(file, await LineLog.resume(file, before), dimension, finished);
    }
    if (changes.length > 0 && !overwrite) {
      throw new InputError(
        `${file} is an unfinished extraction with other settings (${changes.join(', ')}); ` +
          'finish it with its own, choose another --out, or pass --overwrite to start again.',
      );
    }
    await makeFolder(dirname(file));
    return new PartialDescriptors(file, await LineLog.begin(file, { format, settings }), dimension, new Map());
  }

  /** Adds one finished row. */
  async append(id: string, source: string, descriptor: Float32Array): Promise<void> {
    const bytes = Buffer.from(descriptor.buffer, descriptor.byteOffset, descriptor.byteLength);
    await this.#log.append({ id, source, descriptor: bytes.toString('base64') });
    this.finished.set(id, source);
  }

  /** Calls `use` with every row in the file, in the order they were finished. */
  async readRows(use: (id: string, source: string, descriptor: Float32Array) => void): Promise<void> {
    await scan(this.#file, this.#dimension, ({ id, source, bytes }) => {
      const aligned = new Uint8Array(bytes);
      use(id, source, new Float32Array(aligned.buffer));
    });
  }

  /** Flushes to disk and closes the file; it stays for the next run. */
  close(): Promise<void> {
    return this.#log.close();
  }
}

/** Walks the rows of the file; a line that is none ends it. */
function scan(
  file: string,
  dimension: number,
  use: (row: { id: string; source: string; bytes: Buffer }) => void,
): Promise<LogExtent | undefined> {
  return readLineLog(file, format, (value) => {
    const parsed = lineSchema.safeParse(value);
    if (!parsed.success) return false;
    const { id, source, descriptor } = parsed.data;
    const bytes = Buffer.from(descriptor, 'base64');
    if (bytes.length !== dimension * 4) return false;
    use({ id, source, bytes });
    return true;
  });
}
