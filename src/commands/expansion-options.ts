/** @file `--qe` and `--dba`: how queries are expanded and the database is augmented before ranking. */
import type { Command } from 'commander';
import { UsageError } from '../errors.js';
import {
  type DatabaseAugmentation,
  parseDatabaseAugmentation,
  parseQueryExpansion,
  type QueryExpansion,
} from '../retrieval/expansion.js';

export interface ExpansionOptions {
  qe?: QueryExpansion;
  dba?: DatabaseAugmentation;
}

/** Adds `--qe` and `--dba`. */
export function addExpansionOptions(command: Command): Command {
  return command
    .option(
      '--qe <kind>',
      'expand queries: aqe:K (mean with the K nearest) or alpha:A:K (weights similarity^A, such as alpha:3:50)',
      queryExpansionOption,
    )
    .option(
      '--dba <kind>',
      'augment the database first: gordo:K (weights fall from 1 to 1/K) or alpha:A:K',
      databaseAugmentationOption,
    );
}

/** commander parser: "aqe:10", "alpha:3:50". */
export function queryExpansionOption(text: string): QueryExpansion {
  const expansion = parseQueryExpansion(text);
  if (expansion !== undefined) return expansion;
  throw new UsageError(`--qe: expected aqe:K such as aqe:10, or alpha:A:K such as alpha:3:50, got "${text}".`);
}

/** commander parser: "gordo:20", "alpha:3:20". */
export function databaseAugmentationOption(text: string): DatabaseAugmentation {
  const augmentation = parseDatabaseAugmentation(text);
  if (augmentation !== undefined) return augmentation;
  throw new UsageError(`--dba: expected gordo:K such as gordo:20, or alpha:A:K such as alpha:3:20, got "${text}".`);
}
