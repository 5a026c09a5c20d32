/** @file What the service takes from a request, and how many requests. */

export interface ServiceLimits {
  /** Largest upload, MB. Default 20. */
  megabytes?: number;
  /** Largest photograph, megapixels. Default 64. */
  megapixels?: number;
  /** Longest time from a request's first byte to its answer, s. Default 30. */
  seconds?: number;
  /** Searches that are described, wait or are being uploaded; further ones are refused with 429. Default 16. */
  searches?: number;
  /** Most results of a search. Default 1000. */
  results?: number;
}

export const defaultLimits: Required<ServiceLimits> = {
  megabytes: 20,
  megapixels: 64,
  seconds: 30,
  searches: 16,
  results: 1000,
};

/** Lets at most so many in at once. */
export class Admission {
  private inside = 0;

  constructor(private readonly most: number) {}

  get count(): number {
    return this.inside;
  }

  /** Runs `work` and counts it until it has ended; undefined where there is no place. */
  enter<T>(work: () => Promise<T>): Promise<T> | undefined {
    if (this.inside >= this.most) return undefined;
    this.inside++;
    return work().finally(() => this.inside--);
  }
}
