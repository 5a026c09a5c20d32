/**
 * @file The append-only file behind resumable work. One JSON line per finished thing, so that a kill at any moment costs at most
 * the line being written: what does not end in a line break or is not as expected ends what is believed of the file.
 *   line 1   {"format", "settings"}: what decides the results, by name, compared as text
 *   line 2…  what the owner of the format appends
 */
import { existsSync } from 'node:fs';
import { type FileHandle, open, truncate } from 'node:fs/promises';
import { z } from 'zod';
import { parseJson, wholeLines } from './whole-lines.js';
import { failing } from './write-failure.js';

export type LogSettings = Readonly<Record<string, string>>;

/** The good part of a file: its settings, and the offset after its last good line. */
export interface LogExtent {
  settings: LogSettings;
  end: number;
}

const settingsSchema = z.record(z.string(), z.string());

// Lost at most on power failure; a killed process loses nothing that was handed to the system.
const millisecondsBetweenSyncs = 5000;

/** Gives every whole line's value to `take` until one is refused. Undefined where there is no file of this format. */
export async function readLineLog(
  file: string,
  format: string,
  take: (value: unknown) => boolean | Promise<boolean>,
): Promise<LogExtent | undefined> {
  if (!existsSync(file)) return undefined;
  const headerSchema = z.object({ format: z.literal(format), settings: settingsSchema });
  let extent: LogExtent | undefined;
  for await (const line of wholeLines(file)) {
    const value = parseJson(line.toString('utf8'));
    if (extent === undefined) {
      const header = headerSchema.safeParse(value);
      if (!header.success) return undefined;
      extent = { settings: header.data.settings, end: 0 };
    } else if (!(await take(value))) break;
    extent.end += line.length + 1;
  }
  return extent;
}

/** Settings that are not what they were: "size 640 -> 800". */
export function changedSettings(was: LogSettings, now: LogSettings): string[] {
  return [...new Set([...Object.keys(was), ...Object.keys(now)])]
    .filter((name) => was[name] !== now[name])
    .map((name) => `${name} ${was[name] ?? 'unset'} -> ${now[name] ?? 'unset'}`);
}

/** A file that lines are appended to. Its methods throw `InputError` where it cannot be written; what was added before is kept. */
export class LineLog {
  private syncedAt = performance.now();

  private constructor(
    private readonly file: string,
    private readonly handle: FileHandle,
  ) {}

  /** Begins `file` anew, in a folder that exists. */
  static async begin(file: string, { format, settings }: { format: string; settings: LogSettings }): Promise<LineLog> {
    const log = new LineLog(file, await open(file, 'w').catch(failing(file)));
    await log.write({ format, settings });
    return log;
  }

  /** Goes on behind the good part of `file`. */
  static async resume(file: string, { end }: Pick<LogExtent, 'end'>): Promise<LineLog> {
    await truncate(file, end).catch(failing(file));
    return new LineLog(file, await open(file, 'a').catch(failing(file)));
  }

  /** Adds one line, which is with the system when the promise resolves. Now and then it is flushed to disk: true. */
  async append(value: object): Promise<boolean> {
    await this.write(value);
    if (performance.now() - this.syncedAt <= millisecondsBetweenSyncs) return false;
    await this.handle.datasync().catch(failing(this.file));
    this.syncedAt = performance.now();
    return true;
  }

  /** Flushes to disk and closes the file. */
  async close(): Promise<void> {
    await this.handle.datasync().catch(failing(this.file));
    await this.handle.close();
  }

  private async write(value: object): Promise<void> {
    await this.handle.appendFile(`${JSON.stringify(value)}\n`).catch(failing(this.file));
  }
}
