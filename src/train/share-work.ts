/** @file Work on a list of items that the ranks share: each does its part, and all know what came of the whole. */
import { InputError } from '../errors.js';
import type { ProcessGroup } from './process-group.js';

/** What came of an item; a file that cannot be used is told by its error. */
type Outcome<T, Done extends { item: T }> = Done | { item: T; error: Error };

/**
 * What came of all items, in their order, each by the rank that worked on it. `perRound`: items that a rank works on before all are told;
 * nothing more comes of a round in which the run is to end. One process gives what `work` does.
 */
export async function* shareWork<T, Done extends { item: T }>(
  items: readonly T[],
  work: (own: readonly T[]) => AsyncIterable<Outcome<T, Done>>,
  { group, perRound = items.length }: { group: ProcessGroup; perRound?: number },
): AsyncGenerator<Outcome<T, Done>> {
  if (group.size === 1) {
    yield* work(items);
    return;
  }
  const step = Math.max(1, perRound * group.size);
  for (let from = 0; from < items.length && !group.ending.aborted; from += step) {
    const round = items.slice(from, from + step);
    const position = new Map(round.map((item, i) => [item, i]));
    const found = [];
    for await (const { item, ...outcome } of work(group.shareOf(round))) {
      // An error has a class, which does not travel.
      const { error } = outcome as { error?: Error };
      found.push({
        at: position.get(item)!,
        outcome: error === undefined ? outcome : undefined,
        error: error?.message,
      });
      if (group.asked.aborted) break;
    }
    const all = (await group.gather(found)).flat().toSorted((a, b) => a.at - b.at);
    if (group.ending.aborted) return;
    for (const { at, outcome, error } of all) {
      const item = round[at];
      yield error === undefined ? ({ item, ...outcome } as unknown as Done) : { item, error: new InputError(error) };
    }
  }
}
