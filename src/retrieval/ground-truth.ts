/**
 * @file What is right for each query: read from the project's JSON format or derived from a manifest's labels.
 *
 * JSON: {"queries":[{"id","image","box"?:{x,y,width,height},"positives":[ids],"junk"?:[ids],"landmark"?}],
 *        "database":[{"id","image"}]}, image paths relative to the file and inside its folder (`image-path.ts`), boxes in pixels of the
 * upright image. Junk neither counts nor advances the rank. A query's own image leaves its ranking only where its id is
 * in its junk: Oxford/Paris keep it as a positive, most others drop it.
 */
import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { type ImagePathOptions, listedImagePath } from '../data/image-path.js';
import type { Box, ImageRecord } from '../data/manifest.js';
import { readText, whyUnreadable } from '../data/read-file.js';
import { InputError, messageOf } from '../errors.js';
import { groupBy } from '../data/group-by.js';
import type { QuarterTurn } from '../data/rgb-image.js';

export interface Query {
  id: string;
  /** Path of the image file. */
  image: string;
  /** The part of the image that is the query; the whole image without it. */
  box?: Box;
  /** Ids of the database that are right. */
  positives: readonly string[];
  /** Ids that are neither right nor wrong; ids that the database does not have are harmless. */
  junk: readonly string[];
  /** What macro averages group by; undefined where the ground truth does not say. */
  landmark?: string;
  /** Clockwise turn after EXIF that makes the image upright. */
  rotate?: QuarterTurn;
}

/** What is searched in, what is asked, and what would be right. */
export interface GroundTruth {
  queries: readonly Query[];
  database: readonly { id: string; image: string; rotate?: QuarterTurn }[];
}

const id = z.string().min(1);
const image = z.string().min(1);
const schema = z.object({
  queries: z
    .array(
      z.object({
        id,
        image,
        box: z
          .object({ x: z.number(), y: z.number(), width: z.number().positive(), height: z.number().positive() })
          .optional(),
        positives: z.array(id),
        junk: z.array(id).default([]),
        landmark: z.string().min(1).optional(),
      }),
    )
    .min(1),
  database: z.array(z.object({ id, image })).min(1),
});

/** Reads a ground truth file; @throws InputError naming the file, the entry and the way out. */
export async function readGroundTruth(file: string, options: ImagePathOptions = {}): Promise<GroundTruth> {
  let text: string;
  try {
    text = await readText(file);
  } catch (error) {
    throw new InputError(`Cannot read ground truth ${file}: ${whyUnreadable(file, error)}`);
  }
  return parseGroundTruth(text, file, options);
}

/** Parses the text of `file`; image paths are resolved against its folder. */
export function parseGroundTruth(text: string, file: string, { imageRoot }: ImagePathOptions = {}): GroundTruth {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new InputError(`${file} is not JSON: ${messageOf(error)}. Expected {"queries":[...],"database":[...]}.`);
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0];
    throw new InputError(
      `${file}: ${path.join('.') || 'top level'}: ${message}. Expected ` +
        '{"queries":[{"id","image","positives":[ids],"junk":[ids]}],"database":[{"id","image"}]}.',
    );
  }
  const database = distinct(parsed.data.database, `${file}: database`);
  const queries = distinct(parsed.data.queries, `${file}: queries`);
  const known = new Set(database.map((entry) => entry.id));
  for (const query of queries) {
    const unknown = query.positives.filter((positive) => !known.has(positive));
    if (unknown.length > 0) {
      throw new InputError(
        `${file}: query "${query.id}" has ${unknown.length} positives that are not in the database ` +
          `(${firstFew(unknown)}); add them to "database" or remove them.`,
      );
    }
    const junk = new Set(query.junk);
    const both = query.positives.filter((positive) => junk.has(positive));
    if (both.length > 0) {
      throw new InputError(`${file}: query "${query.id}" lists ${firstFew(both)} as positive and as junk; keep one.`);
    }
  }
  const place = { where: file, folder: dirname(file), imageRoot };
  return {
    queries: queries.map((query) => ({
      ...query,
      positives: [...new Set(query.positives)],
      image: listedImagePath(query.image, place),
      landmark: query.landmark ?? landmarkOfId(query.id),
    })),
    database: database.map((entry) => ({ id: entry.id, image: listedImagePath(entry.image, place) })),
  };
}

/**
 * Ground truth of a labelled set: every image is a query, the other images of its landmark are its positives. Junk: the
 * image itself, and images of its group that carry another landmark (they may show the same thing).
 */
export function labelsGroundTruth(records: readonly ImageRecord[]): GroundTruth {
  const byLandmark = groupBy(records, (record) => record.landmark);
  const byGroup = groupBy(
    records.filter((record) => record.group !== undefined),
    (record) => record.group,
  );
  const database = records.map((record) => ({ id: record.id, image: record.path }));
  const queries = records.map((record) => {
    const same = byLandmark.get(record.landmark) ?? [];
    const related = record.group === undefined ? [] : (byGroup.get(record.group) ?? []);
    return {
      id: record.id,
      image: record.path,
      positives: same.filter((other) => other.id !== record.id).map((other) => other.id),
      junk: [record.id, ...related.filter((other) => other.landmark !== record.landmark).map((other) => other.id)],
      landmark: record.landmark,
    };
  });
  return { queries, database };
}

/** "a, b, c and 4 more": names the first few of a list in an error or a note. */
export function firstFew(names: readonly string[], count = 3): string {
  const rest = names.length - count;
  return names.slice(0, count).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

// "hawa_mahal/003" is a photograph in the folder hawa_mahal; an id without a folder says nothing about its landmark.
function landmarkOfId(queryId: string): string | undefined {
  const slash = queryId.lastIndexOf('/');
  return slash > 0 ? queryId.slice(0, slash) : undefined;
}

/** The entries by id. One that repeats an earlier one says nothing new; two different ones under one id are an error. */
function distinct<T extends { id: string }>(entries: readonly T[], where: string): T[] {
  const seen = new Map<string, T>();
  for (const entry of entries) {
    const earlier = seen.get(entry.id);
    if (earlier === undefined) seen.set(entry.id, entry);
    else if (!isDeepStrictEqual(earlier, entry)) {
      throw new InputError(`${where}: id "${entry.id}" stands for two different entries; ids must be unique.`);
    }
  }
  return [...seen.values()];
}
