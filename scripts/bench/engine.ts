/**
 * @file `npm run bench:engine`: the engine against PyTorch on the CPU, same networks, shapes and threads, in turns in one
 * run, so that a drift of the machine meets both. Prints medians, the spread and ratios (ours / peer: below 1 is faster).
 *
 *   npm run bench:engine -- [--json] [--full] [--only='resnet50 forward']
 */
import { availableParallelism } from 'node:os';
import { median, pythonWithTorch, Worker } from './process.js';

const rounds = 4;
const runsPerRound = 4;

const networks = ['resnet50', 'densenet121', 'vgg16', 'mobilenet-v2'] as const;
const passes = ['forward', 'forward+backward'] as const;
/** Height and width; the second takes three times as long as the first and is measured with `--full` only. */
const sizes = process.argv.includes('--full')
  ? ([
      [384, 512],
      [543, 724],
    ] as const)
  : ([[384, 512]] as const);
const cases = sizes.flatMap(([height, width]) =>
  networks.flatMap((network) => passes.map((pass) => [network, pass, height, width] as const)),
);

interface Entry {
  network: string;
  pass: string;
  shape: string;
  peer: string;
  ours_ms: number;
  peer_ms: number | null;
  ratio: number | null;
  ours_range_ms: [number, number];
  peer_range_ms: [number, number] | null;
  ours_peak_mb: number;
  peer_peak_mb: number | null;
}

const json = process.argv.includes('--json');
const only = process.argv.find((argument) => argument.startsWith('--only='))?.slice('--only='.length);
const threads = availableParallelism();
const python = pythonWithTorch();
if (python === undefined)
  process.stderr.write('PyTorch not found: our times only (Debian: python3-torch, libopenblas0-pthread).\n');
const range = (values: readonly number[]): [number, number] => [Math.min(...values), Math.max(...values)];

async function measure([network, pass, height, width]: (typeof cases)[number]): Promise<Entry> {
  const args = [network, pass, String(height), String(width), String(threads)];
  const ours = new Worker(process.execPath, [
    '--import',
    'tsx',
    new URL('worker.ts', import.meta.url).pathname,
    ...args,
  ]);
  const peer = python && new Worker(python, [new URL('worker.py', import.meta.url).pathname, ...args]);
  const sides = [ours, ...(peer ? [peer] : [])];
  const times: number[][] = sides.map(() => []);
  for (const side of sides) {
    await side.answer();
    await side.ask('run 6'); // warm-up: compiling, weights brought into order
  }
  for (let round = 0; round < rounds; round++) {
    for (const [i, side] of sides.entries()) times[i]?.push(...((await side.ask(`run ${runsPerRound}`)) as number[]));
  }
  const peaks = [];
  for (const side of sides) peaks.push(((await side.end()) as { peakMB: number }).peakMB);
  const [oursTimes = [], peerTimes] = times;
  const round1 = (value: number) => Math.round(value * 10) / 10;
  return {
    network,
    pass,
    shape: `1x3x${height}x${width}`,
    peer: 'pytorch-cpu',
    ours_ms: round1(median(oursTimes)),
    peer_ms: peerTimes ? round1(median(peerTimes)) : null,
    ratio: peerTimes ? Math.round((1000 * median(oursTimes)) / median(peerTimes)) / 1000 : null,
    ours_range_ms: range(oursTimes.map(round1)),
    peer_range_ms: peerTimes ? range(peerTimes.map(round1)) : null,
    ours_peak_mb: Math.round(peaks[0] ?? 0),
    peer_peak_mb: peerTimes ? Math.round(peaks[1] ?? 0) : null,
  };
}

const entries: Entry[] = [];
for (const item of cases) {
  if (only !== undefined && !`${item[0]} ${item[1]}`.startsWith(only)) continue;
  const entry = await measure(item);
  entries.push(entry);
  const peer =
    entry.peer_ms === null
      ? ''
      : `  PyTorch ${entry.peer_ms} ms [${entry.peer_range_ms?.join('-')}]  ratio ${entry.ratio}`;
  const memory = `  peak ${entry.ours_peak_mb} MB${entry.peer_peak_mb === null ? '' : ` (${entry.peer_peak_mb} MB)`}`;
  process.stderr.write(
    `${entry.network} ${entry.pass} ${entry.shape}: ${entry.ours_ms} ms [${entry.ours_range_ms.join('-')}]${peer}${memory}\n`,
  );
}
if (json) process.stdout.write(`${JSON.stringify(entries)}\n`);
