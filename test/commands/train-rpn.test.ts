import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { register } from '../../src/commands/train.js';
import { writeManifest } from '../../src/data/manifest.js';
import { readModelFile } from '../../src/data/model-file.js';
import { InputError, UsageError } from '../../src/errors.js';
import { stripedPhotographs, temporaryFolder, tinyModelFile } from '../train/tiny-run.js';
import { runCommand } from './run-command.js';

let folder: string;
let manifest: string;
let init: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  const records = await stripedPhotographs(folder);
  manifest = join(folder, 'manifest.jsonl');
  const box = { x: 5, y: 4, width: 24, height: 20 };
  await writeManifest(
    manifest,
    records.map((record, i) => (i < 2 ? record : { ...record, box })),
  );
  init = await tinyModelFile(folder, { whiteningDimension: 8 });
});

const small = [
  'steps=3',
  'imageSize=48',
  'channels=8',
  'anchorsPerImage=16',
  'positivesPerImage=8',
  'checkpointEvery=1',
];

async function train(run: string, ...more: string[]) {
  const settings = more.includes('--resume') ? [] : [...small.flatMap((key) => ['--set', key]), '--init', init];
  const args = ['train', 'rpn', '--manifest', manifest, '--run', run, '--threads', '2', '--json', ...settings, ...more];
  const { stdout, stderr } = await runCommand(register, ...args);
  return { result: JSON.parse(stdout) as Record<string, unknown>, stderr };
}

test('leaves the model it began with, whole, with proposals; resuming continues it', async () => {
  const run = join(await temporaryFolder(), 'run');
  const { result, stderr } = await train(run, '--val', manifest, '--seed', '5', '--max-hours', '1');
  expect(result).toMatchObject({ run, step: 3, steps: 3, stopped: 'finished', unreadable: 0, withoutBox: 2 });
  expect(stderr).toContain('2 of 9 records have no box');
  expect((await readdir(run)).sort()).toEqual([
    'best.safetensors',
    'checkpoints',
    'config.yaml',
    expect.stringMatching(/^events\.out\.tfevents\./),
    'log.jsonl',
    'model.safetensors',
    'start.json',
  ]);
  const [before, after] = [await readModelFile(init), await readModelFile(join(run, 'model.safetensors'))];
  const { rpn, ...rest } = after.meta;
  expect(rest).toEqual({ ...before.meta, imageSize: 48 });
  expect(rpn).toMatchObject({ channels: 8, anchors: { base: 16, ratios: [0.5, 1, 2], clip: true } });
  for (const [name, { data }] of before.weights) {
    expect(Buffer.from(after.weights.get(name)!.data.buffer).equals(Buffer.from(data.buffer)), name).toBe(true);
  }
  expect(after.weights.size).toBe(before.weights.size + 6);
  const measured = (await readFile(join(run, 'log.jsonl'), 'utf8'))
    .split('\n')
    .filter((line) => line.includes('recall70'));
  expect(measured).toHaveLength(2);

  const straight = join(await temporaryFolder(), 'run');
  await train(straight, '--seed', '5', '--set', 'steps=5', '--set', 'learningRateDecay=constant');
  const parts = join(await temporaryFolder(), 'run');
  await train(parts, '--seed', '5', '--set', 'learningRateDecay=constant');
  const again = await train(parts, '--resume', '--set', 'steps=5');
  expect(again.result).toMatchObject({ step: 5, stopped: 'finished' });
  const bytes = (path: string) => readFile(join(path, 'model.safetensors'));
  expect((await bytes(parts)).equals(await bytes(straight))).toBe(true);
});

test('--init with the same proposals continues them, with others replaces them', async () => {
  const parent = await temporaryFolder();
  await train(join(parent, 'first'));
  const file = join(parent, 'first', 'model.safetensors');
  const same = await train(join(parent, 'same'), '--init', file, '--set', 'learningRate=1e-12');
  expect(same.stderr).toContain('goes on from the proposals it has');
  const kernel = async (run: string) =>
    (await readModelFile(join(parent, run, 'model.safetensors'))).weights.get('rpn/conv/kernel')!.data;
  const [a, b] = [await kernel('first'), await kernel('same')];
  expect(Math.max(...a.map((value, i) => Math.abs(value - b[i])))).toBeLessThan(1e-6);
  const other = await train(join(parent, 'other'), '--init', file, '--set', 'channels=6');
  expect(other.stderr).toContain('are replaced');
  expect((await readModelFile(join(parent, 'other', 'model.safetensors'))).meta.rpn!.channels).toBe(6);
});

test('--seeds trains a head per seed as if alone and gives mean and deviation of average recall', async () => {
  const base = await temporaryFolder();
  const [alone, several] = [join(base, 'alone'), join(base, 'several')];
  await train(alone, '--val', manifest, '--seed', '3');
  const { result } = await train(several, '--val', manifest, '--seed', '2', '--seeds', '2');
  expect(result).toMatchObject({ finished: 2, seeds: [{ seed: 2 }, { seed: 3 }] });
  const bytes = (path: string) => readFile(join(path, 'model.safetensors'));
  expect((await bytes(join(several, 'seed-3'))).equals(await bytes(alone))).toBe(true);
  const [a, b] = result.seeds as { recall: number }[];
  expect((result.recall as { mean: number }).mean).toBeCloseTo((a.recall + b.recall) / 2, 12);
});

test('--dry-run measures and writes nothing', async () => {
  const run = join(await temporaryFolder(), 'run');
  const { result } = await train(run, '--dry-run');
  expect(result).toMatchObject({ images: 7, withoutBox: 2 });
  expect(result.etaSeconds).toBeGreaterThan(0);
  await expect(readdir(run)).rejects.toThrow('ENOENT');
});

test('bad input is one clear line', async () => {
  const run = join(folder, 'never');
  const bare = join(folder, 'bare.jsonl');
  await writeFile(bare, '{"id":"a","path":"l0-p0.png","landmark":"a"}\n');
  await expect(train(run, '--manifest', bare)).rejects.toThrow(InputError);
  await expect(train(run, '--manifest', bare)).rejects.toThrow('has a "box"');
  await expect(train(run, '--set', 'border=keep')).rejects.toThrow('one of clip, drop');
  await expect(train(run, '--set', 'anchorShares=[]')).rejects.toThrow('a list of 1 to 32 numbers above 0');
  await expect(train(run, '--set', 'negativeOverlap=0.8')).rejects.toThrow(UsageError);
  await expect(readdir(run)).rejects.toThrow('ENOENT');
});
