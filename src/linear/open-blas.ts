/**
 * @file Eigenpairs by LAPACK's dsyevd in an installed OpenBLAS, called through the optional package koffi. Nothing of either is needed
 * unless it is asked for.
 */
import { InputError, messageOf } from '../errors.js';
import { type EigenPairs, fixSign } from './symmetric-eigen.js';

/** Where OpenBLAS is looked for; RMAC_OPENBLAS comes before them. */
const libraryNames = ['libopenblas.so.0', 'libopenblas.so', 'libopenblas.dylib', 'libopenblas.dll'];

type Native = (...values: unknown[]) => unknown;

interface Koffi {
  load(path: string): { func(definition: string): Native };
}

export type EigenSolver = (matrix: Float64Array, n: number, count: number) => EigenPairs;

/** As symmetricEigen; the last bits differ by machine and version. @throws InputError that says what is missing. */
export async function openBlasEigen(): Promise<EigenSolver> {
  const dsyevd = await loadDsyevd();
  return (matrix, n, count) => {
    if (matrix.length !== n * n) throw new Error(`openBlasEigen: ${matrix.length} values are not ${n} x ${n}.`);
    if (!matrix.every(Number.isFinite)) throw new Error('openBlasEigen: the matrix has values that are not finite.');
    // Our lower triangle by rows is LAPACK's upper one by columns; a symmetric matrix is its own transpose.
    const vectors = matrix.slice();
    const values = new Float64Array(n);
    const work = new Float64Array(1 + 6 * n + 2 * n * n);
    const indices = new Int32Array(3 + 5 * n);
    const info = new Int32Array(1);
    const integer = (value: number) => Int32Array.of(value);
    const sizes = [integer(work.length), integer(indices.length)];
    dsyevd('V', 'U', integer(n), vectors, integer(n), values, work, sizes[0], indices, sizes[1], info);
    if (info[0] !== 0) throw new Error(`openBlasEigen: dsyevd returned ${info[0]}.`);
    const wanted = Math.min(count, n);
    const rows = new Float64Array(wanted * n);
    for (let k = 0; k < wanted; k++) {
      const from = n - 1 - k; // ascending there
      rows.set(vectors.subarray(from * n, (from + 1) * n), k * n);
      fixSign(rows.subarray(k * n, (k + 1) * n));
    }
    return { values: values.toReversed().subarray(0, wanted), vectors: rows };
  };
}

async function loadDsyevd(): Promise<Native> {
  let koffi: Koffi;
  try {
    koffi = ((await import('koffi')) as unknown as { default: Koffi }).default;
  } catch (error) {
    throw new InputError(`OpenBLAS is called through the package koffi: npm install koffi. (${messageOf(error)})`);
  }
  const named = process.env.RMAC_OPENBLAS;
  const problems: string[] = [];
  for (const name of named === undefined ? libraryNames : [named]) {
    try {
      // character arguments, pointers to everything else, 32-bit integers
      return koffi
        .load(name)
        .func(
          'void dsyevd_(str jobz, str uplo, int *n, double *a, int *lda, double *w, double *work, int *lwork, int *iwork, int *liwork, int *info)',
        );
    } catch (error) {
      problems.push(messageOf(error));
    }
  }
  throw new InputError(
    `OpenBLAS was not found: install it (Debian: libopenblas0) or name the library in RMAC_OPENBLAS. (${problems[0]})`,
  );
}
