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

/** Counts what is in hand. */
export class Admission {
  private inside = 0;

  /** `most`: how much fits. */
  constructor(private readonly most: number) {}

  get count(): number {
    return this.inside;
  }

  get isFull(): boolean {
    return this.inside >= this.most;
  }

  /** Runs `work` and counts it until it has ended. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    this.inside++;
    try {
      return await work();
    } finally {
      this.inside--;
    }
  }
}
