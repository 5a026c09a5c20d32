/**
 * @file `npm run bench:search`: the ten nearest of 100,000 x 2048 for 100 queries, against usearch's exactSearch on the same arrays in
 * turns; then 1,000,000 x 512 from an .npy file, block by block, in a process of its own with its peak memory. Prints JSON lines.
 * The file (2 GB) is made in a temporary folder and removed.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEngine } from '../../src/backend/index.js';
import { engineSimilarity } from '../../src/retrieval/engine-similarity.js';
import { blocksOf, nearestRows } from '../../src/retrieval/nearest-rows.js';
import { npyHeader } from '../../src/data/npy.js';
import { npyRows } from '../../src/data/npy-rows.js';
import { clock, median, noise, print, rounded } from './process.js';

interface Usearch {
  exactSearch(
    data: Float32Array,
    queries: Float32Array,
    dimension: number,
    count: number,
    metric: 'ip',
    threads: number,
  ): { keys: BigUint64Array };
}

const count = 10;
const queryCount = 100;
const rounds = 5;
const cores = availableParallelism();

/** Unit rows of noise, filled in place. */
function noiseRows(dimension: number, seed: number) {
  const next = noise(seed);
  return (data: Float32Array) => {
    for (let start = 0; start < data.length; start += dimension) {
      const row = data.subarray(start, start + dimension);
      let sum = 0;
      for (let i = 0; i < dimension; i++) {
        row[i] = next() - 0.5;
        sum += row[i] * row[i];
      }
      const scale = 1 / Math.sqrt(sum);
      for (let i = 0; i < dimension; i++) row[i] *= scale;
    }
    return data;
  };
}

async function timed<T>(work: () => T | Promise<T>): Promise<{ ms: number; cpuMs: number; result: T }> {
  const elapsed = clock();
  const result = await work();
  return { ...elapsed(), result };
}

async function againstUsearch(): Promise<void> {
  const [rows, dimension] = [100_000, 2048];
  const data = noiseRows(dimension, 1)(new Float32Array(rows * dimension));
  const queries = noiseRows(dimension, 2)(new Float32Array(queryCount * dimension));
  const usearch = createRequire(import.meta.url)('usearch') as Usearch;
  const ours = () =>
    nearestRows({ dimension, data: queries }, blocksOf({ dimension, data }), { count, similarity: engineSimilarity });
  const peer = () => usearch.exactSearch(data, queries, dimension, count, 'ip', cores);
  await ours();
  const times: Record<'ours' | 'peer', { ms: number; cpuMs: number }[]> = { ours: [], peer: [] };
  let different = 0;
  for (let round = 0; round < rounds; round++) {
    const mine = await timed(ours);
    const theirs = await timed(peer);
    times.ours.push(mine);
    times.peer.push(theirs);
    // Rows whose similarities round alike may change places; as sets the ten are the same.
    for (let q = 0; q < queryCount; q++) {
      const expected = new Set([...theirs.result.keys.subarray(q * count, (q + 1) * count)].map(Number));
      different += mine.result.rows.subarray(q * count, (q + 1) * count).filter((row) => !expected.has(row)).length;
    }
  }
  const ms = (name: 'ours' | 'peer', of: 'ms' | 'cpuMs') => Math.round(median(times[name].map((time) => time[of])));
  print({
    search: `${queryCount} in ${rows} x ${dimension}`,
    count,
    cores,
    ours: { ms: ms('ours', 'ms'), cpuMs: ms('ours', 'cpuMs') },
    peer: { name: 'usearch exactSearch', ms: ms('peer', 'ms'), cpuMs: ms('peer', 'cpuMs') },
    ratio: rounded(ms('ours', 'ms') / ms('peer', 'ms'), 2),
    cpuRatio: rounded(ms('ours', 'cpuMs') / ms('peer', 'cpuMs'), 2),
    different,
    node: process.version,
  });
}

async function streamed(file: string): Promise<void> {
  const dimension = 512;
  const queries = noiseRows(dimension, 2)(new Float32Array(queryCount * dimension));
  let rows = 0;
  const onProgress = (done: number) => (rows = done);
  const search = () =>
    nearestRows({ dimension, data: queries }, npyRows(file), { count, similarity: engineSimilarity, onProgress });
  const { ms, cpuMs } = await timed(search);
  print({
    search: `${queryCount} in ${rows} x ${dimension} from .npy`,
    count,
    ms: Math.round(ms),
    cpuMs: Math.round(cpuMs),
    peakMB: Math.round(process.resourceUsage().maxRSS / 1000),
  });
}

function writeRows(file: string, rows: number, dimension: number): void {
  const fill = noiseRows(dimension, 3);
  const block = new Float32Array(10_000 * dimension);
  const handle = openSync(file, 'w');
  writeSync(handle, npyHeader([rows, dimension]));
  for (let row = 0; row < rows; row += 10_000) writeSync(handle, new Uint8Array(fill(block).buffer));
  closeSync(handle);
}

const [, script, part, file] = process.argv;
await startEngine();
if (part === 'streamed') {
  await streamed(file);
} else {
  await againstUsearch();
  const folder = mkdtempSync(join(tmpdir(), 'rmac-bench-search-'));
  try {
    const table = join(folder, 'descriptors.npy');
    writeRows(table, 1_000_000, 512);
    spawnSync(process.execPath, [...process.execArgv, script, 'streamed', table], { stdio: 'inherit' });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
