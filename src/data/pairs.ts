/** @file Pairs of images that show the same thing: JSON lines {"a","b"} of ids, or all pairs of a landmark. */
import { z } from 'zod';
import { InputError } from '../errors.js';
import { groupBy } from './group-by.js';
import type { ImageRecord } from './manifest.js';
import { readText, whyUnreadable } from './read-file.js';
import { parseJson } from './whole-lines.js';

const pair = z.object({ a: z.string().min(1), b: z.string().min(1), kept: z.boolean().optional() });

/** Reads a file of pairs; lines with `"kept": false` are passed over. @throws InputError naming the file and line. */
export async function readPairs(file: string): Promise<[string, string][]> {
  const text = await readText(file).catch((error: unknown) => {
    throw new InputError(`Cannot read ${file}: ${whyUnreadable(file, error)}`);
  });
  return text.split(/\r?\n/).flatMap((line, i): [string, string][] => {
    if (line.trim() === '') return [];
    const { data } = pair.safeParse(parseJson(line));
    if (data === undefined) throw new InputError(`${file}:${i + 1}: expected {"a":id,"b":id} on each line.`);
    return data.kept === false ? [] : [[data.a, data.b]];
  });
}

/** Each photograph with every later one of its landmark. */
export function labelPairs(records: readonly ImageRecord[]): [string, string][] {
  return [...groupBy(records, ({ landmark }) => landmark).values()].flatMap((group) =>
    group.flatMap((a, i) => group.slice(i + 1).map((b): [string, string] => [a.id, b.id])),
  );
}
