/** @file `rmac search`: which photographs of a collection show what a photograph shows. */
import { type Command, Option } from 'commander';
import { type TurnCount, turnCounts } from '../collection/turned-query.js';
import type { Box } from '../data/manifest.js';
import { UsageError } from '../errors.js';
import { openCollection, type SearchAnswer, type SearchOptions } from '../stages/search.js';
import { type AnsweredQuery, reportSearch, verdictOf } from '../stages/search-report.js';
import { assertWritable } from '../data/files.js';
import {
  addCommonOptions,
  alignedLines,
  boxOption,
  type CommonOptions,
  positiveInteger,
  printResult,
} from './console.js';
import { queryExpansionOption } from './expansion-options.js';

export function register(program: Command): void {
  const command = program
    .command('search')
    .argument('<query...>', 'photographs')
    .requiredOption('--index <dir>', 'folder of the index (rmac index build)')
    .option('--model <file>', 'refused where it is not the model of the index')
    .option('--box <x,y,w,h>', 'the part of the query that matters, px of the upright photograph', boxOption)
    .option('--k <n>', 'photographs that are found at most', positiveInteger, 20)
    .option(
      '--turns <n>',
      'queries may lie upside down (2) or on their side (4): the best of so many turns counts',
      turnsOption,
    )
    .option('--where <column=value>', 'only photographs with this value; several times', whereOption)
    .option('--qe <kind>', 'expand the query: aqe:K or alpha:A:K', (text) => {
      queryExpansionOption(text);
      return text;
    })
    .addOption(new Option('--rerank <kind>', 'a second look at the best').choices(['aml', 'sift']))
    .option('--report <file>', 'a page of the results with pictures (.html)')
    .option('--overwrite', 'replace an existing page');
  addCommonOptions(command)
    .addHelpText(
      'after',
      `
--json: {"query", "found", "evidence", "measure", "threshold", "results": [{"id", "object", "similarity", ...}]}, for several queries {"queries": [...]}

Example:
  rmac search photo.jpg --index collection/ --where town=Lisbon --k 10
  rmac search cover.jpg --index covers/ --turns 4`,
    )
    .action(run);
}

interface Flags extends CommonOptions {
  index: string;
  model?: string;
  box?: Box;
  k: number;
  turns?: TurnCount;
  where?: Record<string, string[]>;
  qe?: string;
  rerank?: 'aml' | 'sift';
  report?: string;
  overwrite?: boolean;
}

async function run(queries: string[], flags: Flags): Promise<void> {
  const { index, box, turns, k: count, where, qe: queryExpansion, rerank, report: page, overwrite, ...engine } = flags;
  if (page !== undefined) assertWritable(page, { overwrite });
  if (box !== undefined && queries.length > 1) throw new UsageError('--box belongs to one photograph; give one.');
  const collection = await openCollection(index, engine);
  try {
    const options: SearchOptions = { count, where, queryExpansion, rerank };
    const answers: AnsweredQuery[] = [];
    for (const query of queries) {
      answers.push({ query, box, answer: await collection.search({ image: query, box, turns }, options) });
    }
    if (page !== undefined) await reportSearch(page, answers, { overwrite });
    const report = answers.map(({ query, answer }) => ({ query, ...flat(answer) }));
    printResult(
      queries.length === 1 ? report[0] : { queries: report },
      answers.map(({ query, answer }) => answerText(query, answer)).join('\n\n'),
      flags,
    );
  } finally {
    collection.dispose();
  }
}

/** The answer with its results in one list, in the order of the groups. */
function flat({ objects, ...answer }: SearchAnswer) {
  const results = objects.flatMap((found) => found.results).map(({ item, ...result }) => ({ ...item, ...result }));
  return { ...answer, results };
}

function answerText(query: string, answer: SearchAnswer): string {
  const { objects } = answer;
  const verdict = verdictOf(answer);
  const rows = objects.flatMap(({ results }) =>
    results.map(({ item, similarity, agreeing }) => [
      item.id,
      item.object ?? '',
      similarity.toFixed(4),
      agreeing === undefined ? '' : `${agreeing}`,
    ]),
  );
  const names = ['photograph', 'object', 'similarity', 'keypoints'];
  // A column that says nothing is left out.
  const told = names.flatMap((_, column) => (rows.some((row) => row[column] !== '') ? [column] : []));
  const table = { columns: told.map((column) => names[column]), rows: rows.map((row) => told.map((k) => row[k])) };
  return [verdict === '' ? query : `${query}: ${verdict}`, ...alignedLines(table)].join('\n');
}

/** commander parser: turns that a query is tried at. */
function turnsOption(text: string): TurnCount {
  const turns = turnCounts.find((count) => `${count}` === text);
  if (turns === undefined) throw new UsageError(`--turns: expected ${turnCounts.join(', ')}, got "${text}".`);
  return turns;
}

/** commander parser: "town=Lisbon", after what was given before. */
export function whereOption(text: string, before: Record<string, string[]> = {}): Record<string, string[]> {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError(`--where: expected column=value, got "${text}".`);
  const column = text.slice(0, at);
  return { ...before, [column]: [...(before[column] ?? []), text.slice(at + 1)] };
}
