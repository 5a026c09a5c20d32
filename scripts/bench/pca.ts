/**
 * @file `npm run bench:pca [-- ROWS CHANNELS]`: PCA-whitening from 200,000 region vectors of 2048 values, all directions kept: covariance by
 * the engine in float64, decomposition by the project's own code and by OpenBLAS where koffi and it are installed. Prints JSON
 * lines with wall and CPU time; making the vectors is not counted. The last line compares the two decompositions.
 */
import { availableParallelism } from 'node:os';
import { GramProducts } from '../../src/backend/index.js';
import { type EigenSolver, openBlasEigen } from '../../src/linear/open-blas.js';
import { CovarianceAccumulator, learnPcaWhitening } from '../../src/linear/pca.js';
import { symmetricEigen } from '../../src/linear/symmetric-eigen.js';
import { largest } from '../../src/extremes.js';
import { clock, noise, print, rounded } from './process.js';

const [rows = 200_000, channels = 2048] = process.argv.slice(2).map(Number);
const portion = 2000;

/** Unit rows of noise whose deviation falls by 1000 from the first to the last channel, beside a common mean. */
const next = noise(1);
function fill(data: Float32Array): void {
  for (let start = 0; start < data.length; start += channels) {
    let sum = 0;
    for (let i = 0; i < channels; i++) {
      const value = 0.3 + (next() - 0.5) * 1000 ** (-i / channels);
      data[start + i] = value;
      sum += value * value;
    }
    const scale = 1 / Math.sqrt(sum);
    for (let i = start; i < start + channels; i++) data[i] *= scale;
  }
}

class Clock {
  ms = 0;
  cpuMs = 0;

  run<T>(work: () => T): T {
    const elapsed = clock();
    const result = work();
    const { ms, cpuMs } = elapsed();
    this.ms += ms;
    this.cpuMs += cpuMs;
    return result;
  }

  get seconds() {
    return { seconds: rounded(this.ms / 1000, 2), cpuSeconds: rounded(this.cpuMs / 1000, 2) };
  }
}

const covariance = new Clock();
const products = new GramProducts(channels);
const accumulator = new CovarianceAccumulator(channels, products);
const data = new Float32Array(portion * channels);
for (let row = 0; row < rows; row += portion) {
  fill(data);
  const part = data.subarray(0, Math.min(portion, rows - row) * channels);
  covariance.run(() => accumulator.add(part));
}
const finished = covariance.run(() => accumulator.finish());
products.dispose();
print({ part: 'covariance', rows, channels, cores: availableParallelism(), ...covariance.seconds });

const solvers: { name: string; eigen: EigenSolver }[] = [{ name: 'own', eigen: symmetricEigen }];
try {
  solvers.push({ name: 'OpenBLAS dsyevd', eigen: await openBlasEigen() });
} catch (error) {
  print({ skipped: (error as Error).message });
}
const same = { dimension: channels, count: accumulator.count, finish: () => finished };
const results = solvers.map(({ name, eigen }) => {
  const decomposition = new Clock();
  const result = decomposition.run(() => learnPcaWhitening(same, { eigen }));
  const { seconds } = decomposition;
  decomposition.ms += covariance.ms;
  decomposition.cpuMs += covariance.cpuMs;
  print({ part: `decomposition, ${name}`, ...seconds, withCovariance: decomposition.seconds });
  return result;
});
print({ peakMB: Math.round(process.resourceUsage().maxRSS / 1000), node: process.version });
if (results.length === 2) {
  const [a, b] = results;
  const relative = a.eigenvalues.map((value, k) => Math.abs(value - b.eigenvalues[k]) / a.eigenvalues[0]);
  print({ largestDifference: largest(relative), of: 'eigenvalues, relative to the largest' });
}
