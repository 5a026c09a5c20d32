/**
 * @file `npm run bench:engine`: the engine against PyTorch on the CPU, same networks, shapes and threads, in turns in one
 * run, so that a drift of the machine meets both; forward also against the rate at which the engine multiplies two 2048x2048 matrices.
 * Prints medians, the spread and ratios (ours / peer: below 1 is faster).
 *
 * `--quick`: two minutes, fewer runs, of one image only, without the product. `--full`: the larger size too, and forward against
 * tfjs's WebAssembly backend. No case is begun later than `--minutes` (4 with `--quick`, 30 with `--full`, otherwise 8): those left
 * out are named.
 *
 *   npm run bench:engine -- [--json] [--full] [--quick] [--minutes=N] [--only='resnet50 forward']
 */
import { availableParallelism } from 'node:os';
import { median, ourWorker, peerWorker, print, rounded, type Worker } from './process.js';
import { append, largest, smallest } from '../../src/extremes.js';

const quick = process.argv.includes('--quick');
const full = process.argv.includes('--full');
const [rounds, runsPerRound] = quick ? [4, 1] : [4, 3];

const networks = ['resnet50', 'densenet121', 'vgg16', 'mobilenet-v2'] as const;
/** Of eight images at once the peer takes one after the other, which it is quicker with. */
const passes = ['forward', 'forward+backward', ...(quick ? [] : ['forward+backward of 8'])];
/** Height and width; the second takes three times as long as the first and is measured with `--full` only. */
const sizes = full
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
  peer: 'pytorch-cpu' | 'tfjs-wasm';
  ours_ms: number;
  peer_ms: number | null;
  ratio: number | null;
  ours_range_ms: [number, number];
  peer_range_ms: [number, number] | null;
  ours_peak_mb: number;
  peer_peak_mb: number | null;
  /** Forward only: GFLOPS of the network's convolutions, of a large matrix product in the same rounds, and their quotient. */
  gflops?: number;
  product_gflops?: number;
  of_product?: number;
}

const json = process.argv.includes('--json');
const option = (name: string) => process.argv.find((argument) => argument.startsWith(`--${name}=`))?.split('=')[1];
const only = option('only');
const minutes = Number(option('minutes') ?? (quick ? 4 : full ? 30 : 8));
const threads = availableParallelism();

const tenth = (value: number) => rounded(value, 1);
const thousandth = (value: number) => rounded(value, 3);
const range = (values: readonly number[]): [number, number] => [tenth(smallest(values)), tenth(largest(values))];
const productFlops = 2 * 2048 ** 3;

/** One side: how to start it, and how often it runs in a round. */
interface Side {
  peer: Entry['peer'] | 'ours';
  worker: Worker;
  runsPerRound: number;
  times: number[];
  peakMB: number;
}

async function measure([network, pass, height, width]: (typeof cases)[number]): Promise<Entry[]> {
  const args = [network, pass, String(height), String(width), String(threads)];
  const side = (peer: Side['peer'], worker: Worker, perRound = runsPerRound): Side => ({
    peer,
    worker,
    runsPerRound: perRound,
    times: [],
    peakMB: 0,
  });
  const sides = [
    side('ours', ourWorker('worker.ts', args), pass.endsWith('of 8') ? Math.ceil(runsPerRound / 4) : runsPerRound),
  ];
  const pytorch = peerWorker('worker.py', args);
  if (pytorch !== undefined) sides.push(side('pytorch-cpu', pytorch));
  // It takes seconds a run, and has no gradients of convolutions.
  if (pass === 'forward' && full) sides.push(side('tfjs-wasm', ourWorker('worker.ts', [...args, 'wasm']), 1));
  for (const { worker, runsPerRound: perRound } of sides) {
    await worker.answer();
    await worker.ask(`run ${Math.max(4, perRound + 2)}`); // warm-up: compiling, weights brought into order
  }
  const [ours] = sides as [Side];
  // In a process of its own: products and the profile that counts operations need memory that describing does not.
  const counter = pass === 'forward' && !quick ? ourWorker('worker.ts', args) : undefined;
  await counter?.answer();
  const products: number[] = [];
  for (let round = 0; round < rounds; round++) {
    if (counter !== undefined) append(products, (await counter.ask('product 2')) as number[]);
    for (const { worker, times, runsPerRound: perRound } of sides) {
      append(times, (await worker.ask(`run ${perRound}`)) as number[]);
    }
  }
  const flops = counter === undefined ? 0 : ((await counter.ask('flops')) as number);
  counter?.close();
  for (const each of sides) each.peakMB = Math.round(((await each.worker.end()) as { peakMB: number }).peakMB);
  const oursMs = median(ours.times);
  const [gflops, productGflops] = [flops / oursMs / 1e6, productFlops / median(products) / 1e6];
  const entry = (peer: Entry['peer'], other: Side | undefined): Entry => ({
    network,
    pass,
    shape: `1x3x${height}x${width}`,
    peer,
    ours_ms: tenth(oursMs),
    peer_ms: other ? tenth(median(other.times)) : null,
    ratio: other ? thousandth(oursMs / median(other.times)) : null,
    ours_range_ms: range(ours.times),
    peer_range_ms: other ? range(other.times) : null,
    ours_peak_mb: ours.peakMB,
    peer_peak_mb: other ? other.peakMB : null,
    ...(counter !== undefined && {
      gflops: Math.round(gflops),
      product_gflops: Math.round(productGflops),
      of_product: thousandth(gflops / productGflops),
    }),
  });
  const others = sides.slice(1).map((other) => entry(other.peer as Entry['peer'], other));
  return pytorch === undefined ? [entry('pytorch-cpu', undefined), ...others] : others;
}

const entries: Entry[] = [];
const startedAt = performance.now();
for (const item of cases) {
  if (only !== undefined && !`${item[0]} ${item[1]}`.startsWith(only)) continue;
  if (performance.now() - startedAt > 60_000 * minutes) {
    process.stderr.write(`${item.join(' ')}: left out, ${minutes} minutes have passed\n`);
    continue;
  }
  const measured = await measure(item);
  append(entries, measured);
  const [first] = measured as [Entry];
  const against = measured
    .filter(({ peer_ms }) => peer_ms !== null)
    .map((each) => `  ${each.peer} ${each.peer_ms} ms [${each.peer_range_ms?.join('-')}] ratio ${each.ratio}`);
  const rate =
    first.of_product === undefined
      ? ''
      : `  ${first.gflops} of ${first.product_gflops} GFLOPS of a matrix product: ${first.of_product}`;
  process.stderr.write(
    `${first.network} ${first.pass} ${first.shape}: ${first.ours_ms} ms [${first.ours_range_ms.join('-')}]${against.join('')}${rate}  peak ${first.ours_peak_mb} MB (${first.peer_peak_mb} MB)\n`,
  );
}
if (json) print(entries);
