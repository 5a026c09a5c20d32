/**
 * @file The list of photographs everything works from: JSON lines
 * `{"id","path","landmark","group"?,"box"?: {"x","y","width","height"}}`, one photograph each. Other keys are the owner's
 * (an author, a date): they mean nothing here and are written again wherever their record is.
 *
 * A path is relative to the manifest's folder, written with `/`, and does not leave that folder (`image-path.ts`); `image-link.ts` makes a
 * link where a manifest is to lie apart from its images.
 */
import { createReadStream } from 'node:fs';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { InputError, messageOf } from '../errors.js';
import { type WriteOptions, writeFileAtomic } from './files.js';
import { type ImagePathOptions, listedImagePath, pathInside } from './image-path.js';
import { whyUnreadable } from './read-file.js';

/** A rectangle in pixels of the upright image (EXIF orientation applied), origin top left. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** One photograph: one line of a manifest. */
export interface ImageRecord {
  /** Unique in the manifest. */
  id: string;
  /** Resolved against the manifest: absolute, or relative to the working folder if the manifest's own path was. */
  path: string;
  landmark: string;
  /** Photographs of one group may show the same thing and are never each other's negatives. */
  group?: string;
  /** Where in the image the landmark is; the whole image without it. */
  box?: Box;
  /** What else the manifest says of the photograph. */
  fields?: Readonly<Record<string, unknown>>;
}

/** A photograph that says where its landmark is. */
export type BoxedRecord = ImageRecord & { box: Box };

/** Longest line that is read; a longer one is no manifest. */
const maxLineBytes = 1 << 20;

// ids and labels go into line-based files (ids.txt) and onto terminals
const name = z
  .string()
  .min(1, 'must not be empty')
  // oxlint-disable-next-line no-control-regex
  .regex(/^[^\u0000-\u001f\u007f]*$/, 'must not contain control characters or line breaks');
const positive = z.number().positive('must be above 0');

const lineSchema = z.looseObject({
  id: name,
  path: name,
  landmark: name,
  group: name.optional(),
  box: z.object({ x: z.number(), y: z.number(), width: positive, height: positive }).optional(),
});

/**
 * The records of a manifest, in file order. A line that repeats an earlier one says nothing new and is passed over.
 * @throws InputError naming `file:line`: no JSON, a missing or wrong field, an id used for two records, a path out of the folder
 *   and of `imageRoot`, bytes that are not UTF-8, a line over 1 MiB; naming `file`: unreadable, or no record at all.
 */
export async function readManifest(file: string, options: ImagePathOptions = {}): Promise<ImageRecord[]> {
  const records: ImageRecord[] = [];
  const earlierOfId = new Map<string, { line: number; record: ImageRecord }>();
  for await (const { text, line } of readLines(file)) {
    if (text.trim() === '') continue;
    const record = parseLine(text, { ...options, where: `${file}:${line}`, folder: dirname(file) });
    const earlier = earlierOfId.get(record.id);
    if (earlier !== undefined) {
      if (isDeepStrictEqual(earlier.record, record)) continue;
      throw new InputError(
        `${file}:${line}: the id "${record.id}" was used in line ${earlier.line} for another image; ids must be unique.`,
      );
    }
    earlierOfId.set(record.id, { line, record });
    records.push(record);
  }
  if (records.length === 0) {
    throw new InputError(`${file} has no records; expected JSON lines as "rmac data scan" writes them.`);
  }
  return records;
}

/**
 * Writes records in their order, with paths relative to `file`; deterministic.
 * @throws InputError if the file exists (without `overwrite`) or an image lies outside its folder.
 */
export async function writeManifest(
  file: string,
  records: readonly ImageRecord[],
  options: WriteOptions = {},
): Promise<void> {
  await writeFileAtomic(file, manifestText(file, records), options);
}

/** What `writeManifest` writes to `file`. */
export function manifestText(file: string, records: readonly ImageRecord[]): string {
  const folder = dirname(file);
  return records.map((record) => `${JSON.stringify(toLine(record, folder, file))}\n`).join('');
}

function toLine({ id, path, landmark, group, box, fields }: ImageRecord, folder: string, file: string) {
  const inside = pathInside(folder, path);
  if (inside === undefined) {
    throw new InputError(
      `${file}: the image ${path} lies outside the manifest's folder; write the manifest beside or above its images.`,
    );
  }
  // JSON.stringify drops undefined members
  const pixels = box && { x: box.x, y: box.y, width: box.width, height: box.height };
  const known = { id, path: inside, landmark, group, box: pixels };
  return { ...known, ...fields, ...known };
}

function parseLine(text: string, place: Parameters<typeof listedImagePath>[1]): ImageRecord {
  const { where } = place;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InputError(`${where}: expected one JSON object per line: ${messageOf(error)}`);
  }
  const parsed = lineSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const field = issue.path.length === 0 ? 'record' : `"${issue.path.join('.')}"`;
    throw new InputError(`${where}: ${field}: ${issue.message}. Expected {"id","path","landmark","group"?,"box"?}.`);
  }
  const { id, path, landmark, group, box, ...fields } = parsed.data;
  return {
    id,
    path: listedImagePath(path, place),
    landmark,
    ...(group !== undefined && { group }),
    ...(box && { box }),
    ...(Object.keys(fields).length > 0 && { fields }),
  };
}

/** Lines without their \n (JSON takes the \r of \r\n as white space), a BOM dropped; stops at the first over-long one. */
async function* readLines(file: string): AsyncGenerator<{ text: string; line: number }> {
  const decoder = new TextDecoder('utf-8', { fatal: true }); // drops a BOM at the start of what it decodes
  let line = 0;
  const decode = (bytes: Uint8Array) => {
    line++;
    if (bytes.length > maxLineBytes) throw new InputError(`${file}:${line}: line of over 1 MiB; this is no manifest.`);
    try {
      return { text: decoder.decode(bytes), line };
    } catch {
      throw new InputError(`${file}:${line}: not UTF-8 text; save the manifest as UTF-8.`);
    }
  };
  let rest: Uint8Array = new Uint8Array(0);
  try {
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let start = 0;
      for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, start)) {
        yield decode(bytes.subarray(start, end));
        start = end + 1;
      }
      rest = bytes.subarray(start);
      if (rest.length > maxLineBytes) decode(rest);
    }
    if (rest.length > 0) yield decode(rest);
  } catch (error) {
    if (error instanceof InputError) throw error;
    const way =
      (error as NodeJS.ErrnoException).code === 'EISDIR'
        ? `; make a manifest of the photographs in it: rmac data scan ${file} --out ${join(file, 'manifest.jsonl')}`
        : '';
    throw new InputError(`Cannot read manifest ${file}: ${whyUnreadable(file, error)}${way}`);
  }
}
