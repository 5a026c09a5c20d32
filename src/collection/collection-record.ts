/** @file What a collection knows of a photograph besides its vector. */
import { z } from 'zod';

const text = z.string();

/** As it lies in the files of an index; a photograph is told by its bytes, not by its name. */
export const recordSchema = z.object({
  /** Unique in the collection. */
  id: text,
  /** Of the photograph, as `storedPath` has it. */
  path: text,
  /** Bytes and time of the file (ms since 1970) when it was described: while they are the same, so is the photograph. */
  bytes: z.number(),
  modified: z.number(),
  /** Of the file, which decides where they are not. */
  sha256: text,
  /** What it shows: photographs of one object are one answer. */
  object: text.optional(),
  title: text.optional(),
  rights: text.optional(),
  link: text.optional(),
  accession: text.optional(),
  /** Everything else that is known of it, by name, as text. */
  columns: z.record(text, text),
});

/** What an index keeps of a photograph. */
export type CollectionRecord = z.output<typeof recordSchema>;

/** A photograph that is to be in a collection, as its source names it. `path`: of the file. */
export type CollectedPhotograph = Omit<CollectionRecord, 'bytes' | 'modified' | 'sha256'>;

/** What can be filtered by, and what a page shows as columns. */
export const namedColumns = ['object', 'title', 'rights', 'link', 'accession'] as const;

/** The value of a column of either kind; undefined where the photograph has none. */
export function columnOf(record: Pick<CollectionRecord, (typeof namedColumns)[number] | 'columns'>, column: string) {
  const named = namedColumns.find((name) => name === column);
  if (named !== undefined) return record[named];
  return Object.hasOwn(record.columns, column) ? record.columns[column] : undefined;
}
