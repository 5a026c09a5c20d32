import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { register } from '../../src/commands/train.js';
import { writeManifest } from '../../src/data/manifest.js';
import { readModelFile } from '../../src/data/model-file.js';
import { InputError, UsageError } from '../../src/errors.js';
import { parseSafetensors } from '../../src/models/safetensors.js';
import { stripedPhotographs, temporaryFolder, tinyModelFile } from '../train/tiny-run.js';
import { runCommand } from './run-command.js';

let folder: string;
let manifest: string;
let init: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  manifest = join(folder, 'manifest.jsonl');
  await writeManifest(manifest, await stripedPhotographs(folder));
  init = await tinyModelFile(folder, { whiteningDimension: 8 });
});

const small = [
  'steps=3',
  'batchSize=4',
  'imagesPerPass=2',
  'cropSize=32',
  'shortestSideMin=32',
  'shortestSideMax=40',
  'validationSide=32',
  'dropout=0.2',
  'checkpointEvery=1',
  'validateEvery=1',
].flatMap((setting) => ['--set', setting]);

function argumentsOf(run: string, more: readonly string[]): string[] {
  const resumed = more.includes('--resume') && existsSync(join(run, 'config.yaml'));
  const base = ['train', 'classify', '--manifest', manifest, '--run', run, '--threads', '2', '--json'];
  return [...base, ...(resumed ? [] : [...small, '--init', init]), ...more];
}

async function train(run: string, ...more: string[]): Promise<Record<string, unknown> & { stderr: string }> {
  const { stdout, stderr } = await runCommand(register, ...argumentsOf(run, more));
  return { ...(JSON.parse(stdout) as Record<string, unknown>), stderr };
}

const sameBytes = async (a: string, b: string) => (await readFile(a)).equals(await readFile(b));

const files = ['model', 'classifier', 'best', 'best-classifier'].map((name) => `${name}.safetensors`);

interface LogLine {
  event: string;
  step: number;
  loss?: number;
  top1?: number;
}

