/**
 * @file INRIA Holidays (Jégou, Douze & Schmid 2008). A name is a number: its hundreds are the group, and the image with
 * number % 100 = 0 is the group's query; the rest of the group is right. The published program searches the other 1490
 * images; some papers search the 991 that are no query, which is easier: `holidays-991`.
 */
import { InputError } from '../../errors.js';
import { groupBy } from '../../data/group-by.js';
import { firstFew, type GroundTruth, type Query } from '../ground-truth.js';
import type { Benchmark } from './benchmark.js';
import type { UprightImages } from './upright-images.js';

export interface NamedImages {
  /** Ids of all images, and the paths of those that are there. */
  ids: readonly string[];
  images?: ReadonlyMap<string, string>;
  upright?: UprightImages;
}

/** @throws InputError for a name that is no number, or a group without its query. */
export function openHolidays(
  protocol: 'holidays' | 'holidays-991',
  { ids, images, upright }: NamedImages,
  source: string,
): Benchmark {
  const wrong = ids.filter((id) => !/^\d{3,}$/.test(id));
  if (wrong.length > 0) {
    throw new InputError(`${source}: Holidays names its images by numbers such as 100001, not ${firstFew(wrong)}.`);
  }
  const groups = groupBy(ids.toSorted(), (id) => id.slice(0, -2));
  const place = (id: string) => ({
    id,
    image: upright?.paths.get(id) ?? images?.get(id) ?? id,
    rotate: upright?.turns.get(id),
  });
  const queries: Query[] = [];
  for (const [group, members] of groups) {
    const query = members.find((id) => id.endsWith('00'));
    if (query === undefined) {
      throw new InputError(`${source}: group ${group} has no query image ${group}00; the set must be complete.`);
    }
    const positives = members.filter((id) => id !== query);
    queries.push({ ...place(query), positives, junk: [query], landmark: group });
  }
  const asked = new Set(protocol === 'holidays-991' ? queries.map(({ id }) => id) : []);
  const database = ids
    .toSorted()
    .filter((id) => !asked.has(id))
    .map(place);
  const groundTruth: GroundTruth = { queries, database };
  return {
    protocol,
    settings: [{ name: 'all', groundTruth }],
    main: 'all',
    hasImages: images !== undefined,
    hasDatabase: true,
    passedOver: asked,
  };
}
