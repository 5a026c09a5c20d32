import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { beforeAll, expect, test, vi } from 'vitest';
import { register } from '../../src/commands/train.js';
import { resolveConfig } from '../../src/config.js';
import { writeManifest } from '../../src/data/manifest.js';
import { UsageError } from '../../src/errors.js';
import { classifyConfigSchema } from '../../src/train/classify/classify-config.js';
import { finishKeys } from '../../src/train/finish-config.js';
import { tripletConfigSchema } from '../../src/train/ranking/triplet-config.js';
import { stripedPhotographs, temporaryFolder, tinyModelFile } from '../train/tiny-run.js';

let manifest: string;
let init: string;

beforeAll(async () => {
  const folder = await temporaryFolder();
  manifest = join(folder, 'manifest.jsonl');
  await writeManifest(manifest, await stripedPhotographs(folder));
  init = await tinyModelFile(folder);
});

const classify = [
  'steps=2',
  'batchSize=4',
  'imagesPerPass=4',
  'cropSize=32',
  'shortestSideMin=32',
  'shortestSideMax=40',
];
const ranking = ['steps=2', 'tripletsPerStep=2', 'imageSize=48', 'poolSize=9', 'margin=1', 'seed=4'];
const settings = (keys: readonly string[]) => keys.flatMap((key) => ['--set', key]);
const inClassify = (keys: readonly string[]) => keys.map((key) => `classify.${key}`);
const validationSide = 'validationSide=32';
const both = () => [...settings([...inClassify([...classify, validationSide]), ...ranking]), '--init', init];

/** Runs a trainer; Ctrl-C is pressed when what it said matches. */
async function train(trainer: string, run: string, more: readonly string[], ctrlC?: RegExp) {
  let said = '';
  let waiting = ctrlC;
  const lines: string[] = [];
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => lines.push(String(text)) > 0),
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      said += String(text);
      if (waiting?.test(said)) {
        waiting = undefined;
        process.emit('SIGINT');
      }
      return true;
    }),
  ];
  try {
    const program = new Command('rmac').exitOverride();
    register(program);
    const args = ['train', trainer, '--manifest', manifest, '--run', run, '--threads', '2', '--json', ...more];
    await program.parseAsync(args, { from: 'user' });
    return JSON.parse(lines.join('')) as Record<string, unknown>;
  } finally {
    for (const spy of spies) spy.mockRestore();
    process.removeAllListeners('SIGINT');
  }
}

const model = (run: string) => readFile(join(run, 'model.safetensors'));

test('classification and ranking in one run are the two runs one after the other, interrupted in either or not', async () => {
  const base = await temporaryFolder();
  const [classes, ranked, run] = ['classes', 'ranked', 'both'].map((name) => join(base, name));
  await train('classify', classes, [...settings([...classify, validationSide, 'seed=4']), '--init', init]);
  await train('triplet', ranked, [...settings(ranking), '--init', join(classes, 'model.safetensors')]);

  expect(await train('triplet', run, both(), /update 1\/2/)).toMatchObject({
    step: 1,
    stopped: 'interrupted',
    classes: 3,
  });
  expect(existsSync(join(run, 'checkpoints'))).toBe(false);
  const again = await train('triplet', run, ['--resume'], /Then the ranking[^]*update 1\/2/);
  expect(again).toMatchObject({ run, step: 1, stopped: 'interrupted', classify: { step: 2, stopped: 'finished' } });
  expect(await train('triplet', run, ['--resume', '--val', manifest])).toMatchObject({
    run,
    step: 2,
    stopped: 'finished',
  });
  expect((await model(join(run, 'classify'))).equals(await model(classes))).toBe(true);
  expect((await model(run)).equals(await model(ranked))).toBe(true);
  await expect(train('triplet', run, ['--resume', '--set', 'classify.steps=3'])).rejects.toThrow(
    /classify was .* began/,
  );
});

