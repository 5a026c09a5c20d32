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
import { median, ourWorker, peerWorker, print, rounded } from './process.js';
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
const peerSide = peerWorker('update.py', args);
const sides = [ourWorker('update-worker.ts', args), ...(peerSide === undefined ? [] : [peerSide])];
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
const medians = (of: 'ms' | 'cpuMs') => {
  const [mine, theirs] = [ours, peer].map((list) => list && median(list.map((time) => time[of])));
  return {
    ours: Math.round(mine),
    peer: theirs === undefined ? null : Math.round(theirs),
    ratio: theirs === undefined ? null : rounded(mine / theirs, 3),
  };
};
const [wall, cpu] = [medians('ms'), medians('cpuMs')];
const outside = median(ours.map(({ ms, nativeMs = 0 }) => 1 - nativeMs / ms));
const result = {
  network: 'resnet50',
  triplets: Number(values.triplets),
  shape: `1x3x${args[1]}x${args[2]}`,
  peer: 'pytorch-cpu',
  ours_ms: wall.ours,
  peer_ms: wall.peer,
  ratio: wall.ratio,
  threads: Number(values.threads),
  ours_cpu_ms: cpu.ours,
  peer_cpu_ms: cpu.peer,
  cpu_ratio: cpu.ratio,
  outside_engine: rounded(outside, 3),
};
if (values.json) print(result);
process.stderr.write(
  `${result.triplets} triplets of ${result.shape}: ${result.ours_ms} ms, PyTorch ${result.peer_ms ?? '-'} ms, ratio ${result.ratio ?? '-'}, of processor time ${result.cpu_ratio ?? '-'}; ${(100 * outside).toFixed(1)} % of our time outside the engine\n`,
);
