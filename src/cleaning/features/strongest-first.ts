/** @file Records of keypoints in order of strength, duplicates left out. */

/** Digits of a key for the place of a record: strength's 31 bits and these make a whole number below 2^53. */
const placeBits = 22;

/** Collects records of `length` floats, the last but `length - strengthAt` a positive strength. */
export class StrongestFirst {
  readonly #length: number;
  readonly #strengthAt: number;
  #records: Float32Array;
  #count = 0;

  constructor(length: number, strengthAt: number) {
    this.#length = length;
    this.#strengthAt = strengthAt;
    this.#records = new Float32Array(1024 * length);
  }

  /** Copies whole records. */
  add(records: Float32Array): void {
    const used = this.#count * this.#length;
    if (used + records.length > this.#records.length) {
      const larger = new Float32Array(Math.max(2 * this.#records.length, used + records.length));
      larger.set(this.#records.subarray(0, used));
      this.#records = larger;
    }
    this.#records.set(records, used);
    this.#count += records.length / this.#length;
    if (this.#count > 2 ** placeBits) throw new RangeError(`${this.#count} keypoints; at most ${2 ** placeBits}.`);
  }

  /** Strongest first, equally strong ones as they came; of records that are equal in all values only the first. */
  *distinct(): Generator<Float32Array> {
    const keys = this.#keys();
    let tied: Float32Array[] = [];
    for (let k = keys.length - 1; k >= 0; k--) {
      const place = 2 ** placeBits - 1 - (keys[k] % 2 ** placeBits);
      const record = this.#records.subarray(place * this.#length, (place + 1) * this.#length);
      if (tied.length > 0 && tied[0][this.#strengthAt] !== record[this.#strengthAt]) tied = [];
      if (tied.some((other) => record.every((value, i) => value === other[i]))) continue;
      tied.push(record);
      yield record;
    }
  }

  /** Positive floats sort like their bits. */
  #keys(): Float64Array {
    const bits = new Uint32Array(this.#records.buffer);
    const keys = new Float64Array(this.#count);
    for (let i = 0; i < this.#count; i++) {
      keys[i] = bits[i * this.#length + this.#strengthAt] * 2 ** placeBits + (2 ** placeBits - 1 - i);
    }
    return keys.sort();
  }
}
