/**
 * @file Ranked lists from files, in the forms that evaluation programs take:
 *   a folder     QUERY.txt or QUERY.rnk, one name a line (Oxford's compute_ap)
 *   a text file  one query a line: "query name name ...", or "query rank name rank name ..." (the Holidays program)
 *   .json        {"query": ["name", ...], ...}
 *   .npy         integers [database, queries] or [queries, database]: numbers of the database, from 0 (revisitop)
 */
import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { z } from 'zod';
import { readFile } from '../data/read-file.js';
import { InputError, messageOf } from '../errors.js';
import { firstFew } from './ground-truth.js';
import type { Rankings } from './evaluate-rankings.js';
import { parseIntegerNpy } from './npy.js';

export interface RankingNames {
  /** How a name of the file is written in the ground truth. Default: as it is. */
  idOf?: (name: string) => string;
}

/** Rankings by query, or rows of numbers that need a ground truth's order to become names. */
export type RankingsFile = Rankings | IndexRankings;

export interface IndexRankings {
  file: string;
  shape: [number, number];
  values: Float64Array;
}

const jsonSchema = z.record(z.string(), z.array(z.string()));

/** @throws InputError naming the file and line. */
export async function readRankings(
  source: string,
  { idOf = (name) => name }: RankingNames = {},
): Promise<RankingsFile> {
  const lists = new Map<string, string[]>();
  const add = (query: string, names: readonly string[], where: string) => {
    if (lists.has(query)) throw new InputError(`${where}: query "${query}" has a second ranking.`);
    lists.set(query, names.map(idOf));
  };
  try {
    if ((await stat(source)).isDirectory()) {
      for (const name of (await readdir(source)).filter((each) => /\.(txt|rnk)$/.test(each)).toSorted()) {
        const lines = (await readFile(join(source, name), 'utf8')).split(/\r?\n/).filter((line) => line.trim() !== '');
        add(
          name.slice(0, -extname(name).length),
          lines.map((line) => line.trim().split(/\s+/)[0]),
          join(source, name),
        );
      }
    } else if (source.endsWith('.npy')) {
      const { values, shape } = parseIntegerNpy(await readFile(source), source);
      if (shape.length !== 2)
        throw new InputError(`${source}: expected [database, queries], got [${shape.join(', ')}].`);
      return { file: source, shape: [shape[0], shape[1]], values };
    } else {
      const text = await readFile(source, 'utf8');
      if (source.endsWith('.json')) {
        for (const [query, names] of Object.entries(parseJson(text, source))) add(idOf(query), names, source);
      } else {
        for (const [index, line] of text.split(/\r?\n/).entries()) {
          if (line.trim() === '') continue;
          const [query, ...names] = line.trim().split(/\s+/);
          add(idOf(query), withoutRanks(names), `${source}:${index + 1}`);
        }
      }
    }
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`Cannot read rankings ${source}: ${messageOf(error)}`);
  }
  if (lists.size === 0)
    throw new InputError(`${source} has no rankings; expected QUERY.txt files or lines "query name name".`);
  return lists;
}

/** Numbers become ids of `database`; the axis as long as there are `queries` is theirs (the second, if both are). */
export function namedRankings(
  { file, shape, values }: IndexRankings,
  queries: readonly string[],
  database: readonly string[],
): Rankings {
  const [rows, columns] = shape;
  if (columns !== queries.length && rows !== queries.length) {
    throw new InputError(
      `${file}: shape [${rows}, ${columns}] does not fit ${queries.length} queries; expected [database, queries].`,
    );
  }
  const byColumn = columns === queries.length;
  const length = byColumn ? rows : columns;
  const rankings = new Map<string, string[]>();
  queries.forEach((query, q) => {
    const ranking: string[] = [];
    for (let rank = 0; rank < length; rank++) {
      const index = values[byColumn ? rank * columns + q : q * columns + rank];
      if (!Number.isSafeInteger(index) || index < 0 || index >= database.length) {
        throw new InputError(`${file}: query "${query}" ranks image ${index}, the database has ${database.length}.`);
      }
      ranking.push(database[index]);
    }
    rankings.set(query, ranking);
  });
  return rankings;
}

/** Whether a read file still needs the order of queries and database. */
export function isIndexRankings(rankings: RankingsFile): rankings is IndexRankings {
  return 'values' in rankings && rankings.values instanceof Float64Array;
}

/**
 * All names, where nothing but the rankings says which images there are: each must name every image but queries, since
 * positives that no list names would be missed by all. @throws InputError for a list that ends early.
 */
export function namesOfCompleteRankings(rankings: Rankings, source: string): string[] {
  const names = new Set([...rankings].flatMap(([query, ranking]) => [query, ...ranking]));
  const needed = [...names].filter((name) => !rankings.has(name));
  for (const [query, ranking] of rankings) {
    const ranked = new Set(ranking);
    const missing = needed.filter((name) => !ranked.has(name));
    if (missing.length === 0) continue;
    throw new InputError(
      `${source}: the ranking of "${query}" lacks ${missing.length} images that others have (${firstFew(missing)}); ` +
        'give the images with --data, or whole rankings.',
    );
  }
  return [...names];
}

/** Throws `InputError` if queries that have positives have no ranking. */
export function assertAllRanked(rankings: Rankings, queries: readonly string[], source: string): void {
  const missing = queries.filter((id) => !rankings.has(id));
  if (missing.length === 0) return;
  throw new InputError(
    `${source} ranks nothing for ${missing.length} of ${queries.length} queries (${firstFew(missing)}); names must be those of the ground truth.`,
  );
}

/** "0 a.jpg 1 b.jpg" -> names in order of their ranks; anything else is names already. */
function withoutRanks(tokens: string[]): string[] {
  const isPairs =
    tokens.length > 0 &&
    tokens.length % 2 === 0 &&
    tokens.every((token, i) => (i % 2 === 0 ? /^\d+$/.test(token) : !/^\d+$/.test(token)));
  if (!isPairs) return tokens;
  const pairs = Array.from({ length: tokens.length / 2 }, (_, i) => ({
    rank: Number(tokens[2 * i]),
    name: tokens[2 * i + 1],
  }));
  return pairs.toSorted((a, b) => a.rank - b.rank).map(({ name }) => name);
}

function parseJson(text: string, source: string): Record<string, string[]> {
  try {
    return jsonSchema.parse(JSON.parse(text));
  } catch {
    throw new InputError(`${source}: expected JSON {"query": ["name", ...], ...}.`);
  }
}
