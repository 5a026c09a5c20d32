import '../support/engine.js';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { engineSimilarity } from '../../src/retrieval/engine-similarity.js';
import { blocksOf, nearestRows } from '../../src/retrieval/nearest-rows.js';
import { encodeNpy } from '../../src/data/npy.js';
import { npyRows } from '../../src/data/npy-rows.js';

const dimension = 3;
/** Small whole numbers: every product is exact on any engine, and there are many ties. */
const rowsOf = (values: readonly number[]) => ({
  dimension,
  data: Float32Array.from(values.slice(0, values.length - (values.length % dimension))),
});
const numbers = (most: number) => fc.array(fc.integer({ min: -2, max: 2 }), { minLength: 6, maxLength: most });

/** By definition: all products, a stable sort, the first k that are not skipped. */
function bruteForce(queries: Float32Array, data: Float32Array, k: number, skip?: Int32Array): number[][] {
  return Array.from({ length: queries.length / dimension }, (_, q) => {
    const row = (n: number) =>
      [0, 1, 2].reduce((sum, i) => sum + queries[q * dimension + i] * data[n * dimension + i], 0);
    return Array.from({ length: data.length / dimension }, (_unused, n) => n)
      .filter((n) => n !== skip?.[q])
      .toSorted((a, b) => row(b) - row(a))
      .slice(0, k);
  });
}

/** Blocks of one, two, three … rows. */
function* uneven(data: Float32Array) {
  for (let at = 0, rows = 1; at < data.length; at += rows++ * dimension) {
    yield { dimension, data: data.subarray(at, at + rows * dimension) };
  }
}

describe('nearestRows', () => {
  test.each([
    ['plain loops', undefined],
    ['engine', engineSimilarity],
  ])('equals brute force with stable ties, %s', async (_name, similarity) => {
    await fc.assert(
      fc.asyncProperty(numbers(60), numbers(150), fc.nat(), fc.boolean(), async (q, d, k, skipOwn) => {
        const [queries, database] = [rowsOf(q), rowsOf(d)];
        const rows = database.data.length / dimension;
        const skip = Int32Array.from({ length: queries.data.length / dimension }, (_, i) => i % rows);
        const count = 1 + (k % (rows - 1));
        const found = await nearestRows(queries, uneven(database.data), {
          count,
          similarity,
          ...(skipOwn && { skip }),
        });
        const expected = bruteForce(queries.data, database.data, count, skipOwn ? skip : undefined);
        expect([...found.rows]).toEqual(expected.flat());
      }),
      { seed: 7, numRuns: similarity === undefined ? 200 : 30 },
    );
  });

  test('a table in an .npy file gives what the table in memory gives', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'rmac-rows-')), 'rows.npy');
    const database = rowsOf(Array.from({ length: 3000 }, (_, i) => Math.sin(i * i)));
    const queries = rowsOf([1, 0, 0, 0, 1, 0, -1, 1, 1]);
    writeFileSync(file, encodeNpy(database.data, [1000, dimension]));
    const inMemory = await nearestRows(queries, blocksOf(database), { count: 20 });
    expect(await nearestRows(queries, npyRows(file), { count: 20 })).toEqual(inMemory);
    // Fortran order, whose columns lie behind each other
    const columns = Float32Array.from({ length: 3000 }, (_, i) => database.data[(i % 1000) * 3 + Math.floor(i / 1000)]);
    const fortran = Buffer.from(encodeNpy(columns, [1000, dimension]));
    fortran.write('True, ', fortran.indexOf('False,'), 'latin1');
    writeFileSync(file, fortran);
    expect(await nearestRows(queries, npyRows(file), { count: 20 })).toEqual(inMemory);
    // float64 is rounded as a whole file is
    writeFileSync(file, float64Npy(database.data));
    expect(await nearestRows(queries, npyRows(file), { count: 20 })).toEqual(inMemory);
  });

  test('one clear error each for what cannot be searched', async () => {
    const query = rowsOf([1, 0, 0]);
    const search = (blocks: Parameters<typeof nearestRows>[1], count = 1, queries = query) =>
      nearestRows(queries, blocks, { count });
    await expect(search([])).rejects.toThrow(/^nearestRows: the database is empty/);
    await expect(search(blocksOf(rowsOf([1, 2, 3])), 2)).rejects.toThrow(/2 neighbours asked of 1 other rows/);
    await expect(search([{ dimension: 2, data: Float32Array.of(1, 2) }])).rejects.toThrow(
      /queries have 3 values, the database 2/,
    );
    await expect(search(blocksOf(rowsOf([1, 2, 3, 0, Number.NaN, 0])))).rejects.toThrow(/database row 1 has NaN/);
    await expect(search(blocksOf(rowsOf([1, 2, 3])), 1, rowsOf([0, 0, 0, Infinity, 0, 0]))).rejects.toThrow(
      /query 1 has NaN or infinite/,
    );
    await expect(search(npyRows('/none.npy'))).rejects.toThrow(/^Cannot read \/none\.npy/);
    const file = join(mkdtempSync(join(tmpdir(), 'rmac-rows-')), 'line.npy');
    writeFileSync(file, encodeNpy(Float32Array.of(1, 2), [2]));
    await expect(search(npyRows(file))).rejects.toThrow(/expected rows \[N, D\], got shape \(2\)/);
  });
});

/** As np.save writes the values in double precision. */
function float64Npy(data: Float32Array): Uint8Array {
  const single = encodeNpy(data, [data.length / dimension, dimension]);
  const header = Buffer.from(single.subarray(0, single.length - data.byteLength));
  const text = header.toString('latin1').replace('<f4', '<f8');
  return Buffer.concat([Buffer.from(text, 'latin1'), new Uint8Array(Float64Array.from(data).buffer)]);
}