test('single pictures: photographs are generated in both parts, after an interruption the same', async () => {
  const base = await temporaryFolder();
  const single = join(base, 'single.jsonl');
  const pictures = await stripedPhotographs(base, { photos: 1 });
  await writeManifest(single, pictures);
  const few = [...inClassify([...classify, validationSide, 'head=cosine', 'views.perImage=2']), ...ranking];
  const given = ['--manifest', single, '--init', init];
  const settled = [...given, ...settings([...few, 'views={perImage: 3, tilt: 30}'])];
  const [whole, stopped] = ['whole', 'stopped'].map((name) => join(base, name));
  expect(await train('triplet', whole, settled)).toMatchObject({ step: 2, stopped: 'finished' });
  await train('triplet', stopped, settled, /Then the ranking[^]*update 1\/2/);
  expect(await train('triplet', stopped, ['--manifest', single, '--resume'])).toMatchObject({ stopped: 'finished' });
  expect((await model(stopped)).equals(await model(whole))).toBe(true);
  const { landmarks, landmarksWithOnePhoto } = (
    (await train('triplet', join(base, 'dry'), [...settled, '--dry-run'])) as { ranking: Record<string, number> }
  ).ranking;
  expect([landmarks, landmarksWithOnePhoto]).toEqual([3, 0]);
  await expect(train('triplet', join(base, 'none'), [...given, ...settings(few)])).rejects.toThrow(
    'Settings of "views" generate them from single pictures.',
  );
});

test('positives: photograph trains without labels: wrong ones change nothing', async () => {
  const base = await temporaryFolder();
  const pictures = await stripedPhotographs(base, { photos: 2 });
  const [given, wrong] = ['given', 'wrong'].map((name) => join(base, `${name}.jsonl`));
  await writeManifest(given, pictures);
  await writeManifest(
    wrong,
    pictures.map((picture, i) => ({ ...picture, landmark: `other ${(i * 5) % 3}`, group: picture.landmark })),
  );
  const set = settings([...ranking, 'positives=photograph', 'views={perImage: 2}']);
  const models: Buffer[] = [];
  for (const file of [given, wrong]) {
    const run = file.slice(0, -'.jsonl'.length);
    expect(await train('triplet', run, ['--manifest', file, '--init', init, ...set])).toMatchObject({ step: 2 });
    models.push(await model(run));
  }
  expect(models[0].equals(models[1])).toBe(true);
});

test('--dry-run says the cost of both; a wrong setting of either is an error before the first begins', async () => {
  const run = join(await temporaryFolder(), 'run');
  const estimate = await train('triplet', run, [...both(), '--dry-run']);
  const { etaSeconds, classify: first, ranking: second } = estimate as Record<string, { etaSeconds: number }>;
  expect(first).toMatchObject({ classes: 3, head: 'pooled' });
  expect(second).toMatchObject({ landmarks: 3, possibleTriplets: 108 });
  expect(etaSeconds).toBeCloseTo(first.etaSeconds + second.etaSeconds, 9);
  const fails = (setting: string, message: RegExp) =>
    expect(train('triplet', run, [...both(), '--set', setting])).rejects.toThrow(message);
  await fails('classify.lr=1', /"classify\.lr".*"classify\.learningRate"/);
  await fails('classify.seed=1', /Unknown config key "classify\.seed"/);
  await fails('classify.cropSize=64', /below cropSize 64/);
  await fails('freeze=block9', /Unknown stage "block9"/);
  await expect(train('triplet', run, [...both(), '--set', 'classify.steps=0'])).rejects.toBeInstanceOf(UsageError);
  expect(existsSync(run)).toBe(false);
});

test('the recipe small-classify-triplet is small-classify and half of small-triplet, without whitening', async () => {
  const { classify: first, ...second } = await resolveConfig(tripletConfigSchema, { recipe: 'small-classify-triplet' });
  const { seed, ...alone } = await resolveConfig(classifyConfigSchema, { recipe: 'small-classify' });
  // What is done at the end is the ranking's.
  const own = Object.entries(alone).filter(([key]) => !(key in finishKeys));
  expect(first).toEqual(Object.fromEntries(own));
  const set = ['steps=40', 'whitenDimension=0'];
  expect({ ...second, seed }).toEqual(await resolveConfig(tripletConfigSchema, { recipe: 'small-triplet', set }));
});
