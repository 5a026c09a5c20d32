/**
 * @file Seeded random numbers for generated scenes. `fork(name)` gives an independent stream, so adding a draw to one
 * part of a scene leaves all other parts as they were.
 */

/** 32-bit hash of an integer (the finaliser of MurmurHash3). */
export function hash(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** A number in [0, 1) that belongs to the cell (x, y) of the grid `seed`: the same at every visit. */
export function cellRandom(seed: number, x: number, y: number): number {
  return hash(hash(hash(seed) ^ Math.imul(x, 0x9e3779b1)) ^ Math.imul(y, 0x7feb352d)) / 4294967296;
}

function hashText(seed: number, text: string): number {
  let h = hash(seed ^ 0x5bd1e995);
  for (let i = 0; i < text.length; i++) h = hash(h ^ text.charCodeAt(i));
  return h;
}

/** A stream of random numbers (mulberry32). */
export class Random {
  readonly seed: number;
  private state: number;

  constructor(seed: number) {
    this.seed = seed >>> 0;
    this.state = hash(seed);
  }

  /** An independent stream named `name` and `index`; does not advance this one. */
  fork(name: string, index = 0): Random {
    return new Random(hash(hashText(this.seed, name) + Math.imul(index, 0x9e3779b1)));
  }

  /** Uniform in [0, 1). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  /** Uniform in [low, high). */
  range(low: number, high: number): number {
    return low + (high - low) * this.next();
  }

  /** A whole number from `low` to `high`, both included. */
  int(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[Math.floor(this.next() * items.length)];
    if (item === undefined) throw new RangeError('pick: no items.');
    return item;
  }

  /** Roughly normal with mean 0 and deviation 1: the sum of four uniforms, so never beyond 3.5. */
  normal(): number {
    return (this.next() + this.next() + this.next() + this.next() - 2) * Math.sqrt(3);
  }

  /** A new array in random order. */
  shuffle<T>(items: readonly T[]): T[] {
    const result = [...items];
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.int(0, i);
      [result[i], result[j]] = [result[j], result[i]];
    }
    return result;
  }
}