const logOf = async (run: string) =>
  (await readFile(join(run, 'log.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as LogLine)
    .map(({ event, step, loss, top1 }) => [event, step, loss, top1]);

describe('rmac train classify', () => {
  test('leaves a descriptor model and a classifier, which other trainers and the next run take', async () => {
    const run = join(await temporaryFolder(), 'run');
    const result = await train(run, '--val', manifest);
    expect(result).toMatchObject({ classes: 3, step: 3, stopped: 'finished', unreadable: 0, top5: 1 });
    expect(result.stderr).toMatch(/whitening was learned .* left out/);
    const left = (await readdir(run)).filter((name) => !name.startsWith('events.out.tfevents.'));
    expect(left.sort()).toEqual([...files, 'checkpoints', 'config.yaml', 'log.jsonl', 'start.json'].sort());
    expect(await readdir(run)).toHaveLength(left.length + 1);
    const { meta, weights } = await readModelFile(join(run, 'best.safetensors'));
    expect(meta.whitening).toBeUndefined();
    expect([...weights.keys()].filter((name) => name.startsWith('classifier'))).toEqual([]);
    const head = parseSafetensors(await readFile(join(run, 'classifier.safetensors')), 'classifier');
    expect(JSON.parse(head.metadata['rmac-classifier'])).toEqual({
      head: 'pooled',
      classes: ['l0', 'l1', 'l2'],
      dropout: 0.2,
    });
    expect(head.tensors.get('classifier/classes/kernel')!.shape[1]).toBe(3);

    expect(await train(run, '--resume')).toMatchObject({ step: 3, stopped: 'finished' });
    await expect(train(run)).rejects.toThrow(/--resume/);
    const next = join(run, '..', 'next');
    await train(
      next,
      '--init',
      join(run, 'best.safetensors'),
      '--classifier',
      join(run, 'best-classifier.safetensors'),
    );
    expect(existsSync(join(next, 'model.safetensors'))).toBe(true);
    const triplets = ['train', 'triplet', '--manifest', manifest, '--run', join(run, '..', 'triplets')];
    const settings = ['steps=1', 'tripletsPerStep=1', 'imageSize=48'].flatMap((setting) => ['--set', setting]);
    const best = join(run, 'best.safetensors');
    await runCommand(register, ...triplets, '--init', best, '--threads', '2', '--json', ...settings);
  });

  test('--seeds trains a classifier per seed as if alone and gives mean and deviation of top-1', async () => {
    const base = await temporaryFolder();
    const [alone, several] = [join(base, 'alone'), join(base, 'several')];
    await train(alone, '--val', manifest, '--seed', '3');
    const result = await train(several, '--val', manifest, '--seed', '2', '--seeds', '2');
    expect(result).toMatchObject({ finished: 2, seeds: [{ seed: 2 }, { seed: 3 }] });
    for (const file of files) expect(await sameBytes(join(several, 'seed-3', file), join(alone, file))).toBe(true);
    const [a, b] = result.seeds as { top1: number }[];
    expect((result.top1 as { mean: number }).mean).toBeCloseTo((a.top1 + b.top1) / 2, 12);
  });

  test('killed with SIGKILL wherever it is, and resumed each time, it ends with the same bytes', async () => {
    const base = await temporaryFolder();
    const whole = join(base, 'whole');
    const killed = join(base, 'killed');
    await train(whole, '--val', manifest);
    // Lines of the log after which to kill, and the milliseconds more: what it is doing then is anything.
    const kills = [
      [1, 0],
      [2, 15],
      [4, 3],
      [5, 30],
    ];
    for (const [lines, more] of kills) await runUntil(killed, lines, more);
    expect(await train(killed, '--resume', '--val', manifest)).toMatchObject({ step: 3, stopped: 'finished' });
    for (const file of files) expect(await sameBytes(join(whole, file), join(killed, file)), file).toBe(true);
    expect(await logOf(killed)).toEqual(await logOf(whole));
  });

  test('killed between the files of the last state, --resume writes them', async () => {
    const run = join(await temporaryFolder(), 'run');
    await train(run);
    const before = join(run, 'checkpoints', 'step-000002');
    for (const file of files.slice(0, 2)) await cp(join(before, file), join(run, file));
    const log = join(run, 'log.jsonl');
    await writeFile(log, (await readFile(log, 'utf8')).replace(/.*"event":"stop".*\n/, ''));
    await train(run, '--resume');
    const last = join(run, 'checkpoints', 'step-000003');
    for (const file of files.slice(0, 2)) expect(await sameBytes(join(run, file), join(last, file)), file).toBe(true);
  });

  test('killed before its first checkpoint, it begins again from the same model and head', async () => {
    const base = await temporaryFolder();
    const one = ['--set', 'steps=1'];
    await train(join(base, 'first'), ...one);
    const classifier = join(base, 'first', 'classifier.safetensors');
    const [whole, killed] = [join(base, 'whole'), join(base, 'killed')];
    await train(whole, ...one, '--classifier', classifier);
    await train(killed, ...one, '--classifier', classifier);
    // What a kill in the first update leaves of it.
    for (const left of ['checkpoints', ...files, 'log.jsonl'])
      await rm(join(killed, left), { recursive: true, force: true });
    await train(killed, '--resume');
    for (const file of files.slice(0, 2))
      expect(await sameBytes(join(whole, file), join(killed, file)), file).toBe(true);
  });

  test('--max-hours stops with a checkpoint, --dry-run writes nothing', async () => {
    const run = join(await temporaryFolder(), 'run');
    expect(await train(run, '--max-hours', '1e-9')).toMatchObject({ step: 0, stopped: 'out of time' });
    expect(await train(run, '--resume')).toMatchObject({ step: 3, stopped: 'finished' });
    await rm(run, { recursive: true });
    const estimate = await train(run, '--dry-run', '--val', manifest);
    expect(estimate).toMatchObject({ images: 9, classes: 3, smallestClass: 3, largestClass: 3, head: 'pooled' });
    for (const key of ['trainedParameters', 'headParameters', 'memoryBytes', 'msPerUpdate', 'etaSeconds']) {
      expect(estimate[key], key).toBeGreaterThan(0);
    }
    expect(existsSync(run)).toBe(false);
  });

  test('errors name the setting, the class or the file', async () => {
    const run = join(await temporaryFolder(), 'run');
    const fails = async (kind: typeof InputError | typeof UsageError, pattern: RegExp, ...args: string[]) => {
      const error: unknown = await train(run, ...args).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(kind);
      expect((error as Error).message).toMatch(pattern);
    };
    await fails(UsageError, /"lr".*"learningRate"/, '--set', 'lr=1');
    await fails(UsageError, /"dropout".*auto or a number/, '--set', 'dropout=1');
    await fails(UsageError, /shortestSideMin 20 is below cropSize 32/, '--set', 'shortestSideMin=20');
    await fails(UsageError, /shortestSideMin 32 exceeds shortestSideMax 30/, '--set', 'shortestSideMax=30');
    await fails(UsageError, /Unknown stage "block9".*stage1/, '--set', 'freeze=block9');
    await fails(UsageError, /head: fc needs a network with fully connected layers/, '--set', 'head=fc');
    const records = await stripedPhotographs(folder, { landmarks: 4 });
    const other = join(folder, 'other.jsonl');
    await writeManifest(other, records, { overwrite: true });
    await fails(InputError, /other\.jsonl has a landmark that the training does not have: l3;/, '--val', other);
    const lone = join(folder, 'lone.jsonl');
    await writeManifest(lone, records.slice(0, 3), { overwrite: true });
    await fails(InputError, /only "l0" \(3 images\)/, '--manifest', lone);
    await fails(InputError, /is no classifier/, '--classifier', init);
    await train(run);
    const classifier = join(run, 'classifier.safetensors');
    const again = [...argumentsOf(`${run}2`, ['--classifier', classifier])];
    again[again.indexOf(manifest)] = other;
    await expect(runCommand(register, ...again)).rejects.toThrow(/classifier of 3 classes, .* has 4: it lacks l3/);
    expect(existsSync(`${run}2`)).toBe(false);
    await expect(train(run, '--resume', '--set', 'batchSize=5')).rejects.toThrow(/batchSize was 4 when .* began/);
  });
});

/** Starts or resumes the run in a process of its own, and kills it when its log has grown to so many lines, and some ms. */
async function runUntil(run: string, lines: number, more: number): Promise<void> {
  const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
  const args = argumentsOf(run, ['--resume', '--val', manifest]);
  const child = spawn(process.execPath, ['--import', 'tsx', cli, ...args], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const log = join(run, 'log.jsonl');
  while (child.exitCode === null) {
    const length = existsSync(log) ? (await readFile(log, 'utf8')).split('\n').length - 1 : 0;
    if (length >= lines) break;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await new Promise((resolve) => setTimeout(resolve, more));
  child.kill('SIGKILL');
  await ended;
}
