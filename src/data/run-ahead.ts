/** @file Work ahead of whoever consumes it: in order, at most so many at once, and nothing left running after an early stop. */

/** `value`, or `error` for an item whose work failed; the others go on. */
export type Outcome<T, R> = { item: T; value: R } | { item: T; error: Error };

/**
 * Yields `work(item)` in the order of `items`, with at most `ahead` results started or held by the consumer. Items are
 * pulled as they are needed. A consumer that stops early waits for the work in hand, so nothing runs on behind its back.
 */
export async function* runAhead<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  work: (item: T) => Promise<R>,
  ahead: number,
): AsyncGenerator<Outcome<T, R>> {
  const started: Promise<Outcome<T, R>>[] = [];
  const start = async (item: T): Promise<Outcome<T, R>> => {
    try {
      return { item, value: await work(item) };
    } catch (error) {
      return { item, error: error instanceof Error ? error : new Error(String(error)) };
    }
  };
  try {
    for await (const item of items) {
      started.push(start(item));
      // the one that is yielded counts too: with ahead = 4, three are in the making while the consumer works on it
      const first = started.length >= ahead ? started.shift() : undefined;
      if (first !== undefined) yield await first;
    }
    for (let first = started.shift(); first !== undefined; first = started.shift()) yield await first;
  } finally {
    await Promise.all(started);
  }
}
