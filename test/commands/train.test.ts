import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile, cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { register } from '../../src/commands/train.js';
import { spreadOf } from '../../src/stages/train-seeds.js';
import { writeManifest } from '../../src/data/manifest.js';
import { readModelFile } from '../../src/data/model-file.js';
import { InputError, UsageError } from '../../src/errors.js';
import { readRun } from '../../src/report/run-report.js';
import { RunFolder } from '../../src/run/run-folder.js';
import { hasTensorboard, readTensorboard } from '../support/tensorboard.js';
import { stripedPhotographs, temporaryFolder, tinyModelFile } from '../train/tiny-run.js';

let folder: string;
let manifest: string;
let init: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  const records = await stripedPhotographs(folder, { landmarks: 3, photos: 3 });
  manifest = join(folder, 'manifest.jsonl');
  await writeManifest(manifest, records);
  init = await tinyModelFile(folder);
});

beforeEach(() => {
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});

const small = [
  'steps=3',
  'tripletsPerStep=2',
  'imageSize=48',
  'poolSize=9',
  'remineEvery=2',
  'margin=1',
  'checkpointEvery=1',
];

interface Result {
  best: { map: number };
  [key: string]: unknown;
}

interface LogLine {
  event: string;
  step: number;
  map: number;
  loss: number;
  msPerStep: number;
  rssBytes: number;
  numTensors: number;
  manifest?: string;
  hardest: { query: string; positive: string; negative: string; loss: number }[];
}

/** Runs `rmac train triplet ... --json`; returns its one object. */
async function train(run: string, ...more: string[]): Promise<Result> {
  const lines: string[] = [];
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((text) => lines.push(String(text)) > 0);
  try {
    const program = new Command('rmac').exitOverride();
    register(program);
    const settings = more.includes('--resume')
      ? []
      : [...small.flatMap((setting) => ['--set', setting]), '--init', init];
    const args = [
      'train',
      'triplet',
      '--manifest',
      manifest,
      '--run',
      run,
      '--threads',
      '2',
      '--json',
      ...settings,
      ...more,
    ];
    await program.parseAsync(args, { from: 'user' });
  } finally {
    stdout.mockRestore();
    process.removeAllListeners('SIGINT');
  }
  expect(lines).toHaveLength(1);
  return JSON.parse(lines[0]) as Result;
}

// Buffers are compared by their own method: the matcher takes seconds for megabytes.
const sameBytes = async (a: string, b: string) => (await readFile(a)).equals(await readFile(b));

