import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { register as registerExport } from '../../src/commands/export.js';
import { register as registerTrain } from '../../src/commands/train.js';
import { writeManifest } from '../../src/data/manifest.js';
import { readModelFile } from '../../src/data/model-file.js';
import { stripedPhotographs, temporaryFolder, tinyModelFile } from '../train/tiny-run.js';
import { runCommand } from './run-command.js';

let folder: string;
let manifest: string;
let proposing: string;

async function train(kind: 'rpn' | 'triplet', run: string, init: string, settings: readonly string[]) {
  const set = settings.flatMap((setting) => ['--set', setting]);
  const args = ['train', kind, '--manifest', manifest, '--run', run, '--init', init, '--threads', '2', '--json'];
  const { stdout } = await runCommand(registerTrain, ...args, ...set);
  return JSON.parse(stdout) as Record<string, unknown>;
}

const ranking = ['steps=2', 'tripletsPerStep=2', 'imageSize=48', 'poolSize=9', 'margin=1', 'checkpointEvery=1'];

beforeAll(async () => {
  folder = await temporaryFolder();
  const records = await stripedPhotographs(folder);
  manifest = join(folder, 'manifest.jsonl');
  const box = { x: 5, y: 4, width: 24, height: 20 };
  await writeManifest(
    manifest,
    records.map((record) => ({ ...record, box })),
  );
  const init = await tinyModelFile(folder, { whiteningDimension: 8 });
  const settings = ['steps=2', 'imageSize=48', 'channels=8', 'anchorsPerImage=16', 'positivesPerImage=8'];
  const { model } = await train('rpn', join(folder, 'rpn'), init, settings);
  proposing = model as string;
});

test('triplets through proposals: the model says what it pools, and weight 0 leaves the proposals as they were', async () => {
  const run = join(folder, 'through');
  const result = await train('triplet', run, proposing, [...ranking, 'regions=rpn:4']);
  expect(result).toMatchObject({ step: 2, stopped: 'finished' });
  const [before, after] = await Promise.all([proposing, join(run, 'model.safetensors')].map(readModelFile));
  expect(after.meta.regions).toEqual({ grid: false, proposals: 4 });
  const head = [...before.weights.keys()].filter((name) => name.startsWith('rpn/'));
  expect(head.length).toBeGreaterThan(0);
  for (const name of head) expect(after.weights.get(name)!.data).toEqual(before.weights.get(name)!.data);
  const trunk = [...before.weights.keys()].filter((name) => !name.startsWith('rpn/') && name.endsWith('/kernel'));
  expect(trunk.some((name) => !sameValues(after.weights.get(name)!.data, before.weights.get(name)!.data))).toBe(true);
});

test('joint training moves the proposals and logs their loss beside the ranking', async () => {
  const run = join(folder, 'joint');
  await train('triplet', run, proposing, [...ranking, 'regions=grid+rpn:4', 'rpnWeight=1']);
  const [before, after] = await Promise.all([proposing, join(run, 'model.safetensors')].map(readModelFile));
  const kernel = 'rpn/conv/kernel';
  expect(sameValues(after.weights.get(kernel)!.data, before.weights.get(kernel)!.data)).toBe(false);
  const updates = (await readFile(join(run, 'log.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { event: string; proposalLoss?: number })
    .filter(({ event }) => event === 'update');
  expect(updates).toHaveLength(2);
  for (const { proposalLoss } of updates) expect(proposalLoss).toBeGreaterThan(0);
});

test('the ONNX file of a model with proposals gives its descriptors on photographs', async () => {
  const out = join(folder, 'exported');
  const flags = ['--model', proposing, '--out', out, '--images', folder, '--json'];
  const own = ['--regions', 'rpn:4', '--sizes', '48x32,48x48'];
  const exported = await runCommand(registerExport, 'export', 'descriptor-model', ...own, ...flags);
  const { verified } = JSON.parse(exported.stdout) as { verified: { ok: boolean; pictures: number }[] };
  expect(verified).toMatchObject([
    { ok: true, pictures: 9 },
    { ok: true, pictures: 9 },
  ]);
  const again = await runCommand(registerExport, 'export', 'verify', ...flags);
  expect((JSON.parse(again.stdout) as { verified: { ok: boolean }[] }).verified.every(({ ok }) => ok)).toBe(true);
  const other = join(folder, 'through', 'model.safetensors'); // other weights under the same file
  await expect(
    runCommand(registerExport, 'export', 'verify', '--model', other, '--out', out, '--images', folder),
  ).rejects.toThrow(/differ from the model/);
});

test('proposals of a model that has none are refused before anything is written', async () => {
  const bare = await tinyModelFile(folder, { whiteningDimension: 8 });
  const run = join(folder, 'bare');
  await expect(train('triplet', run, bare, [...ranking, 'regions=rpn:4'])).rejects.toThrow(/no region proposals/);
  expect(existsSync(join(run, 'model.safetensors'))).toBe(false);
  const out = join(folder, 'bare-onnx');
  const flags = ['--model', bare, '--regions', 'rpn:4', '--out', out];
  await expect(runCommand(registerExport, 'export', 'descriptor-model', ...flags)).rejects.toThrow(
    /no region proposals/,
  );
  expect(existsSync(out)).toBe(false);
});

function sameValues(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  return a.length === b.length && Array.from(a).every((value, i) => value === b[i]);
}
