/** @file The error that ends a run whose numbers are lost. */
import { InputError } from '../errors.js';

/** A descriptor, loss or gradient is NaN or infinite. */
export class NotFiniteError extends InputError {
  override name = 'NotFiniteError';

  /** `ids`: of the images that were computed together. */
  constructor(
    message: string,
    readonly ids: readonly string[] = [],
  ) {
    super(message);
  }
}