const logOf = async (run: string) =>
  (await readFile(join(run, 'log.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as LogLine);

/** The log without its last record. */
const dropLast = async (run: string) => {
  const log = await logOf(run);
  await writeFile(
    join(run, 'log.jsonl'),
    log
      .slice(0, -1)
      .map((line) => `${JSON.stringify(line)}\n`)
      .join(''),
  );
};

describe('rmac train triplet', () => {
  test('leaves a whole run folder, and resuming it exits well without training', async () => {
    const run = join(await temporaryFolder(), 'run');
    const result = await train(
      run,
      '--val',
      manifest,
      '--set',
      'whitenDimension=8',
      '--set',
      'keepCheckpoints=2',
      '--seed',
      '5',
    );
    expect(result).toMatchObject({ run, step: 3, steps: 3, stopped: 'finished', unreadable: 0 });
    const eventFile = expect.stringMatching(/^events\.out\.tfevents\.\d+\.rmac$/) as string;
    expect((await readdir(run)).sort()).toEqual([
      'best.safetensors',
      'checkpoints',
      'config.yaml',
      eventFile,
      'log.jsonl',
      'model.safetensors',
      'start.json',
    ]);
    expect((await readdir(join(run, 'checkpoints'))).sort()).toEqual(['step-000002', 'step-000003']);
    expect(parse(await readFile(join(run, 'config.yaml'), 'utf8'))).toMatchObject({
      steps: 3,
      seed: 5,
      whitenDimension: 8,
    });

    const { meta } = await readModelFile(join(run, 'model.safetensors'));
    expect(meta).toMatchObject({ imageSize: 48, whitening: { dimension: 8 } });
    const log = await logOf(run);
    expect(log[0]).toMatchObject({ event: 'start', step: 0, seed: 5, versions: { node: process.version } });
    expect(resolve(run, log[0].manifest as string)).toBe(manifest);
    const measured = log.filter(({ event }) => event === 'measure');
    expect(measured.map(({ step }) => step)).toEqual([0, 3]);
    // before training is the model as it was given; the first measurement has the whitening
    const asGiven = await train(join(run, '..', 'given'), '--val', manifest, '--set', 'steps=1', '--seed', '5');
    expect(result).toMatchObject({ firstMap: asGiven.firstMap, whitenedMap: measured[0].map, map: measured[1].map });
    expect(log[1]).toMatchObject({ event: 'whitening', step: 0, dimension: 8, mapAsGiven: asGiven.firstMap });
    expect(await readRun(new RunFolder(run))).toMatchObject({
      first: asGiven.firstMap,
      whitened: { dimension: 8, value: measured[0].map },
    });
    expect(result.best.map).toBe(Math.max(measured[0].map, measured[1].map));
    for (const { hardest } of log.filter(({ event }) => event === 'mine')) {
      expect(hardest.length).toBeGreaterThan(0);
      const losses = hardest.map(({ loss }) => loss);
      expect(losses).toEqual(losses.toSorted((a, b) => b - a));
      expect(new Set(hardest.map(({ query }) => query)).size).toBe(hardest.length);
      for (const { query, positive, negative } of hardest) {
        expect(positive).not.toBe(query);
        expect(positive.slice(0, 2)).toBe(query.slice(0, 2)); // ids are landmark/photograph
        expect(negative.slice(0, 2)).not.toBe(query.slice(0, 2));
      }
    }
    for (const { loss, msPerStep, rssBytes, numTensors } of log.filter(({ event }) => event === 'update')) {
      for (const value of [loss, msPerStep, rssBytes, numTensors]) expect(value).toBeGreaterThan(0);
    }

    await cp(join(run, 'model.safetensors'), join(run, '..', 'before.safetensors'));
    expect(await train(run, '--val', manifest, '--resume')).toMatchObject({ step: 3, stopped: 'finished' });
    expect(await sameBytes(join(run, 'model.safetensors'), join(run, '..', 'before.safetensors'))).toBe(true);
    await expect(train(run)).rejects.toThrow(InputError);
    await expect(train(run)).rejects.toThrow(/--resume/);
  });

  test('killed after a checkpoint and resumed, it ends with the same bytes and one log', async () => {
    const base = await temporaryFolder();
    const whole = join(base, 'whole');
    await train(whole, '--set', 'keepCheckpoints=9');
    // What a kill in the third update leaves: the state after two, a log that is ahead and cut, a half-written checkpoint.
    const killed = join(base, 'killed');
    await cp(whole, killed, { recursive: true });
    await rm(join(killed, 'checkpoints', 'step-000003'), { recursive: true });
    await writeFile(join(killed, 'model.safetensors'), 'half');
    await appendFile(join(killed, 'log.jsonl'), '{"event":"upd');
    await train(killed, '--resume');
    expect(await sameBytes(join(killed, 'model.safetensors'), join(whole, 'model.safetensors'))).toBe(true);
    const steps = (log: LogLine[]) => log.map(({ event, step, loss }) => [event, step, loss]);
    expect(steps(await logOf(killed))).toEqual(steps(await logOf(whole)));
  });

  test.skipIf(!hasTensorboard)('TensorBoard shows numbers, weights and mined triplets, across a resume', async () => {
    const run = join(await temporaryFolder(), 'run');
    await train(run, '--val', manifest);
    await train(run, '--val', manifest, '--resume', '--set', 'steps=4');
    const log = await logOf(run);
    const { scalars, histograms, images } = readTensorboard(run);
    const steps = (tag: string) => scalars[tag].map(([step]) => step);
    for (const name of ['loss', 'active', 'hardestSimilarity', 'learningRate', 'gradientNorm', 'imagesPerSecond']) {
      expect(steps(`train/${name}`), name).toEqual([1, 2, 3, 4]);
    }
    const measured = log.filter(({ event }) => event === 'measure');
    expect(scalars['validation/map']).toEqual(measured.map(({ step, map }) => [step, Math.fround(map)]));
    expect(steps('train/weightNorm')).toEqual([0, 1, 2, 3, 4]);
    const kernels = Object.keys(histograms);
    expect(kernels.length).toBeGreaterThan(0);
    for (const tag of kernels) expect(tag).toMatch(/^weights\/.*kernel$/);
    expect(histograms[kernels[0]].map(([step]) => step)).toEqual([0, 1, 2, 3, 4]);
    const mined = log.filter(({ event }) => event === 'mine').map(({ step }) => step);
    expect(images['mining/hardest'].map(([step]) => step)).toEqual(mined);
    expect(images['mining/places'].map(([step]) => step)).toEqual(mined);
  });

  test('killed between the last checkpoint and model.safetensors, --resume writes that model', async () => {
    const run = join(await temporaryFolder(), 'run');
    await train(run);
    const last = join(run, 'checkpoints', 'step-000003', 'model.safetensors');
    await cp(join(run, 'checkpoints', 'step-000002', 'model.safetensors'), join(run, 'model.safetensors'));
    await dropLast(run);
    expect(await train(run, '--resume')).toMatchObject({ step: 3, stopped: 'finished' });
    expect(await sameBytes(join(run, 'model.safetensors'), last)).toBe(true);
  });

  test('killed before its first checkpoint, it begins again from the same start, or says which file it misses', async () => {
    const base = await temporaryFolder();
    const own = join(base, 'own.safetensors');
    await cp(init, own);
    const start = ['--set', 'steps=1', '--set', 'whitenDimension=8', '--init', own];
    const [whole, killed] = [join(base, 'whole'), join(base, 'killed')];
    await train(whole, ...start);
    await killAtStart(killed, start);
    expect(JSON.parse(await readFile(join(killed, 'start.json'), 'utf8'))).toMatchObject({
      init: { file: '../own.safetensors', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string },
    });
    const begun = join(base, 'begun');
    await cp(killed, begun, { recursive: true });
    expect(await train(killed, '--resume')).toMatchObject({ step: 1, stopped: 'finished' });
    expect(await sameBytes(join(killed, 'model.safetensors'), join(whole, 'model.safetensors'))).toBe(true);

    await appendFile(own, 'x');
    await expect(train(begun, '--resume')).rejects.toThrow(
      /began from .*own\.safetensors \(sha256 .*changed.*--init FILE/,
    );
    await rm(own);
    await expect(train(begun, '--resume')).rejects.toThrow(/own\.safetensors \(.*is missing; name .* --init FILE/);
    expect(existsSync(join(begun, 'checkpoints'))).toBe(false);
    // Nothing is computed yet, so the command line decides.
    expect(await train(begun, '--resume', '--init', init, '--set', 'margin=0.7')).toMatchObject({ step: 1 });
    expect(parse(await readFile(join(begun, 'config.yaml'), 'utf8'))).toMatchObject({
      margin: 0.7,
      whitenDimension: 8,
    });

    await rm(join(begun, 'checkpoints'), { recursive: true });
    await rm(join(begun, 'start.json'));
    await expect(train(begun, '--resume')).rejects.toThrow(/does not say which model it began from.*--init FILE/);
  });

  test('a run from the trunk of the package says so, and begins from it again', async () => {
    const run = join(await temporaryFolder(), 'run');
    const settings = small.flatMap((setting) => ['--set', setting]);
    await train(run, '--resume', ...settings, '--set', 'steps=1'); // of an empty folder: begins the run, here without --init
    expect(JSON.parse(await readFile(join(run, 'start.json'), 'utf8'))).toEqual({
      init: { sha256: expect.anything() as string },
    });
    await rm(join(run, 'checkpoints'), { recursive: true });
    await cp(join(run, 'model.safetensors'), join(run, '..', 'before.safetensors'));
    await train(run, '--resume');
    expect(await sameBytes(join(run, 'model.safetensors'), join(run, '..', 'before.safetensors'))).toBe(true);
  });

  test('Ctrl-C saves a checkpoint, ends well, and --resume goes on from it', async () => {
    const run = join(await temporaryFolder(), 'run');
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      if (String(text).startsWith('update 1/')) process.emit('SIGINT');
      return true;
    });
    const stopped = await train(run, '--set', 'checkpointEvery=100');
    expect(stopped).toMatchObject({ step: 1, stopped: 'interrupted' });
    expect(await readdir(join(run, 'checkpoints'))).toContain('step-000001');
    expect(await train(run, '--resume')).toMatchObject({ step: 3, stopped: 'finished' });
    const updates = (await logOf(run)).filter(({ event }) => event === 'update').map(({ step }) => step);
    expect(updates).toEqual([1, 2, 3]);
  });

  test('--max-hours stops with a checkpoint; --resume of a folder without a run begins one', async () => {
    const run = join(await temporaryFolder(), 'run');
    // 1e-9 hours are over before the first update.
    const settings = small.flatMap((setting) => ['--set', setting]);
    const stopped = await train(run, '--max-hours', '1e-9', '--resume', '--init', init, ...settings);
    expect(stopped).toMatchObject({ step: 0, stopped: 'out of time' });
    expect(existsSync(join(run, 'model.safetensors'))).toBe(true);
    expect(await train(run, '--resume')).toMatchObject({ step: 3, stopped: 'finished' });
  });

  test('--dry-run measures and writes nothing, of photographs beside the folder of their list too', async () => {
    const run = join(await temporaryFolder(), 'run');
    await mkdir(join(folder, 'lists'), { recursive: true });
    const apart = join(folder, 'lists/apart.jsonl');
    await writeFile(apart, (await readFile(manifest, 'utf8')).replaceAll('"path":"', '"path":"../'));
    for (const lists of [
      ['--manifest', apart],
      ['--val', apart],
    ]) {
      await expect(train(run, '--dry-run', ...lists)).rejects.toThrow(/apart.jsonl:1: .* leads out .*--image-root/);
    }
    const result = await train(run, '--dry-run', '--manifest', apart, '--val', apart, '--image-root', folder);
    // Nine images: every query has 2 positives and 6 negatives.
    expect(result).toMatchObject({ images: 9, landmarks: 3, landmarksWithOnePhoto: 0, possibleTriplets: 9 * 2 * 6 });
    for (const key of ['memoryBytes', 'msPerUpdate', 'msPerMining', 'etaSeconds', 'trainedParameters']) {
      expect(result[key], key).toBeGreaterThan(0);
    }
    // beside the passes: changing the weights, four states stored (at 0, 1, 2 and 3 updates), graphs of each image shape
    const { optimizeMs, saveMs, compileMs, shapes, msPerUpdate, msPerMining, etaSeconds } = result as Record<
      string,
      number
    >;
    expect(shapes).toBe(2);
    expect(1000 * etaSeconds).toBeGreaterThanOrEqual(3 * msPerUpdate + 2 * msPerMining + 4 * saveMs + 2 * compileMs);
    expect(msPerUpdate).toBeGreaterThan(optimizeMs);
    expect(existsSync(run)).toBe(false);
  });

  test('usage errors name the setting, the stage or the flag', async () => {
    const run = join(await temporaryFolder(), 'run');
    const fails = async (pattern: RegExp, ...args: string[]) => {
      const error: unknown = await train(run, ...args).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(UsageError);
      expect((error as Error).message).toMatch(pattern);
    };
    await fails(/"lr".*"learningRate"/, '--set', 'lr=1');
    await fails(/"steps".*expected a whole number.*"x"/, '--set', 'steps=x');
    await fails(/--max-hours/, '--max-hours', '0');
    await fails(/Unknown stage "block9".*stage1/, '--set', 'freeze=block9');
    await fails(/nothing of .* is left to train/, '--set', 'freeze=all');
    await fails(/whitenDimension 999.*256/, '--set', 'whitenDimension=999');
    await fails(/Unknown recipe/, '--config', 'no-such-recipe');
    expect(existsSync(run)).toBe(false);
  });

  test('--resume refuses settings that would change what is computed, and a foreign manifest', async () => {
    const run = join(await temporaryFolder(), 'run');
    await train(run);
    await expect(train(run, '--resume', '--set', 'margin=0.3')).rejects.toThrow(/margin was 1 when .* began/);
    expect(await train(run, '--resume', '--set', 'steps=4')).toMatchObject({ step: 4, steps: 4 });
    const other = join(folder, 'other.jsonl');
    await writeManifest(
      other,
      (await stripedPhotographs(folder)).map((record) => ({ ...record, id: `x-${record.id}` })),
    );
    await expect(train(run, '--resume', '--set', 'steps=5', '--manifest', other)).rejects.toThrow(
      /image "l\d\/p\d", which the manifest lacks/,
    );
  });

  test('--seeds: a run per seed as if alone, mean and deviation; Ctrl-C stops all, and --resume needs no setting again', async () => {
    const base = await temporaryFolder();
    const [alone, several] = [join(base, 'alone'), join(base, 'several')];
    const settings = ['--val', manifest, '--set', 'steps=2', '--set', 'augmentation.flip=true'];
    await train(alone, ...settings, '--seed', '6');
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      if (String(text).startsWith('update 1/')) process.emit('SIGINT');
      return true;
    });
    const stopped = await train(several, ...settings, '--seed', '5', '--seeds', '2');
    expect(stopped).toMatchObject({ finished: 0, map: { mean: null, std: null } });
    expect(stopped.seeds).toMatchObject([
      { seed: 5, step: 1, stopped: 'interrupted' },
      { seed: 6, step: 0 },
    ]);
    vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    await expect(train(several, '--seeds', '2')).rejects.toThrow(/holds a run per seed \(seed-5\)/);
    await expect(train(several)).rejects.toThrow(/holds a run per seed/);
    const result = await train(several, '--val', manifest, '--resume');
    expect(await sameBytes(join(several, 'seed-6', 'model.safetensors'), join(alone, 'model.safetensors'))).toBe(true);
    expect(await sameBytes(join(several, 'seed-5', 'model.safetensors'), join(alone, 'model.safetensors'))).toBe(false);
    const [a, b] = result.seeds as { seed: number; map: number; best: { map: number } }[];
    expect([a.seed, b.seed]).toEqual([5, 6]);
    const logged = (await logOf(alone)).filter(({ event }) => event === 'measure').at(-1);
    expect(b.map).toBe(logged?.map);
    expect(result).toMatchObject({ run: several, finished: 2 });
    // Of two values the sample deviation is |a - b| / sqrt(2).
    const { mean, std } = (result as unknown as { map: { mean: number; std: number } }).map;
    expect(mean).toBeCloseTo((a.map + b.map) / 2, 12);
    expect(std).toBeCloseTo(Math.abs(a.map - b.map) / Math.SQRT2, 12);
    expect((result.best as unknown as { map: { mean: number } }).map.mean).toBeCloseTo(
      (a.best.map + b.best.map) / 2,
      12,
    );
    await expect(train(several, '--resume', '--seed', '9')).rejects.toThrow(/begin with the seed 5/);
    const more = await train(several, '--val', manifest, '--resume', '--seeds', '3');
    expect(more.seeds).toMatchObject([{ seed: 5 }, { seed: 6 }, { seed: 7, step: 2, stopped: 'finished' }]);
  });
});

/** Begins a run in a process of its own and kills it before its first checkpoint. */
async function killAtStart(run: string, more: readonly string[]): Promise<void> {
  const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
  const settings = small.flatMap((setting) => ['--set', setting]);
  const args = ['train', 'triplet', '--manifest', manifest, '--run', run, '--threads', '2', ...settings, ...more];
  const child = spawn(process.execPath, ['--import', 'tsx', cli, ...args], { stdio: 'ignore' });
  const ended = new Promise((resolved) => child.once('exit', resolved));
  while (child.exitCode === null && !existsSync(join(run, 'config.yaml'))) {
    await new Promise((resolved) => setTimeout(resolved, 2));
  }
  child.kill('SIGKILL');
  await ended;
  expect(existsSync(join(run, 'config.yaml'))).toBe(true);
  // On a slow machine the kill may come late.
  for (const left of ['checkpoints', 'model.safetensors']) await rm(join(run, left), { recursive: true, force: true });
}

test('spreadOf: mean and sample deviation', () => {
  // 2, 4, 9: mean 5, squares 9 + 1 + 16 = 26, 26 / 2 = 13
  expect(spreadOf([2, 4, 9])).toEqual({ mean: 5, std: Math.sqrt(13) });
  expect(spreadOf([3])).toEqual({ mean: 3, std: null });
  expect(spreadOf([])).toEqual({ mean: null, std: null });
});
