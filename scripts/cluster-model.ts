/**
 * @file What docs/cluster.md says of clusters that were not there: the time of an update, of a whole training and of describing a collection
 * by n machines, from a few measured numbers.
 *
 *   npx tsx scripts/cluster-model.ts [--describe 0.5] [--replay 2.1] [--change 0.5] [--bytes 94e6]
 */
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    /** Seconds per image on one machine: without a tape, and with one. */
    describe: { type: 'string', default: '0.5' },
    replay: { type: 'string', default: '2.1' },
    /** Seconds to change the weights, which every machine does alike. */
    change: { type: 'string', default: '0.5' },
    /** Of the gradient. */
    bytes: { type: 'string', default: '94e6' },
  },
});
const [describe, replay, change, bytes] = [values.describe, values.replay, values.change, values.bytes].map(Number);
const nodes = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const gigabits = [1, 10, 100];
/** Share of a link's rate that a ring reaches, and seconds per message of it. */
const [reached, latency] = [0.8, 50e-6];

const share = (images: number, n: number) => Math.ceil(images / n);
/** A ring sends 2 (n - 1) / n of the buffer in 2 (n - 1) messages. */
const allReduce = (n: number, gbit: number) =>
  n === 1 ? 0 : (2 * (n - 1) * bytes) / n / ((reached * gbit * 1e9) / 8) + 2 * (n - 1) * latency;
/** An update of 64 triplets with 192 images, all of which have a share of the gradient. */
const update = (n: number, gbit: number) => share(192, n) * (describe + replay) + allReduce(n, gbit) + change;
/** The recipe gordo-eccv-resnet50: 2,000 updates, and a pool of 10,000 images described every 16 of them. */
const training = (n: number, gbit: number) =>
  2000 * update(n, gbit) + Math.ceil(2000 / 16) * share(10_000, n) * describe;

const seconds = (s: number) =>
  s < 120
    ? `${s.toPrecision(3)} s`
    : s < 7200
      ? `${(s / 60).toFixed(0)} min`
      : s < 172_800
        ? `${(s / 3600).toFixed(1)} h`
        : `${(s / 86_400).toFixed(1)} d`;
const table = (head: string, of: (n: number, gbit: number) => number) => {
  console.log(`\n| ${head} | ${nodes.join(' | ')} |\n|---${'|---'.repeat(nodes.length)}|`);
  for (const gbit of gigabits)
    console.log(`| ${gbit} Gbit/s | ${nodes.map((n) => seconds(of(n, gbit))).join(' | ')} |`);
};
table('update', update);
table('2,000 updates', training);
console.log(
  `\n1.6 million photographs: ${nodes.map((n) => `${n}: ${seconds(share(1.6e6, n) * describe)}`).join(', ')}`,
);
