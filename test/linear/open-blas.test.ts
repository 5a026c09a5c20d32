import { afterEach, expect, test, vi } from 'vitest';
import { InputError } from '../../src/errors.js';
import { openBlasEigen } from '../../src/linear/open-blas.js';
import { symmetricEigen } from '../../src/linear/symmetric-eigen.js';

const solver = await openBlasEigen().catch((error: Error) => error);

afterEach(() => vi.unstubAllEnvs());

test.skipIf(solver instanceof Error)('dsyevd and our own decomposition agree, for all and for some vectors', () => {
  if (solver instanceof Error) return;
  const n = 90;
  // eigenvalues well apart, so that vectors are determined; the upper triangle must not be read
  const entry = (i: number, j: number) => (i === j ? 3 * i : Math.sin(i * 7 + j * 3) / 9);
  const matrix = new Float64Array(n * n).map((_, at) => entry(Math.floor(at / n), at % n));
  for (const count of [n, 5]) {
    const [theirs, ours] = [solver(matrix, n, count), symmetricEigen(matrix, n, count)];
    expect(theirs.values.length).toBe(count);
    expect(theirs.vectors.length).toBe(count * n);
    theirs.values.forEach((value, k) => expect(Math.abs(value - ours.values[k])).toBeLessThan(1e-11));
    theirs.vectors.forEach((value, i) => expect(Math.abs(value - ours.vectors[i])).toBeLessThan(1e-11));
  }
  expect(() => solver(Float64Array.of(1, Number.NaN, Number.NaN, 1), 2, 2)).toThrow(/not finite/);
});

test('without the library the error says how to get it', async () => {
  vi.stubEnv('RMAC_OPENBLAS', '/none/libopenblas.so');
  await expect(openBlasEigen()).rejects.toThrow(InputError);
  await expect(openBlasEigen()).rejects.toThrow(
    /npm install koffi|OpenBLAS was not found: install it .* RMAC_OPENBLAS/,
  );
});
