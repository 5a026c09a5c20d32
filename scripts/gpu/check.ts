/**
 * @file What a GPU does with the engine: kernels and gradients checked, networks, an update and extraction timed against PyTorch on
 * the same GPU where it is. Runs in a built checkout, or from the pack of pack.ts on a machine that has nothing.
 *
 *   npx tsx scripts/gpu/check.ts [--device webgpu] [--out gpu.json] [--quick] [--calls 20] [--peer cuda]
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median, ourWorker, peerWorker, print, rounded, type Worker } from '../bench/process.js';
import { append } from '../../src/extremes.js';
import { messageOf } from '../../src/errors.js';
import type { KernelOutcome } from './kernels-worker.js';
import type { NetworkOutcome } from './models-worker.js';

const { values } = parseArgs({
  options: {
    device: { type: 'string', default: 'webgpu' },
    /** Where PyTorch computes. */
    peer: { type: 'string', default: 'cuda' },
    out: { type: 'string', default: 'gpu.json' },
    /** Of each kernel. */
    calls: { type: 'string', default: '20' },
    /** One size, two networks, fewer photographs. */
    quick: { type: 'boolean', default: false },
  },
});
const { device, quick } = values;
const threads = String(availableParallelism());
const sizes = quick ? ['384 512'] : ['384 512', '543 724'];
const networks = quick ? ['resnet50'] : ['resnet50', 'densenet121', 'vgg16'];

const say = (line: string) => process.stderr.write(`${line}\n`);
const gpuScript = (name: string) => fileURLToPath(new URL(`../gpu/${name}`, import.meta.url));

/** Asks one worker for all of its items; one that ends the process is noted, and a new process goes on behind it. */
async function askAll<T>(
  script: string,
  args: string[],
  command: string,
): Promise<(T | { name: string; error: string })[]> {
  const start = async () => {
    const worker = ourWorker(gpuScript(script), args);
    await worker.answer();
    return worker;
  };
  const answers: (T | { name: string; error: string })[] = [];
  let worker = await start();
  const names = (await worker.ask('names 0')) as string[];
  for (const [i, name] of names.entries()) {
    try {
      answers.push((await worker.ask(`${command} ${i}`)) as T);
    } catch (error) {
      answers.push({ name, error: messageOf(error) });
      worker = await start();
    }
  }
  worker.close();
  return answers;
}

async function kernels() {
  const outcomes = await askAll<KernelOutcome>('kernels-worker.ts', [device, values.calls], 'kernel');
  const wrong = outcomes.filter((each) => 'error' in each || each.wrong > 0);
  const calls = outcomes.reduce((sum, each) => sum + ('calls' in each ? each.calls : 0), 0);
  say(`kernels: ${outcomes.length}, ${calls} calls, ${wrong.length} kernels with a wrong one`);
  return { kernels: outcomes.length, calls, wrong };
}

async function gradients() {
  const outcomes = await askAll<NetworkOutcome>('models-worker.ts', [device], 'network');
  for (const each of outcomes) say(`gradients: ${JSON.stringify(each)}`);
  return outcomes;
}

/** Medians of both sides, in turns, and their ratio (ours / PyTorch's: below 1 is faster). */
async function against(what: string, ours: Worker, peer: Worker | undefined, runs: number) {
  const measured: number[][] = [[], []];
  const sides = [ours, ...(peer === undefined ? [] : [peer])];
  for (const side of sides) {
    await side.answer();
    await side.ask('run 2');
  }
  for (let round = 0; round < 3; round++) {
    for (const [i, side] of sides.entries()) {
      const answer = (await side.ask(`run ${runs}`)) as (number | { ms: number })[];
      append(
        measured[i],
        answer.map((time) => (typeof time === 'number' ? time : time.ms)),
      );
    }
  }
  for (const side of sides) await side.end();
  const [ms, peerMs] = [rounded(median(measured[0]), 2), peer === undefined ? null : rounded(median(measured[1]), 2)];
  const ratio = peerMs === null ? null : rounded(ms / peerMs, 2);
  say(`${what}: ${ms} ms, PyTorch on ${values.peer} ${peerMs ?? '-'} ms, ratio ${ratio ?? '-'}`);
  return { what, ours_ms: ms, peer_ms: peerMs, ratio };
}

async function times() {
  const rows = [];
  for (const network of networks) {
    for (const size of sizes) {
      for (const pass of ['forward', 'forward+backward']) {
        const args = [network, pass, ...size.split(' '), threads];
        const peer = peerWorker('worker.py', [...args, values.peer]);
        rows.push(await against(args.slice(0, 4).join(' '), ourWorker('worker.ts', [...args, device]), peer, 4));
      }
    }
  }
  return rows;
}

function update() {
  const args = ['16', '288', '384', threads];
  const peer = peerWorker('update.py', [...args, values.peer]);
  return against('update of 16 triplets, 288 384', ourWorker('update-worker.ts', [...args, device]), peer, 1);
}

async function extraction() {
  const photographs = quick ? 16 : 200;
  const worker = ourWorker(gpuScript('models-worker.ts'), [device]);
  await worker.answer();
  const ms = (await worker.ask(`extract ${photographs}`)) as number;
  worker.close();
  const perSecond = rounded((1000 * photographs) / ms, 2);
  say(`extraction, ResNet-50 at 1,024 px: ${perSecond} photographs/s`);
  return { photographs, per_second: perSecond };
}

/** One line of a command that may not be there. */
function lineOf(command: string, args: string[]): string | null {
  const { stdout, status } = spawnSync(command, args, { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
}

const result: Record<string, unknown> = {
  date: new Date().toISOString().slice(0, 10),
  device,
  gpu: lineOf('nvidia-smi', ['--query-gpu=name,driver_version', '--format=csv,noheader']),
  cores: availableParallelism(),
  node: process.version,
};
let failed = false;
for (const [name, part] of Object.entries({ kernels, gradients, times, update, extraction })) {
  try {
    result[name] = await part();
  } catch (error) {
    failed = true;
    result[name] = { error: messageOf(error) };
    say(`${name}: ${messageOf(error)}`);
  }
  writeFileSync(values.out, `${JSON.stringify(result, null, 1)}\n`); // what there is survives what comes
}
print(result);
process.exit(failed ? 1 : 0);
