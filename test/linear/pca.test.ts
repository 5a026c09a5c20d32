import { readFileSync } from 'node:fs';
import { SingularValueDecomposition } from 'ml-matrix';
import { describe, expect, test } from 'vitest';
import { GramProducts } from '../../src/backend/index.js';
import { InputError } from '../../src/errors.js';
import { CovarianceAccumulator, learnPcaWhitening } from '../../src/linear/pca.js';
import { lowRank, unitRows } from '../support/low-rank.js';

interface Golden {
  rows: number;
  channels: number;
  mean: number[];
  eigenvalues: number[];
  components: number[][];
  explainedVariance: number;
}
const golden: Golden = JSON.parse(readFileSync(new URL('../golden/pca.json', import.meta.url), 'utf8'));

/** The rows of scripts/reference-pca.py. */
function goldenRows(): Float32Array {
  const { rows, channels } = golden;
  const data = new Float32Array(rows * channels);
  for (let i = 0; i < rows; i++) {
    const row = Array.from({ length: channels }, (_, j) => ((7 * i + 3 * j + i * j * j) % 11) + 1);
    const length = Math.hypot(...row);
    row.forEach((value, j) => {
      data[i * channels + j] = value / length;
    });
  }
  return data;
}

function accumulated(data: Float32Array, channels: number, rowsAtOnce = data.length / channels): CovarianceAccumulator {
  const accumulator = new CovarianceAccumulator(channels);
  for (let i = 0; i < data.length; i += rowsAtOnce * channels) {
    accumulator.add(data.subarray(i, i + rowsAtOnce * channels));
  }
  return accumulator;
}

/** Values in (-1, 1) without order. */
const noise = (i: number) => (Math.sin(i * 12.9898) * 43758.5453) % 1;

