/**
 * @file What cleaning has finished, appended line by line, so that a kill at any moment costs at most the line being written.
 *   line 1   {"format", "settings"}: what decides the results besides the images
 *   line 2…  {"image": key, ...} for a described image, {"pair": [key, key], ...} for a compared pair
 * Keys are hashes of file contents: an image that changed is a new one, one that was renamed is known. Logs of shards lie beside each
 * other in one folder, and every run reads them all.
 */
import { existsSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rm, truncate } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { parseJson, wholeLines } from '../data/whole-lines.js';
import { InputError } from '../errors.js';
import type { Shard } from '../retrieval/descriptor-folder.js';
import { writeFailure } from './write-failure.js';

const format = 'rmac matches, version 1';

/** Settings by name, compared as text. */
export type MatchSettings = Readonly<Record<string, string>>;

const box = z.tuple([z.number(), z.number(), z.number(), z.number()]);
const affine = z.tuple([z.number(), z.number(), z.number(), z.number(), z.number(), z.number()]);
const imageSchema = z.object({
  image: z.string(),
  width: z.number(),
  height: z.number(),
  /** Local features. */
  keypoints: z.number(),
  /** Small grey picture, base64 (near-duplicates.ts). */
  signature: z.string(),
});
const pairSchema = z.object({
  pair: z.tuple([z.string(), z.string()]),
  /** Tentative matches, and those that agree with the affine map. */
  matches: z.number(),
  inliers: z.number(),
  /** Inliers on what was laid over both photographs; this result is without them (banners.ts). */
  overlay: z.number().optional(),
  /** Absent where nothing was verified. The map of pixel centres [a, b, tx, c, d, ty]; boxes of the inliers [yMin, xMin, yMax, xMax). */
  verified: z.object({ aToB: affine, boxA: box, boxB: box }).optional(),
});
const lineSchema = z.union([imageSchema, pairSchema]);
const headerSchema = z.object({ format: z.literal(format), settings: z.record(z.string(), z.string()) });

export type DescribedImage = z.output<typeof imageSchema>;
export type ComparedPair = z.output<typeof pairSchema>;

// Lost at most on power failure; a killed process loses nothing that was handed to the system.
const millisecondsBetweenSyncs = 5000;

/** The log's file of a whole run or of one shard. */
export function matchLogFile(folder: string, shard?: Shard): string {
  const part = shard === undefined ? '' : `.${shard.index}-of-${shard.count}`;
  return join(folder, `matches${part}.jsonl`);
}

/** Key of a pair in `MatchLog.pairs`, whatever the order of its images. */
export function pairKey(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}

/** Finished work by key. Open it, append, close it. */
export class MatchLog {
  readonly images = new Map<string, DescribedImage>();
  readonly pairs = new Map<string, ComparedPair>();
  readonly #file: string;
  readonly #handle: FileHandle;
  #syncedAt = performance.now();

  private constructor(file: string, handle: FileHandle) {
    this.#file = file;
    this.#handle = handle;
  }

  /**
   * Opens `file` to continue it, or begins it, and reads the other logs of its folder.
   * @throws InputError where one of them was begun with other settings; with `overwrite` all are removed instead.
   */
  static async open(
    file: string,
    settings: MatchSettings,
    { overwrite = false }: { overwrite?: boolean } = {},
  ): Promise<MatchLog> {
    const folder = dirname(file);
    try {
      await mkdir(folder, { recursive: true });
      const logs = (await readdir(folder))
        .filter((name) => /^matches(\.\d+-of-\d+)?\.jsonl$/.test(name))
        .toSorted()
        .map((name) => join(folder, name));
      const read: (DescribedImage | ComparedPair)[] = [];
      let begun = false;
      for (const log of logs) {
        const { end, header, lines } = await scan(log);
        const different = header === undefined ? [] : differences(header.settings, settings);
        if (different.length > 0 && !overwrite) {
          throw new InputError(
            `${log} was begun with other settings (${different.join(', ')}); ` +
              'finish it with its own, choose another --out, or pass --overwrite to start again.',
          );
        }
        if (header === undefined || different.length > 0) {
          await rm(log);
          continue;
        }
        read.push(...lines);
        if (basename(log) !== basename(file)) continue;
        begun = true;
        await truncate(log, end);
      }
      const handle = await open(file, 'a');
      const log = new MatchLog(file, handle);
      if (!begun) await log.#write({ format, settings });
      for (const line of read) log.#take(line);
      return log;
    } catch (error) {
      throw error instanceof InputError ? error : writeFailure(file, error);
    }
  }

  /** Adds a finished image or pair. @throws InputError where the disk is full; what was added before is kept. */
  async append(line: DescribedImage | ComparedPair): Promise<void> {
    await this.#write(line);
    this.#take(line);
    if (performance.now() - this.#syncedAt > millisecondsBetweenSyncs) {
      await this.#handle.datasync();
      this.#syncedAt = performance.now();
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async #write(line: object): Promise<void> {
    try {
      await this.#handle.appendFile(`${JSON.stringify(line)}\n`);
    } catch (error) {
      throw writeFailure(this.#file, error);
    }
  }

  #take(line: DescribedImage | ComparedPair): void {
    if ('image' in line) this.images.set(line.image, line);
    else this.pairs.set(pairKey(...line.pair), line);
  }
}

function differences(was: MatchSettings, now: MatchSettings): string[] {
  return [...new Set([...Object.keys(was), ...Object.keys(now)])]
    .filter((name) => was[name] !== now[name])
    .map((name) => `${name} ${was[name] ?? 'unset'} -> ${now[name] ?? 'unset'}`);
}

/** Whole lines of a log up to the first that is damaged; `end` is the offset after the last good one. No header: not such a file. */
async function scan(file: string) {
  const lines: (DescribedImage | ComparedPair)[] = [];
  let header: z.output<typeof headerSchema> | undefined;
  let end = 0;
  if (!existsSync(file)) return { end, header, lines };
  for await (const bytes of wholeLines(file)) {
    const value = parseJson(bytes.toString('utf8'));
    if (header === undefined) {
      const parsed = headerSchema.safeParse(value);
      if (!parsed.success) break;
      header = parsed.data;
    } else {
      const parsed = lineSchema.safeParse(value);
      if (!parsed.success) break;
      lines.push(parsed.data);
    }
    end += bytes.length + 1;
  }
  return { end, header, lines };
}
