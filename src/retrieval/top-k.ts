/**
 * @file The k best of a stream of scores for each of many queries, without sorting the rest. Order: score descending, equal
 * scores in order of arrival, so the result is the first k of a stable sort of everything.
 */

export interface Neighbours {
  /** k. */
  count: number;
  /** Row numbers, best first; -1 where fewer than k rows were seen. [Q, k] */
  rows: Int32Array;
  /** Their similarities; -Infinity where there is no row. [Q, k] */
  similarities: Float32Array;
}

/** Keeps the k best rows of every query; rows must be offered in ascending order. */
export class TopK {
  readonly count: number;
  /** One binary heap per query, its worst entry first: lower score, then later row. */
  readonly #scores: Float32Array;
  readonly #rows: Int32Array;

  constructor(queries: number, count: number) {
    this.count = count;
    this.#scores = new Float32Array(queries * count).fill(Number.NEGATIVE_INFINITY);
    this.#rows = new Int32Array(queries * count).fill(-1);
  }

  /** Offers rows first, first + 1, … with these scores to a query; the row `skip` is passed over. NaN never enters. */
  offer(query: number, scores: Float32Array, first = 0, skip = -1): void {
    const { count } = this;
    if (count === 0) return;
    const base = query * count;
    const heap = this.#scores;
    for (let i = 0; i < scores.length; i++) {
      // A later row with an equal score is behind the one kept; only -Infinity may take a place that is still free.
      if (scores[i] > heap[base] || (this.#rows[base] < 0 && scores[i] === heap[base])) {
        if (first + i !== skip) this.#replaceWorst(base, scores[i], first + i);
      }
    }
  }

  /** What was kept, best first. */
  finish(): Neighbours {
    const { count } = this;
    const rows = new Int32Array(this.#rows.length);
    const similarities = new Float32Array(this.#scores.length);
    const order = Int32Array.from({ length: count }, (_, i) => i);
    for (let base = 0; base < rows.length; base += count) {
      const scores = this.#scores.subarray(base, base + count);
      const items = this.#rows.subarray(base, base + count);
      const rank = (row: number) => (row < 0 ? Number.POSITIVE_INFINITY : row);
      const sorted = order.toSorted((a, b) => {
        if (scores[a] !== scores[b]) return scores[b] > scores[a] ? 1 : -1;
        return items[a] === items[b] ? 0 : rank(items[a]) - rank(items[b]);
      });
      sorted.forEach((from, to) => {
        rows[base + to] = items[from];
        similarities[base + to] = scores[from];
      });
    }
    return { count, rows, similarities };
  }

  #replaceWorst(base: number, score: number, row: number): void {
    const scores = this.#scores;
    const rows = this.#rows;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.count) break;
      if (child + 1 < this.count && this.#isWorse(base + child + 1, base + child)) child++;
      // The new row is the latest of all, so among equals it is the worst and stays above.
      const [s, r] = [scores[base + child], rows[base + child]];
      if (!(s < score || (s === score && r < 0))) break;
      scores[base + at] = s;
      rows[base + at] = r;
      at = child;
    }
    scores[base + at] = score;
    rows[base + at] = row;
  }

  /** Free places are worse than any row. */
  #isWorse(a: number, b: number): boolean {
    if (this.#scores[a] !== this.#scores[b]) return this.#scores[a] < this.#scores[b];
    if (this.#rows[a] < 0 || this.#rows[b] < 0) return this.#rows[a] < 0;
    return this.#rows[a] > this.#rows[b];
  }
}
