/** @file Seeded randomness whose state can be stored and restored: everything random in training draws from one stream. */
import seedrandom from 'seedrandom';

/** The state of ARC4: two indices and the permutation of 256 bytes. Our own type: seedrandom's types are not installed with the package. */
export interface RandomState {
  i: number;
  j: number;
  S: number[];
}

/** Random numbers of one seed, whose state can be stored and restored. */
export class RandomStream {
  private generator: seedrandom.StatefulPRNG<RandomState>;

  /** A new stream from a seed, or the continuation of a stored one. */
  constructor(from: number | RandomState) {
    this.generator =
      typeof from === 'number' ? seedrandom(`rmac ${from}`, { state: true }) : seedrandom('', { state: from });
  }

  /** Uniform in [0, 1). */
  next(): number {
    return this.generator();
  }

  /** Uniform in [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.next();
  }

  /** Uniform whole number in [0, count). */
  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  /** A shuffled copy (Fisher-Yates). */
  shuffle<T>(items: Iterable<T>): T[] {
    const shuffled = [...items];
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [shuffled[i], shuffled[j]] = [shuffled[j], shuffled[i]];
    }
    return shuffled;
  }

  /** Continues a stored stream from here on. */
  restore(state: RandomState): void {
    this.generator = seedrandom('', { state });
  }

  /** A copy of the state, JSON-ready; later draws do not change it. */
  state(): RandomState {
    return structuredClone(this.generator.state());
  }
}
