/**
 * @file UKBench (Nistér & Stewénius 2006): images ukbench00000, ukbench00001, ... in groups of four; every image is a
 * query, finds itself, too, and scores how many of its four are among the first four (0 to 4). Some papers ask the first
 * image of each group only: `ukbench-2550`.
 */
import { groupBy } from '../../data/group-by.js';
import { InputError } from '../../errors.js';
import { firstFew, type GroundTruth } from '../ground-truth.js';
import type { Benchmark } from './benchmark.js';
import type { NamedImages } from './holidays.js';

/** @throws InputError for names without a number, or a group that is not of four. */
export function openUkbench(
  protocol: 'ukbench' | 'ukbench-2550',
  { ids, images }: NamedImages,
  source: string,
): Benchmark {
  const wrong = ids.filter((id) => !/^(?:ukbench)?\d+$/.test(id));
  if (wrong.length > 0) {
    throw new InputError(`${source}: UKBench names its images ukbench00000 and so on, not ${firstFew(wrong)}.`);
  }
  const sorted = ids.toSorted((a, b) => numberOf(a) - numberOf(b));
  const groups = groupBy(sorted, (id) => Math.floor(numberOf(id) / 4));
  const place = (id: string) => ({ id, image: images?.get(id) ?? id });
  const queries = [...groups].flatMap(([group, members]) => {
    if (members.length !== 4) {
      throw new InputError(
        `${source}: group ${group} has ${members.length} images (${firstFew(members)}), 4 expected.`,
      );
    }
    const asked = protocol === 'ukbench' ? members : members.slice(0, 1);
    return asked.map((id) => ({ ...place(id), positives: members, junk: [], landmark: `group ${group}` }));
  });
  const groundTruth: GroundTruth = { queries, database: sorted.map(place) };
  return {
    protocol,
    settings: [{ name: 'all', groundTruth }],
    main: 'all',
    hasImages: images !== undefined,
    hasDatabase: true,
    passedOver: new Set(),
  };
}

function numberOf(id: string): number {
  return Number(id.replace('ukbench', ''));
}
