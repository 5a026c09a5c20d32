/**
 * @file Oxford Buildings and Paris (Philbin et al. 2007, 2008): for each query NAME the files NAME_query.txt (image and
 * box), NAME_good.txt, NAME_ok.txt and NAME_junk.txt. Positives are good and ok, junk neither counts nor takes a rank, and
 * the query's own image stays in the database, where it is a positive.
 */
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Box } from '../../data/manifest.js';
import { readText } from '../../data/read-file.js';
import { InputError, messageOf } from '../../errors.js';
import { firstFew, type GroundTruth, type Query } from '../ground-truth.js';
import { type Benchmark, benchmarkId } from './benchmark.js';
import { corruptedParisImages } from './corrupted-paris-images.js';

export interface OxfordSource {
  /** Folder with the four files of each query, in it or below it. */
  truth: string;
  /** Paths of the images by id. */
  images?: ReadonlyMap<string, string>;
  /** Without images: ids of the database, from descriptors or rankings. */
  ids?: readonly string[];
}

/** @throws InputError naming the file: malformed, missing, or images that the ground truth names and nobody has. */
export async function openOxford(protocol: 'oxford5k' | 'paris6k', source: OxfordSource): Promise<Benchmark> {
  const { truth, images, ids } = source;
  const corrupted = protocol === 'paris6k' ? corruptedParisImages : new Set<string>();
  const read = await readQueries(await truthFolder(truth), corrupted);
  const named = [...new Set(read.flatMap(({ image, positives, junk }) => [image, ...positives, ...junk]))];
  const all = images === undefined ? (ids ?? named) : [...images.keys()];
  const database = [...new Set(all)].filter((id) => !corrupted.has(id)).toSorted();

  const known = new Set(database);
  const absent = named.filter((id) => !known.has(id));
  if (absent.length > 0 && (images !== undefined || ids !== undefined)) {
    throw new InputError(
      `${truth}: the ground truth names ${absent.length} images that ${images === undefined ? 'have no descriptor' : 'are not there'} ` +
        `(${firstFew(absent)}); the database must be complete.`,
    );
  }
  const pathOf = (id: string) => images?.get(id) ?? id;
  const groundTruth: GroundTruth = {
    queries: read.map((query) => ({ ...query, image: pathOf(query.image) })),
    database: database.map((id) => ({ id, image: pathOf(id) })),
  };
  return {
    protocol,
    settings: [{ name: 'all', groundTruth }],
    main: 'all',
    hasImages: images !== undefined,
    hasDatabase: images !== undefined || ids !== undefined,
    passedOver: corrupted,
  };
}

/** The folder itself, or the one folder below it, that has the query files. */
async function truthFolder(folder: string): Promise<string> {
  let names: string[];
  try {
    names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('_query.txt'));
  } catch (error) {
    throw new InputError(`Cannot read ${folder}: ${messageOf(error)}`);
  }
  const found = [...new Set(names.map((name) => dirname(join(folder, name))))];
  if (names.some((name) => basename(name) === name)) return folder;
  if (found.length === 1) return found[0];
  throw new InputError(
    found.length === 0
      ? `${folder} has no *_query.txt, in it or in a folder such as gt/; the ground truth of Oxford or Paris is missing.`
      : `${folder} has several ground truths (${found.join(', ')}); name one with --groundtruth.`,
  );
}

/** Queries in order of name, images by id. */
async function readQueries(folder: string, corrupted: ReadonlySet<string>): Promise<Query[]> {
  const names = (await readdir(folder))
    .filter((name) => name.endsWith('_query.txt'))
    .map((name) => name.slice(0, -'_query.txt'.length))
    .toSorted();
  const queries: Query[] = [];
  for (const id of names) {
    const list = async (kind: string) =>
      (await readList(join(folder, `${id}_${kind}.txt`))).filter((name) => !corrupted.has(name));
    const [good, ok, junk] = [await list('good'), await list('ok'), await list('junk')];
    const positives = [...new Set([...good, ...ok])];
    const both = junk.filter((name) => positives.includes(name));
    if (both.length > 0) {
      throw new InputError(`${join(folder, id)}_junk.txt: ${firstFew(both)} is good or ok as well; keep one.`);
    }
    const { image, box } = await readQuery(join(folder, `${id}_query.txt`));
    queries.push({ id, image, box, positives, junk: [...new Set(junk)], landmark: id.replace(/_\d+$/, '') });
  }
  return queries;
}

/** "oxc1_all_souls_000013 136.5 34.1 648.5 955.7": image, left, top, right, bottom in px. */
async function readQuery(file: string): Promise<{ image: string; box: Box }> {
  const text = (await readTruth(file)).trim();
  const [name, ...sides] = text.split(/\s+/);
  const [left, top, right, bottom] = sides.map(Number);
  if (sides.length !== 4 || !(right > left && bottom > top && Number.isFinite(left + top + right + bottom))) {
    throw new InputError(
      `${file}: expected an image and its box "name left top right bottom", got ${JSON.stringify(text.slice(0, 80))}.`,
    );
  }
  return { image: benchmarkId(name), box: { x: left, y: top, width: right - left, height: bottom - top } };
}

async function readList(file: string): Promise<string[]> {
  const lines = (await readTruth(file)).split(/\r?\n/).map((line) => line.trim());
  const wrong = lines.find((line) => /\s/.test(line));
  if (wrong !== undefined)
    throw new InputError(`${file}: expected one image name a line, got "${wrong.slice(0, 80)}".`);
  return lines.filter((line) => line !== '').map(benchmarkId);
}

async function readTruth(file: string): Promise<string> {
  try {
    return await readText(file);
  } catch (error) {
    throw new InputError(`Cannot read ground truth ${file}: ${messageOf(error)}`);
  }
}
