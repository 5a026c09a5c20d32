/**
 * @file `npm run bench:update`: one update of triplets, ResNet-50 with R-MAC, against PyTorch doing the same, in turns: all
 * images described, those with a share of the gradient run again one after the other, one step of SGD. Prints the ratio (below 1 is
 * faster), that of processor time, which other work on the machine moves less, and the share of our time outside the engine's
 * native runs.
 *
 *   npm run bench:update -- [--triplets 64] [--longest 362] [--rounds 3] [--threads N] [--json]
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { median, pythonWithTorch, Worker } from './process.js';
import { append } from '../../src/extremes.js';

const { values } = parseArgs({
  options: {
    triplets: { type: 'string', default: '64' },
    longest: { type: 'string', default: '362' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: String(availableParallelism()) },
    json: { type: 'boolean', default: false },
  },
});
const longest = Number(values.longest);
/** 4:3 in whole cells of the map, as training snaps it. */
const snapped = (side: number) => Math.round(side / 32) * 32;
const args = [values.triplets, snapped(longest * 0.75), snapped(longest), values.threads].map(String);
const here = (file: string) => new URL(file, import.meta.url).pathname;
const python = pythonWithTorch();
if (python === undefined) process.stderr.write('PyTorch not found: our time only.\n');
const sides = [
  new Worker(process.execPath, ['--import', 'tsx', here('update-worker.ts'), ...args]),
  ...(python === undefined ? [] : [new Worker(python, [here('update.py'), ...args])]),
];
type Time = { ms: number; cpuMs: number; nativeMs?: number };
const times: Time[][] = sides.map(() => []);
for (const side of sides) {
  await side.answer();
  await side.ask('run 1'); // warm-up
}
for (let round = 0; round < Number(values.rounds); round++) {
  for (const [i, side] of sides.entries()) append(times[i], (await side.ask('run 1')) as Time[]);
}
for (const side of sides) await side.end();
const [ours, peer] = times;
const oursMs = median(ours.map(({ ms }) => ms));
const peerMs = peer && median(peer.map(({ ms }) => ms));
const oursCpuMs = median(ours.map(({ cpuMs }) => cpuMs));
const peerCpuMs = peer && median(peer.map(({ cpuMs }) => cpuMs));
const outside = median(ours.map(({ ms, nativeMs = 0 }) => 1 - nativeMs / ms));
const result = {
  network: 'resnet50',
  triplets: Number(values.triplets),
  shape: `1x3x${args[1]}x${args[2]}`,
  peer: 'pytorch-cpu',
  ours_ms: Math.round(oursMs),
  peer_ms: peerMs === undefined ? null : Math.round(peerMs),
  ratio: peerMs === undefined ? null : Math.round((1000 * oursMs) / peerMs) / 1000,
  threads: Number(values.threads),
  ours_cpu_ms: Math.round(oursCpuMs),
  peer_cpu_ms: peerCpuMs === undefined ? null : Math.round(peerCpuMs),
  cpu_ratio: peerCpuMs === undefined ? null : Math.round((1000 * oursCpuMs) / peerCpuMs) / 1000,
  outside_engine: Math.round(outside * 1000) / 1000,
};
if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
process.stderr.write(
  `${result.triplets} triplets of ${result.shape}: ${result.ours_ms} ms, PyTorch ${result.peer_ms ?? '-'} ms, ratio ${result.ratio ?? '-'}, of processor time ${result.cpu_ratio ?? '-'}; ${(100 * outside).toFixed(1)} % of our time outside the engine\n`,
);
