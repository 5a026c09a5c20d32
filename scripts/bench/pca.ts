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

const [rows = 200_000, channels = 2048] = process.argv.slice(2).map(Number);
const portion = 2000;
const print = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** Unit rows of noise whose deviation falls by 1000 from the first to the last channel, beside a common mean. */
let state = 1;
function fill(data: Float32Array): void {
  for (let start = 0; start < data.length; start += channels) {
    let sum = 0;
    for (let i = 0; i < channels; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const value = 0.3 + (state / 2 ** 32 - 0.5) * 1000 ** (-i / channels);
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
    const startedAt = performance.now();
    const before = process.cpuUsage();
    const result = work();
    const { user, system } = process.cpuUsage(before);
    this.ms += performance.now() - startedAt;
    this.cpuMs += (user + system) / 1000;
    return result;
  }

  get seconds() {
    return { seconds: Math.round(this.ms / 10) / 100, cpuSeconds: Math.round(this.cpuMs / 10) / 100 };
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
  const clock = new Clock();
  const result = clock.run(() => learnPcaWhitening(same, { eigen }));
  const total = {
    seconds: Math.round((covariance.ms + clock.ms) / 10) / 100,
    cpuSeconds: Math.round((covariance.cpuMs + clock.cpuMs) / 10) / 100,
  };
  print({ part: `decomposition, ${name}`, ...clock.seconds, withCovariance: total });
  return result;
});
print({ peakMB: Math.round(process.resourceUsage().maxRSS / 1000), node: process.version });
if (results.length === 2) {
  const [a, b] = results;
  const relative = a.eigenvalues.map((value, k) => Math.abs(value - b.eigenvalues[k]) / a.eigenvalues[0]);
  print({ largestDifference: largest(relative), of: 'eigenvalues, relative to the largest' });
}
