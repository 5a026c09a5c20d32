/** @file A collection without a model: photographs of one colour each, found by their mean colour. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { groupBy } from '../../src/data/group-by.js';
import { decodeImage } from '../../src/data/images.js';
import type { Box } from '../../src/data/manifest.js';
import { openImage } from '../../src/data/open-image.js';
import { QueryError } from '../../src/errors.js';
import type { CollectionItem } from '../../src/stages/collection-info.js';
import type { OpenedCollection, SearchOptions, SearchResult } from '../../src/stages/search.js';

export interface FakeOptions {
  /** What is told of photograph i beside its id, path and the column "colour". */
  describe?: (i: number) => Partial<CollectionItem>;
  /** Awaited by every search. */
  before?: (signal: AbortSignal | undefined) => Promise<void>;
}

export const colours = [
  ['red', '#d02020'],
  ['green', '#20a030'],
  ['blue', '#2040d0'],
  ['yellow', '#e0d020'],
] as const;

/** A photograph as people upload one: JPEG, `colour` as in CSS. */
export function photograph(colour: string, width = 64, height = 48): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 3, background: colour } })
    .jpeg()
    .toBuffer();
}

/** `count` photographs whose colours alternate, in files of `folder`. Each object is a colour. */
export async function fakeCollection(
  folder: string,
  count: number,
  { describe = () => ({}), before = async () => undefined }: FakeOptions = {},
): Promise<OpenedCollection> {
  mkdirSync(folder, { recursive: true });
  const files = colours.map(([name]) => join(folder, `${name}.jpg`));
  for (const [i, [, colour]] of colours.entries()) await sharp(await photograph(colour)).toFile(files[i]);
  const rows = await Promise.all(files.map((file) => meanColour(file)));
  const items = Array.from({ length: count }, (_, i): CollectionItem => {
    const [name] = colours[i % colours.length];
    const told = describe(i);
    const columns = { colour: name, ...told.columns };
    return { id: `${name}-${i}`, path: files[i % colours.length], object: name, ...told, columns };
  });
  const byId = new Map(items.map((item) => [item.id, item]));
  const columns = [...new Set(items.flatMap((item) => Object.keys(item.columns)))];

  const rank = (query: number[], { count: most = 24, where = {}, rerank }: SearchOptions = {}, without?: string) => {
    const unknown = Object.keys(where).find((column) => !columns.includes(column));
    if (unknown !== undefined) throw new QueryError(`The collection has no column "${unknown}".`);
    const results = items
      .map((item, i): SearchResult => {
        const similarity = rows[i % colours.length].reduce((sum, value, c) => sum + value * query[c], 0);
        const part = { x: 8, y: 6, width: 32, height: 24 };
        return { item, similarity, ...(rerank === 'sift' && { agreeing: 40, regions: { query: part, item: part } }) };
      })
      .filter(
        ({ item }) =>
          item.id !== without &&
          Object.entries(where).every(([column, values]) => values.includes(item.columns[column])),
      )
      .sort((a, b) => b.similarity - a.similarity)
      .slice(0, most);
    const objects = groupBy(results, ({ item }) => item.object);
    const threshold = 0.95;
    return {
      found: results.length > 0 && results[0].similarity >= threshold,
      evidence: results.at(0)?.similarity,
      measure: 'similarity' as const,
      threshold,
      objects: [...objects].map(([object, of]) => ({ object, results: of })),
      ms: { describe: 1, search: 1 },
    };
  };
  return {
    info: {
      name: 'Colours',
      index: folder,
      objects: new Set(items.map((item) => item.object)).size,
      store: undefined,
      thresholdHow: undefined,
      model: { file: 'model.safetensors', sha256: '0'.repeat(64), dimension: 3 },
      photographs: count,
      columns,
      threshold: 0.95,
      thresholdPhotographs: 1,
      thresholdProbability: undefined,
    },
    item: (id) => byId.get(id),
    async search({ image, box }, options) {
      await before(options?.signal);
      const size = await sides(image);
      return { ...rank(await meanColour(image, box), options), size };
    },
    async similar(id, options) {
      await before(options?.signal);
      const item = byId.get(id);
      if (item === undefined) throw new QueryError(`No photograph "${id}".`);
      const size = await sides(item.path);
      return { ...rank(rows[items.indexOf(item) % colours.length], options, id), size };
    },
    ids: () => items.map((item) => item.id),
    values: (column) => {
      const named = column === 'object' || column === 'rights';
      const values = items.map((item) => (named ? item[column] : item.columns[column]));
      return [...new Set(values)].filter((value) => value !== undefined).toSorted();
    },
    reload: async () => false,
    dispose: () => undefined,
  };
}

/** Of unit length. */
async function meanColour(source: string | Uint8Array, crop?: Box): Promise<number[]> {
  const { data } = await decodeImage(source, { crop, sizing: { longest: 16 } }).catch((error: Error) => {
    throw new QueryError(error.message);
  });
  const sums = [0, 0, 0];
  data.forEach((value, i) => (sums[i % 3] += value));
  const norm = Math.hypot(...sums);
  return sums.map((sum) => sum / norm);
}

async function sides(source: string | Uint8Array): Promise<{ width: number; height: number }> {
  const { width, height } = (await openImage(source)).metadata.autoOrient;
  return { width, height };
}
