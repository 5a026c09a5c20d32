/** @file How a stage tells of images that it had to leave out. */
import { InputError } from '../errors.js';
import type { StageView } from './context.js';

/** Failures that are told one by one; the result has all. */
const told = 10;

/** A line for each of the first failures. */
export function noteFailures(view: StageView, failures: readonly { id: string; error: string }[]): void {
  for (const { id, error } of failures.slice(0, told)) view.note(`skipped ${id}: ${error}`);
}

/** The same of a described ground truth. @throws InputError where nothing of its database could be described. */
export function assertAnyDescribed(
  view: StageView,
  { failures, database }: { failures: readonly { id: string; error: string }[]; database: { ids: readonly string[] } },
): void {
  noteFailures(view, failures);
  if (database.ids.length === 0) {
    throw new InputError(`No image of the database could be described; the first: ${failures[0].error}`);
  }
}
