/**
 * @file What cleaning has finished, appended line by line (line-log.ts):
 *   {"image": key, ...} for a described image, {"pair": [key, key], ...} for a compared pair.
 * Keys are hashes of file contents: an image that changed is a new one, one that was renamed is known. Logs of shards lie beside each
 * other in one folder, and every run reads them all.
 */
import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { changedSettings, LineLog, type LogExtent, type LogSettings, readLineLog } from '../../data/line-log.js';
import { isBeingWritten } from '../../data/folder-lock.js';
import { writeFailure } from '../../data/write-failure.js';
import { makeFolder } from '../../data/files.js';
import { InputError } from '../../errors.js';
import { allCells, cellsText } from '../matching/coverage.js';
import type { Shard } from '../../retrieval/descriptor-folder.js';
import { append } from '../../extremes.js';

const format = 'rmac matches, version 1';

/** Settings by name, compared as text. */
export type MatchSettings = LogSettings;

const box = z.tuple([z.number(), z.number(), z.number(), z.number()]);
const affine = z.tuple([z.number(), z.number(), z.number(), z.number(), z.number(), z.number()]);
const cells = z
  .string()
  .regex(/^[0-9a-f]{16}$/)
  .default(cellsText(allCells));
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
  /** Absent where nothing was verified. The map of pixel centres [a, b, tx, c, d, ty]; boxes of the inliers [yMin, xMin, yMax, xMax); their cells (coverage.ts), which logs of earlier versions lack. */
  verified: z.object({ aToB: affine, boxA: box, boxB: box, cellsA: cells, cellsB: cells }).optional(),
});
const lineSchema = z.union([imageSchema, pairSchema]);

export type LoggedImage = z.output<typeof imageSchema>;
export type ComparedPair = z.output<typeof pairSchema>;

/** The log's file of a whole run or of one shard. */
export function matchLogFile(folder: string, shard?: Shard): string {
  const part = shard === undefined ? '' : `.${shard.index}-of-${shard.count}`;
  return join(folder, `matches${part}.jsonl`);
}

function shardOfLog(file: string): Shard | undefined {
  const match = /\.(\d+)-of-(\d+)\.jsonl$/.exec(file);
  return match === null ? undefined : { index: Number(match[1]), count: Number(match[2]) };
}

/** Key of a pair in `MatchLog.pairs`, whatever the order of its images. */
export function pairKey(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}

/** Finished work by key. Open it, append, close it. */
export class MatchLog {
  readonly images = new Map<string, LoggedImage>();
  readonly pairs = new Map<string, ComparedPair>();
  readonly #log: LineLog;

  private constructor(log: LineLog) {
    this.#log = log;
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
      await makeFolder(folder);
      const logs = (await readdir(folder))
        .filter((name) => /^matches(\.\d+-of-\d+)?\.jsonl$/.test(name))
        .toSorted()
        .map((name) => join(folder, name));
      const read: (LoggedImage | ComparedPair)[] = [];
      let begun: LogExtent | undefined;
      for (const log of logs) {
        const { extent, lines } = await scan(log);
        const changes = extent === undefined ? [] : changedSettings(extent.settings, settings);
        if (changes.length > 0 && !overwrite) {
          throw new InputError(
            `${log} was begun with other settings (${changes.join(', ')}); ` +
              'finish it with its own, choose another --out, or pass --overwrite to start again.',
          );
        }
        if (extent === undefined || changes.length > 0) {
          const inUse = log !== file && (await isBeingWritten(folder, shardOfLog(log)));
          if (inUse && extent !== undefined) {
            throw new InputError(
              `${log} is being written with other settings (${changes.join(', ')}); wait until it ends.`,
            );
          }
          if (!inUse) await rm(log); // else its first line is on the way
          continue;
        }
        append(read, lines);
        if (basename(log) === basename(file)) begun = extent;
      }
      const log = new MatchLog(
        begun === undefined ? await LineLog.begin(file, { format, settings }) : await LineLog.resume(file, begun),
      );
      for (const line of read) log.#take(line);
      return log;
    } catch (error) {
      throw error instanceof InputError ? error : writeFailure(file, error);
    }
  }

  /** Adds a finished image or pair. @throws InputError where the disk is full; what was added before is kept. */
  async append(line: LoggedImage | ComparedPair): Promise<void> {
    await this.#log.append(line);
    this.#take(line);
  }

  close(): Promise<void> {
    return this.#log.close();
  }

  #take(line: LoggedImage | ComparedPair): void {
    if ('image' in line) this.images.set(line.image, line);
    else this.pairs.set(pairKey(...line.pair), line);
  }
}

/** The good part of a log, and its lines. */
async function scan(file: string): Promise<{ extent: LogExtent | undefined; lines: (LoggedImage | ComparedPair)[] }> {
  const lines: (LoggedImage | ComparedPair)[] = [];
  const extent = await readLineLog(file, format, (value) => {
    const parsed = lineSchema.safeParse(value);
    if (parsed.success) lines.push(parsed.data);
    return parsed.success;
  });
  return { extent, lines };
}
