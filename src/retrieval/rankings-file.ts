/**
 * @file Ranked lists from files, in the forms that evaluation programs take:
 *   a folder     QUERY.txt or QUERY.rnk, one name a line (Oxford's compute_ap), alone or before a score
 *   a text file  one query a line: "query name name ...", or "query rank name rank name ..." (the Holidays program)
 *   .json        {"query": ["name", ...], ...}
 *   .npy         integers [database, queries] or [queries, database]: numbers of the database, from 0 (revisitop)
 * A name may hold spaces, which text does not tell from the space before a score or the next name: text is read as the
 * names that the ground truth's ids say.
 */
import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { z } from 'zod';
import { readFile, readText } from '../data/read-file.js';
import { InputError, messageOf } from '../errors.js';
import { firstFew } from './ground-truth.js';
import type { Rankings } from './evaluate-rankings.js';
import { parseIntegerNpy } from '../data/npy.js';

export interface RankingNames {
  /** How a name of the file is written in the ground truth. Default: as it is. */
  idOf?: (name: string) => string;
}

/** What needs a ground truth's ids to become rankings. */
export type RankingsFile = IndexRankings | TextRankings;

/** Rankings by query that a text may mean, the plainest reading last. */
export interface TextRankings {
  readings: readonly Rankings[];
}

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
  let lists: NamedList[];
  let readings: readonly Reading[] = [(words) => words];
  try {
    if ((await stat(source)).isDirectory()) {
      lists = [];
      for (const name of (await readdir(source)).filter((each) => /\.(txt|rnk)$/.test(each)).toSorted()) {
        const query = name.slice(0, -extname(name).length);
        const lines = linesOf(await readText(join(source, name))).map(({ line }) => line);
        lists.push({ words: [query, ...lines], where: join(source, name) });
      }
      readings = nameReadings;
    } else if (source.endsWith('.npy')) {
      const { values, shape } = parseIntegerNpy(await readFile(source), source);
      if (shape.length !== 2)
        throw new InputError(`${source}: expected [database, queries], got [${shape.join(', ')}].`);
      return { file: source, shape: [shape[0], shape[1]], values };
    } else if (source.endsWith('.json')) {
      const json = Object.entries(parseRankingLists(await readText(source), source));
      lists = json.map(([query, names]) => ({ words: [idOf(query), ...names], where: source }));
    } else {
      const lines = linesOf(await readText(source));
      const tabs = lines.length > 0 && lines.every(({ line }) => line.includes('\t'));
      lists = lines.map(({ line, number }) => ({ words: [line], where: `${source}:${number}` }));
      readings = [...(tabs ? [/\t+/] : []), /\s+/].map(
        (blank): Reading =>
          ([line]) => {
            const [query, ...words] = line.split(blank);
            return [idOf(query), ...withoutRanks(words)];
          },
      );
    }
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`Cannot read rankings ${source}: ${messageOf(error)}`);
  }
  if (lists.length === 0)
    throw new InputError(`${source} has no rankings; expected QUERY.txt files or lines "query name name".`);
  return {
    readings: readings.map((reading) => {
      const rankings = new Map<string, string[]>();
      for (const { words, where } of lists) {
        const [query, ...names] = reading(words);
        if (rankings.has(query)) throw new InputError(`${where}: query "${query}" has a second ranking.`);
        rankings.set(query, names.map(idOf));
      }
      return rankings;
    }),
  };
}

/** Texts of a list as they were found, and where. */
interface NamedList {
  words: readonly string[];
  where: string;
}

/** The query and the names that a list's texts may mean. */
type Reading = (words: readonly string[]) => readonly string[];

/** A line is a name; a name and a score; a name without spaces and anything. The query comes first. */
const nameReadings: readonly Reading[] = [
  (words) => words,
  ([query, ...lines]) => [query, ...lines.map((line) => line.replace(/\s+[-+]?[\d.]+(?:e[-+]?\d+)?$/i, ''))],
  ([query, ...lines]) => [query, ...lines.map((line) => line.split(/\s+/)[0])],
];

function linesOf(text: string): { line: string; number: number }[] {
  return text
    .split(/\r?\n/)
    .map((line, i) => ({ line: line.trim(), number: i + 1 }))
    .filter(({ line }) => line !== '');
}

/** What a file says of these queries and this database. @throws InputError for numbers that do not fit them. */
export function namedRankings(
  rankings: RankingsFile,
  queries: readonly string[],
  database: readonly string[],
): Rankings {
  if (isIndexRankings(rankings)) return indexedRankings(rankings, queries, database);
  return likeliest(rankings, new Set(database));
}

/** The reading whose names are `known` in the largest part, the first of equal ones; the plainest where none is. */
function likeliest({ readings }: TextRankings, known: ReadonlySet<string>): Rankings {
  let best = { rankings: readings[readings.length - 1], share: 0 };
  for (const rankings of readings) {
    let [hits, names] = [0, 0];
    for (const ranking of rankings.values()) {
      names += ranking.length;
      for (const name of ranking) if (known.has(name)) hits++;
    }
    if (hits / names > best.share) best = { rankings, share: hits / names };
  }
  return best.rankings;
}

/** Numbers become ids of `database`; the axis as long as there are `queries` is theirs (the second, if both are). */
function indexedRankings(
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
  return 'values' in rankings;
}

/**
 * All names, where nothing but the rankings says which images there are: each must name every image but queries, since
 * positives that no list names would be missed by all. @throws InputError for a list that ends early.
 */
export function namesOfCompleteRankings(read: TextRankings, source: string): string[] {
  const rankings = likeliest(read, new Set(read.readings[0].keys()));
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

function parseRankingLists(text: string, source: string): Record<string, string[]> {
  try {
    return jsonSchema.parse(JSON.parse(text));
  } catch {
    throw new InputError(`${source}: expected JSON {"query": ["name", ...], ...}.`);
  }
}
