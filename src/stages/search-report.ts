/** @file What searches found, as a page. */
import { assertWritable, writeFileAtomic, type WriteOptions } from '../data/files.js';
import type { Box } from '../data/manifest.js';
import { searchReport } from '../report/search-report.js';
import type { SearchAnswer } from './search.js';

/** The answer to a query that was a file. */
export interface AnsweredQuery {
  query: string;
  box?: Box | undefined;
  answer: SearchAnswer;
}

/** "in the collection" or not, with the threshold; empty where there is nothing to tell it by. */
export function verdictOf({
  found,
  evidence,
  measure,
  threshold,
}: Pick<SearchAnswer, 'found' | 'evidence' | 'measure' | 'threshold'>): string {
  if (found === undefined) return '';
  const digits = measure === 'probability' ? 2 : 4;
  const limit =
    threshold === undefined
      ? ''
      : ` (${evidence === undefined ? 'nothing' : `${measure} ${evidence.toFixed(digits)}`}, threshold ${threshold.toFixed(digits)})`;
  return `${found ? 'in the collection' : 'not in the collection, as it seems'}${limit}`;
}

/** Writes the page. @throws InputError where the file exists, without `overwrite`. */
export async function reportSearch(
  file: string,
  answered: readonly AnsweredQuery[],
  options: WriteOptions = {},
): Promise<void> {
  assertWritable(file, options);
  const page = await searchReport(
    answered.map(({ query, box, answer }) => {
      const results = answer.objects.flatMap((found) => found.results);
      return {
        query,
        verdict: verdictOf(answer),
        part: box ?? results.at(0)?.regions?.query,
        results: results.map(({ item, similarity, agreeing, regions }) => ({
          path: item.path,
          region: regions?.item,
          lines: [
            item.id,
            item.object,
            item.title,
            `similarity ${similarity.toFixed(4)}`,
            agreeing === undefined ? undefined : `${agreeing} keypoints agree`,
            item.rights,
          ].filter((line) => line !== undefined),
        })),
      };
    }),
  );
  await writeFileAtomic(file, page, options);
}
