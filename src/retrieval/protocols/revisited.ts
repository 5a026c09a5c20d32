/**
 * @file Revisited Oxford and Paris (Radenović et al. 2018): 70 queries each, which are not in the database, and three
 * settings. Easy: easy is right, hard and junk do not count. Medium: easy and hard are right. Hard: hard is right, easy
 * and junk do not count. A query without positives in a setting is in none of its means.
 */
import { InputError } from '../../errors.js';
import { firstFew, type Query } from '../ground-truth.js';
import { type Benchmark, type BenchmarkProtocol, benchmarkId, type Setting } from './benchmark.js';
import type { GndFile, GndList, GndRecord } from './gnd-file.js';

const settings: readonly { name: string; right: readonly GndList[]; neither: readonly GndList[] }[] = [
  { name: 'easy', right: ['easy'], neither: ['junk', 'hard'] },
  { name: 'medium', right: ['easy', 'hard'], neither: ['junk'] },
  { name: 'hard', right: ['hard'], neither: ['junk', 'easy'] },
];
/** Files of the original benchmarks have ok and junk. */
const original = [{ name: 'all', right: ['ok'], neither: ['junk'] }] as const;

/** @throws InputError for a file of the other kind, or images that are not there. */
export function openGnd(
  protocol: BenchmarkProtocol,
  { images: imageNames, queries: queryNames, records }: GndFile,
  { file, images }: { file: string; images?: ReadonlyMap<string, string> },
): Benchmark {
  const revisited = protocol.startsWith('r');
  const needed: GndList = revisited ? 'easy' : 'ok';
  if (!records.every((record) => record[needed] !== undefined)) {
    throw new InputError(`${file}: its records have no list "${needed}", so it is no ground truth of ${protocol}.`);
  }
  const ids = imageNames.map(benchmarkId);
  const queryIds = queryNames.map(benchmarkId);
  if (images !== undefined) {
    const absent = [...new Set([...ids, ...queryIds])].filter((id) => !images.has(id));
    if (absent.length > 0) {
      throw new InputError(
        `${file} names ${absent.length} images that are not there (${firstFew(absent)}); the database must be complete.`,
      );
    }
  }
  const pathOf = (id: string) => images?.get(id) ?? id;
  const database = ids.map((id) => ({ id, image: pathOf(id) }));
  const landmarks = landmarksOf(records, queryIds);
  const settingOf = ({ name, right, neither }: (typeof settings)[number]): Setting => {
    const queries = records.map((record, q): Query => {
      const listed = (lists: readonly GndList[]) => [
        ...new Set(lists.flatMap((list) => record[list] ?? []).map((index) => ids[index])),
      ];
      const box = boxOf(record);
      return {
        id: queryIds[q],
        image: pathOf(queryIds[q]),
        ...(box && { box }),
        positives: listed(right),
        junk: listed(neither),
        landmark: landmarks[q],
      };
    });
    return { name, groundTruth: { queries, database } };
  };
  const searched = new Set(ids);
  return {
    protocol,
    settings: (revisited ? settings : original).map(settingOf),
    main: revisited ? 'medium' : 'all',
    hasImages: images !== undefined,
    hasDatabase: true,
    passedOver: new Set(queryIds.filter((id) => !searched.has(id))),
  };
}

function boxOf({ bbx }: GndRecord) {
  if (bbx === undefined) return undefined;
  const [left, top, right, bottom] = bbx;
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/** Queries that share a positive show the same landmark: each is named after the first of them. */
function landmarksOf(records: readonly GndRecord[], ids: readonly string[]): string[] {
  const first = ids.map((_, q) => q);
  const root = (q: number): number => (first[q] === q ? q : root(first[q]));
  const queryOf = new Map<number, number>();
  records.forEach((record, q) => {
    for (const image of [...(record.easy ?? []), ...(record.hard ?? []), ...(record.ok ?? [])]) {
      const earlier = queryOf.get(image);
      if (earlier === undefined) queryOf.set(image, q);
      else {
        const [low, high] = [root(earlier), root(q)].toSorted((a, b) => a - b);
        first[high] = low;
      }
    }
  });
  return ids.map((_, q) => ids[root(q)]);
}
