/**
 * @file The append-only file behind a resumable extraction. One JSON line per finished image, so that a kill at any
 * moment costs at most the line being written: what does not end in a line break or does not parse is cut off.
 *   line 1   {"format", "settings"}, the row length D among the settings
 *   line 2…  {"id", "source", "descriptor": base64 of D little-endian float32}
 * `source` tells whether the image is still the same one; a later line for an id replaces an earlier one.
 */
import { existsSync } from 'node:fs';
import { type FileHandle, mkdir, open, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { parseJson, wholeLines } from '../data/whole-lines.js';
import { InputError } from '../errors.js';

const format = 'rmac partial descriptors, version 1';

/** What decides the values of a descriptor besides the image: model checksum, size, pooling … */
export type ExtractionSettings = Readonly<Record<string, string>>;

const headerSchema = z.object({
  format: z.literal(format),
  settings: z.record(z.string(), z.string()),
});
const lineSchema = z.object({ id: z.string(), source: z.string(), descriptor: z.string() });

// Lost at most on power failure; a killed process loses nothing that was handed to the system.
const millisecondsBetweenSyncs = 5000;

/** Finished rows on disk. Open it, append as images finish, read the rows back at the end. */
export class PartialDescriptors {
  /** `source` of the images that have a row, by id. */
  readonly finished: Map<string, string>;
  readonly #file: string;
  readonly #handle: FileHandle;
  readonly #dimension: number;
  #syncedAt = performance.now();

  private constructor(file: string, handle: FileHandle, dimension: number, finished: Map<string, string>) {
    this.#file = file;
    this.#handle = handle;
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
    if (existsSync(file)) {
      const { end, header } = await scan(file, dimension, ({ id, source }) => finished.set(id, source));
      const different =
        header === undefined
          ? []
          : [...new Set([...Object.keys(settings), ...Object.keys(header.settings)])].filter(
              (name) => header.settings[name] !== settings[name],
            );
      if (header !== undefined && different.length > 0 && !overwrite) {
        const changes = different.map(
          (name) => `${name} ${header.settings[name] ?? 'unset'} -> ${settings[name] ?? 'unset'}`,
        );
        throw new InputError(
          `${file} is an unfinished extraction with other settings (${changes.join(', ')}); ` +
            'finish it with its own, choose another --out, or pass --overwrite to start again.',
        );
      }
      if (header !== undefined && different.length === 0) {
        await truncate(file, end);
        return new PartialDescriptors(file, await open(file, 'a'), dimension, finished);
      }
      finished.clear();
    }
    await mkdir(dirname(file), { recursive: true });
    const handle = await open(file, 'w');
    await handle.appendFile(`${JSON.stringify({ format, settings })}\n`);
    return new PartialDescriptors(file, handle, dimension, finished);
  }

  /** Adds one finished row. */
  async append(id: string, source: string, descriptor: Float32Array): Promise<void> {
    const bytes = Buffer.from(descriptor.buffer, descriptor.byteOffset, descriptor.byteLength);
    await this.#handle.appendFile(`${JSON.stringify({ id, source, descriptor: bytes.toString('base64') })}\n`);
    this.finished.set(id, source);
    if (performance.now() - this.#syncedAt > millisecondsBetweenSyncs) {
      await this.#handle.datasync();
      this.#syncedAt = performance.now();
    }
  }

  /** Calls `use` with every row in the file, in the order they were finished. */
  async readRows(use: (id: string, source: string, descriptor: Float32Array) => void): Promise<void> {
    await scan(this.#file, this.#dimension, ({ id, source, bytes }) => {
      const aligned = new Uint8Array(bytes);
      use(id, source, new Float32Array(aligned.buffer));
    });
  }

  /** Flushes to disk and closes the file; it stays for the next run. */
  async close(): Promise<void> {
    await this.#handle.datasync();
    await this.#handle.close();
  }
}

/** Walks the whole lines of the file; `end` is the offset after the last good one. No header: not such a file. */
async function scan(
  file: string,
  dimension: number,
  use: (row: { id: string; source: string; bytes: Buffer }) => void,
): Promise<{ end: number; header: z.output<typeof headerSchema> | undefined }> {
  let header: z.output<typeof headerSchema> | undefined;
  let end = 0;
  for await (const line of wholeLines(file)) {
    const value = parseJson(line.toString('utf8'));
    if (header === undefined) {
      const parsed = headerSchema.safeParse(value);
      if (!parsed.success) break;
      header = parsed.data;
    } else {
      const parsed = lineSchema.safeParse(value);
      const bytes = parsed.success ? Buffer.from(parsed.data.descriptor, 'base64') : Buffer.alloc(0);
      if (!parsed.success || bytes.length !== dimension * 4) break;
      use({ id: parsed.data.id, source: parsed.data.source, bytes });
    }
    end += line.length + 1;
  }
  return { end, header };
}
