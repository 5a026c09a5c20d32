/** @file A training small enough for tests over MPI. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeManifest } from '../../src/data/manifest.js';
import { readRunLog } from '../../src/run/run-log.js';
import { stripedPhotographs, temporaryFolder, tinyModelFile } from '../train/tiny-run.js';

/** A folder, and what its runs have in common. One of ten photographs cannot be read. */
export async function smallJob(): Promise<{ folder: string; common: string[] }> {
  const folder = await temporaryFolder();
  const manifest = join(folder, 'manifest.jsonl');
  const records = await stripedPhotographs(folder);
  const broken = join(folder, 'broken.png');
  await writeFile(broken, 'no image');
  await writeManifest(manifest, [...records, { id: 'l1/broken', path: broken, landmark: 'l1' }]);
  const init = await tinyModelFile(folder, { whiteningDimension: 8 });
  const settings = [
    'tripletsPerStep=3',
    'imageSize=48',
    'poolSize=10',
    'remineEvery=4',
    'margin=1',
    'learningRate=0.01',
  ];
  const set = settings.flatMap((setting) => ['--set', setting]);
  const common = ['train', 'triplet', '--manifest', manifest, '--init', init, '--threads', '1', '--json', ...set];
  return { folder, common };
}

export function upTo(steps: number, checkpointEvery = 100): string[] {
  return ['--set', `steps=${steps}`, '--set', `checkpointEvery=${checkpointEvery}`];
}

export async function lossesOf(run: string): Promise<number[]> {
  return (await readRunLog(join(run, 'log.jsonl'))).records.flatMap((r) =>
    r.event === 'update' ? [r.loss as number] : [],
  );
}
