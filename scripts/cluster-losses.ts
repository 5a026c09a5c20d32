/**
 * @file Whether training depends on the number of ranks: small ranking, classification and proposals over `mpirun -n 1, 2, 3`, the
 * losses of their updates side by side. Ends with 1 where two differ by more than 1e-5. Needs the built command.
 *
 *   npx tsx scripts/cluster-losses.ts [--steps 50] [--ranks 1,2,3] [--trainers triplet,classify,rpn]
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { writeManifest } from '../src/data/manifest.js';
import { largest } from '../src/extremes.js';
import { readRunLog } from '../src/run/run-log.js';
import { mpirun, withoutMpi } from '../test/support/mpirun.js';
import { temporaryFolder, tinyModelFile } from '../test/train/tiny-run.js';
import { noise } from './bench/process.js';

const { values } = parseArgs({
  options: {
    steps: { type: 'string', default: '50' },
    ranks: { type: 'string', default: '1,2,3' },
    trainers: { type: 'string', default: 'triplet,classify,rpn' },
  },
});
if (withoutMpi !== undefined) throw new Error(withoutMpi);
const tolerance = 1e-5;

const trainers = {
  triplet: ['tripletsPerStep=2', 'poolSize=9', 'remineEvery=8', 'margin=1', 'learningRate=0.0003', 'whitenDimension=8'],
  classify: [
    'batchSize=5',
    'cropSize=32',
    'shortestSideMin=32',
    'shortestSideMax=40',
    'dropout=0.2',
    'learningRate=0.001',
  ],
  rpn: ['imagesPerStep=3', 'channels=8', 'anchorsPerImage=16', 'positivesPerImage=8'],
};

const folder = await temporaryFolder();
const manifest = join(folder, 'manifest.jsonl');
await writeManifest(manifest, await photographs());
const init = await tinyModelFile(folder);

/**
 * Three of each of three landmarks, of noise: no two places are alike, between which the pooling's maximum would change with the rounding, and
 * the loss with it.
 */
async function photographs() {
  const records = [];
  for (let i = 0; i < 9; i++) {
    const [own, shared] = [noise(100 + i), noise(Math.floor(i / 3))];
    const data = Uint8Array.from({ length: 48 * 36 * 3 }, () => 60 * shared() + 195 * own());
    const path = join(folder, `${i}.png`);
    await sharp(data, { raw: { width: 48, height: 36, channels: 3 } })
      .png()
      .toFile(path);
    const box = { x: 4 + i, y: 3, width: 26, height: 22 };
    records.push({ id: `${i}`, path, landmark: `l${Math.floor(i / 3)}`, box });
  }
  return records;
}

async function lossesOf(trainer: keyof typeof trainers, ranks: number): Promise<number[]> {
  const run = join(folder, `${trainer}-${ranks}`);
  const imageSize = trainer === 'classify' ? [] : ['imageSize=48'];
  const set = [`steps=${values.steps}`, ...imageSize, ...trainers[trainer]].flatMap((setting) => ['--set', setting]);
  const args = [
    'train',
    trainer,
    '--manifest',
    manifest,
    '--run',
    run,
    '--init',
    init,
    '--threads',
    '1',
    '--json',
    ...set,
  ];
  const { code, stderr } = await mpirun(ranks, args).ended;
  if (code !== 0) throw new Error(stderr);
  return (await readRunLog(join(run, 'log.jsonl'))).records.flatMap((r) =>
    r.event === 'update' ? [r.loss as number] : [],
  );
}

for (const trainer of values.trainers.split(',') as (keyof typeof trainers)[]) {
  let expected: number[] | undefined;
  for (const ranks of values.ranks.split(',').map(Number)) {
    const losses = await lossesOf(trainer, ranks);
    expected ??= losses;
    const difference =
      losses.length === expected.length ? largest(losses.map((l, i) => Math.abs(l - expected![i]))) : NaN;
    const [first, last] = [losses[0], losses.at(-1)!].map((loss) => loss.toFixed(6));
    console.log(
      `${trainer}, ${ranks} ranks: ${losses.length} updates, loss ${first} to ${last}, difference ${difference}`,
    );
    if (!(difference <= tolerance)) process.exitCode = 1;
  }
}
rmSync(folder, { recursive: true });