describe('learnPcaWhitening', () => {
  test('equals numpy on a small matrix', () => {
    const pca = learnPcaWhitening(accumulated(goldenRows(), golden.channels), { dimension: 3 });
    golden.mean.forEach((value, i) => expect(pca.mean[i]).toBeCloseTo(value, 7));
    golden.eigenvalues.forEach((value, k) => expect(pca.eigenvalues[k]).toBeCloseTo(value, 12));
    golden.components.flat().forEach((value, i) => expect(pca.components[i] / value).toBeCloseTo(1, 6));
    expect(pca.explainedVariance).toBeCloseTo(golden.explainedVariance, 12);
  });

  test('an attenuated whitening divides by the variance to the power t/2: the variance that is left is its power 1 - t', () => {
    const rows = accumulated(goldenRows(), golden.channels);
    const whole = learnPcaWhitening(rows, { dimension: 3 });
    for (const strength of [0, 0.5, 1]) {
      const { components, mean } = learnPcaWhitening(accumulated(goldenRows(), golden.channels), {
        dimension: 3,
        strength,
      });
      expect(mean).toEqual(whole.mean);
      for (let k = 0; k < 3; k++) {
        // whole: direction / sqrt(variance)
        const ratio = golden.eigenvalues[k] ** ((1 - strength) / 2);
        for (let i = 0; i < golden.channels; i++) {
          const at = k * golden.channels + i;
          expect(components[at]).toBeCloseTo(whole.components[at] * ratio, 6);
        }
      }
    }
  });

  test('the same rows in any portions give the same result', () => {
    const whole = learnPcaWhitening(accumulated(goldenRows(), golden.channels));
    expect(learnPcaWhitening(accumulated(goldenRows(), golden.channels, 5))).toEqual(whole);
  });

  test('whitened rows have mean 0 and covariance I, over many blocks and an odd number of channels', () => {
    const channels = 11;
    const rows = 401;
    // Noise of a different size in each channel, plus one value shared by all of them, plus a mean.
    const data = Float32Array.from(
      { length: rows * channels },
      (_, i) => 0.3 + noise(i) * (1 + (i % channels)) + 5 * noise(Math.floor(i / channels) + 0.5),
    );
    const { mean, components } = learnPcaWhitening(accumulated(data, channels));
    const whitened = new Float64Array(rows * channels);
    for (let n = 0; n < rows; n++) {
      for (let k = 0; k < channels; k++) {
        for (let i = 0; i < channels; i++) {
          whitened[n * channels + k] += components[k * channels + i] * (data[n * channels + i] - mean[i]);
        }
      }
    }
    for (let k = 0; k < channels; k++) {
      for (let l = 0; l < channels; l++) {
        let covariance = 0;
        for (let n = 0; n < rows; n++) covariance += (whitened[n * channels + k] * whitened[n * channels + l]) / rows;
        expect(covariance).toBeCloseTo(k === l ? 1 : 0, 4);
      }
    }
  });

  test('a channel that never varies gives no direction', () => {
    const data = Float32Array.of(1, 0, 0.5, 0, 1, 0.5, -1, 0, 0.5, 0, -1, 0.5);
    const { components, dimension, warnings } = learnPcaWhitening(accumulated(data, 3));
    expect(dimension).toBe(2);
    expect(components.length).toBe(6);
    expect(warnings[0]).toMatch(/^4 vectors to learn from, which vary in 2 directions and not in 3/);
  });

  test.each(['of whole numbers', 'of unit length'])(
    'keeps as many directions as the rows vary in, by ml-matrix, and gives the rest of the space nothing: rows %s',
    (kind) => {
      const [rows, channels, span] = [70, 48, 30];
      const whole = lowRank(rows, channels, span);
      const exact = kind === 'of whole numbers' ? whole : unitRows(whole);
      const data = Float32Array.from(exact.to1DArray());
      // of the rows before float32 rounds them
      const { rank } = new SingularValueDecomposition(exact.clone().center('column'));
      expect(rank).toBeLessThan(rows - 1);
      const { components, dimension, mean } = learnPcaWhitening(accumulated(data, channels));
      expect(dimension).toBe(rank);
      // a row that was not learned from has no more energy than those that were
      const other = Float32Array.from({ length: channels }, (_, i) => data[i] * (1 + 0.1 * noise(i)));
      let energy = 0;
      for (let k = 0; k < dimension; k++) {
        let sum = 0;
        for (let i = 0; i < channels; i++) sum += components[k * channels + i] * (other[i] - mean[i]);
        energy += sum * sum;
      }
      expect(energy).toBeLessThan(100 * dimension);
    },
  );

  test('fewer rows than dimensions, too many dimensions and equal rows are refused', () => {
    expect(() => learnPcaWhitening(accumulated(goldenRows().subarray(0, 20), 5))).toThrow(
      new InputError(
        'PCA: 5 dimensions cannot be learned from 4 region descriptors; use more images or a smaller --dimension.',
      ),
    );
    expect(() => learnPcaWhitening(accumulated(goldenRows(), 5), { dimension: 6 })).toThrow(/choose 1 to 5/);
    expect(() => learnPcaWhitening(accumulated(new Float32Array(20).fill(0.3), 5), { dimension: 2 })).toThrow(/equal/);
  });
});

describe('sums by the engine', () => {
  // 1, 3 and 5 columns leave strips empty or of unequal widths
  test.each([1, 3, 5, 18])('of rows of %i values equal the plain loops, over several products', (channels) => {
    const rows = 4500;
    const data = Float32Array.from({ length: rows * channels }, (_, i) => 1e3 + noise(i));
    const products = new GramProducts(channels, { threads: 2 });
    const engine = new CovarianceAccumulator(channels, products);
    for (let row = 0; row < rows; row += 700) engine.add(data.subarray(row * channels, (row + 700) * channels));
    const [ours, plain] = [engine.finish(), accumulated(data, channels).finish()];
    products.dispose();
    expect(engine.count).toBe(rows);
    expect(ours.mean).toEqual(plain.mean);
    // Σ x² is 4.5e9 here and the variance 0.3: what float32 sums would lose altogether
    ours.covariance.forEach((value, i) => expect(Math.abs(value - plain.covariance[i])).toBeLessThan(1e-7));
    expect(ours.covariance[0]).toBeGreaterThan(0.1);
  });

  test('equal numpy on a small matrix', () => {
    const products = new GramProducts(golden.channels);
    const accumulator = new CovarianceAccumulator(golden.channels, products);
    accumulator.add(goldenRows());
    const pca = learnPcaWhitening(accumulator, { dimension: 3 });
    products.dispose();
    golden.eigenvalues.forEach((value, k) => expect(pca.eigenvalues[k]).toBeCloseTo(value, 12));
    golden.components.flat().forEach((value, i) => expect(pca.components[i] / value).toBeCloseTo(1, 6));
  });
});
