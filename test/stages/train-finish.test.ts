import { cp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { writeManifest } from '../../src/data/manifest.js';
import { readModelFile } from '../../src/data/model-file.js';
import { UsageError } from '../../src/errors.js';
import { readRun, runReport } from '../../src/report/run-report.js';
import { RunFolder } from '../../src/run/run-folder.js';
import { silentView } from '../../src/stages/context.js';
import { trainClassify } from '../../src/stages/train-classify.js';
import type { TrainResult } from '../../src/stages/train-run.js';
import { estimateTriplet, trainTriplet } from '../../src/stages/train-triplet.js';
import { averageModels } from '../../src/stages/weights-average.js';
import { stripedPhotographs, temporaryFolder, tinyModelFile } from '../train/tiny-run.js';

let folder: string;
let manifest: string;
let init: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  manifest = join(folder, 'manifest.jsonl');
  await writeManifest(manifest, await stripedPhotographs(folder, { landmarks: 5, photos: 3, sidePx: 36 }));
  init = await tinyModelFile(folder);
});

const small = ['steps=2', 'tripletsPerStep=2', 'imageSize=32', 'poolSize=9', 'margin=1', 'checkpointEvery=1'];
const options = (run: string, ...set: string[]) => ({
  manifest,
  init,
  run: join(folder, run),
  threads: 2,
  set: [...small, ...set],
});
const train = async (run: string, ...set: string[]) => (await trainTriplet(options(run, ...set))) as TrainResult;
const logOf = async (run: string) =>
  (await readFile(join(folder, run, 'log.jsonl'), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const sameBytes = async (a: string, b: string) => (await readFile(a)).equals(await readFile(b));

describe('the end of a training run', () => {
  test('a given share of the start is what `weights average` makes of the last state', async () => {
    const { finished, model } = await train('share', 'averageWithStart=0.25');
    expect(finished).toEqual({ share: 0.25, shares: [], dimension: 0, warnings: [] });
    const last = join(folder, 'share', 'checkpoints', 'step-000002', 'model.safetensors');
    const out = join(folder, 'expected.safetensors');
    await averageModels({ models: [last, init], shares: [0.75, 0.25], out });
    expect(await sameBytes(model, out)).toBe(true);
    expect(await sameBytes(model, last)).toBe(false);
  });

  test('auto measures five shares on landmarks held back, which are never trained on, and keeps the best', async () => {
    const lines: string[] = [];
    const set = ['averageWithStart=auto', 'holdBack=0.4', 'learningRate=3', 'finalImageSize=48'];
    const result = (await trainTriplet(
      { ...options('auto', ...set), val: manifest },
      { view: { ...silentView, note: (line) => lines.push(line) } },
    )) as TrainResult;
    const { shares, share, map, dimension } = result.finished!;
    expect(shares.map((each) => each.share)).toEqual([0, 0.25, 0.5, 0.75, 1]);
    expect(new Set(shares.map((each) => each.map)).size, 'weights differ, so maps do').toBeGreaterThan(1);
    const best = Math.max(...shares.map((each) => each.map));
    expect(share).toBe(shares.find((each) => each.map === best)!.share);
    expect([dimension, typeof map]).toEqual([0, 'number']);
    expect(lines.join('\n')).toMatch(/25 % of the start: mAP 0\.\d{4} on 2 landmarks held back/);
    const { meta } = await readModelFile(result.model);
    expect(meta).toMatchObject({ imageSize: 48 });

    const log = await logOf('auto');
    const mined = log.filter(({ event }) => event === 'mine') as unknown as { images: number; hardest: object[] }[];
    expect(mined[0].images, 'three of five landmarks').toBe(9);
    expect(log.slice(-6).map(({ event }) => event)).toEqual([...Array<string>(5).fill('share'), 'finish']);

    const run = await readRun(new RunFolder(result.run));
    expect(run).toMatchObject({ stopped: 'finished', finish: { shares, share, map, dimension: 0 } });
    const page = await runReport(run, { title: 'run' });
    for (const each of shares) expect(page).toContain(each.map.toFixed(4));
  });

  test('stopped while it chooses, it has the last state as its model, and goes on behind the shares in the log to the same bytes', async () => {
    const run = join(folder, 'stopped');
    await cp(join(folder, 'auto'), run, { recursive: true });
    const log = await logOf('auto');
    const kept = log.slice(0, -5).map((record) => JSON.stringify(record)); // one share is measured
    await writeFile(join(run, 'log.jsonl'), `${kept.join('\n')}\n{"event":"sha`);
    const resumed = async (abort = new AbortController(), notes: string[] = []) => {
      const note = (line: string) => {
        if (!line.includes('of the start: ')) return;
        notes.push(line.split(' ', 1)[0]);
        abort.abort();
      };
      const on = { manifest, run, threads: 2, val: manifest, resume: true };
      const signal = notes.length === 0 ? abort.signal : undefined;
      return { result: (await trainTriplet(on, { view: { ...silentView, note }, signal })) as TrainResult, notes };
    };
    const first = await resumed();
    expect(first.notes).toEqual(['25']);
    expect(first.result).toMatchObject({ step: 2, stopped: 'interrupted' });
    expect(first.result.finished).toBeUndefined();
    const last = join(run, 'checkpoints', 'step-000002', 'model.safetensors');
    expect(await sameBytes(first.result.model, last)).toBe(true);

    const second = await resumed(undefined, ['25']);
    expect(second.notes).toEqual(['25', '50', '75', '100']);
    expect(second.result).toMatchObject({ stopped: 'finished', finished: { shares: log.at(-1)!.shares } });
    expect(await sameBytes(second.result.model, join(folder, 'auto', 'model.safetensors'))).toBe(true);
  });

  test('classification first: its images are those of the ranking, and the start is that of both', async () => {
    const set = ['averageWithStart=1', 'classify.steps=1', 'classify.cropSize=32', 'classify.shortestSideMin=32'];
    const { model, classify } = await train(
      'both',
      ...set,
      'classify.shortestSideMax=32',
      'classify.validationSide=32',
    );
    expect(classify).toMatchObject({ classes: 5, stopped: 'finished' });
    const [made, start] = [await readModelFile(model), await readModelFile(init)];
    const kernel = (stored: typeof made) => [...stored.weights.values()][0].data;
    expect(kernel(made)).toEqual(kernel(start));
    const held = ['averageWithStart=auto', 'holdBack=0.4', ...set.slice(1), 'classify.shortestSideMax=32'];
    const dry = await estimateTriplet(options('none', ...held, 'classify.validationSide=32'));
    expect(dry.classify).toMatchObject({ images: 9, classes: 3, finishMs: 0 });
    expect(dry.ranking!.finishMs).toBeGreaterThan(0);
  });

  test('a classification ends so, too', async () => {
    const set = ['steps=1', 'cropSize=32', 'shortestSideMin=32', 'shortestSideMax=32', 'validationSide=32'];
    const finish = ['averageWithStart=0.5', 'finalWhitenDimension=4', 'finalImageSize=32'];
    const { finished, model, classes } = (await trainClassify({
      manifest,
      init,
      run: join(folder, 'classes'),
      threads: 2,
      set: [...set, ...finish],
    })) as TrainResult;
    expect(classes).toBe(5);
    expect(finished).toMatchObject({ share: 0.5, shares: [], dimension: 4 });
    expect((await readModelFile(model)).meta).toMatchObject({ whitening: { dimension: 4 }, imageSize: 32 });
  });

  test.each([
    ['the last weights', []],
    ['their average', ['averageDecay=0.5', 'whitenDimension=4']],
    ['the average with the start, whitened', ['averageWithStart=auto', 'holdBack=0.4', 'finalWhitenDimension=4']],
  ])('finished with %s, a resumed run says so and does nothing; more updates go on', async (name, set) => {
    const run = join(folder, name);
    const filesOf = async () => {
      const names = (await readdir(run, { recursive: true, withFileTypes: true })).filter((file) => file.isFile());
      const paths = names.map((file) => join(file.parentPath, file.name)).toSorted();
      return Promise.all(paths.map(async (path) => [path, (await stat(path)).mtimeMs]));
    };
    const result = (await trainTriplet({ ...options(name, ...set), val: manifest })) as TrainResult;
    const files = await filesOf();
    const notes: string[] = [];
    const view = { ...silentView, note: (line: string) => notes.push(line) };
    const on = { manifest, run, threads: 2, resume: true };
    expect(await trainTriplet(on, { view })).toEqual({ ...result, seconds: expect.any(Number) as number });
    expect(notes).toEqual([`${run} is finished; nothing is left to do.`]);
    expect(await filesOf()).toEqual(files);

    expect(await trainTriplet({ ...on, set: ['steps=3'] })).toMatchObject({ step: 3, stopped: 'finished' });
    const ends = (await logOf(name)).filter(({ event }) => event === 'stop' || event === 'finish');
    expect(ends.map(({ step }) => step)).toEqual(result.finished === undefined ? [3] : [3, 3]);
  });

  test('killed while it was made again, the model is made again', async () => {
    const [before, run] = ['share', 'again'].map((name) => join(folder, name));
    await cp(before, run, { recursive: true });
    const on = { manifest, run, threads: 2, resume: true };
    await trainTriplet({ ...on, set: ['steps=9'] }, { signal: AbortSignal.abort() });
    const log = (await logOf('again')).slice(0, -1); // killed, it does not say that it stopped
    await writeFile(join(run, 'log.jsonl'), log.map((record) => `${JSON.stringify(record)}\n`).join(''));
    expect(await sameBytes(join(run, 'model.safetensors'), join(before, 'model.safetensors'))).toBe(false);
    expect(await trainTriplet({ ...on, set: ['steps=2'] })).toMatchObject({ finished: { share: 0.25 } });
    expect(await sameBytes(join(run, 'model.safetensors'), join(before, 'model.safetensors'))).toBe(true);
  });

  test('finalWhitenPower is in the finished model, and in no state before', async () => {
    await train('rooted', 'finalWhitenDimension=8', 'finalWhitenPower=0.5');
    const model = join(folder, 'rooted', 'model.safetensors');
    const checkpoint = join(folder, 'rooted', 'checkpoints', 'step-000002', 'model.safetensors');
    expect((await readModelFile(model)).meta.pooling.power).toBe(0.5);
    expect((await readModelFile(checkpoint)).meta.pooling.power).toBeUndefined();
    // Trained further it keeps it, unless another one is said.
    for (const [name, power, ...set] of [
      ['kept', 0.5],
      ['dropped', undefined, 'finalWhitenPower=1'],
    ] as const) {
      const more = options(name, 'finalWhitenDimension=8', ...set);
      await trainTriplet({ ...more, init: model });
      expect((await readModelFile(join(more.run, 'model.safetensors'))).meta.pooling.power).toBe(power);
    }
  });

  test('settings that do not fit are said before anything is trained', async () => {
    const fails = async (pattern: RegExp, ...set: string[]) => {
      const error: unknown = await train('none', ...set).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(UsageError);
      expect((error as Error).message).toMatch(pattern);
    };
    await fails(/finalWhitenDimension/, 'averageWithStart=0.5', 'whitenDimension=4');
    await fails(/finalWhitenDimension 999 exceeds the 256 channels/, 'finalWhitenDimension=999');
    await fails(/averageWithStart.*auto or a number/, 'averageWithStart=2');
    await fails(/finalWhitenPower.*0 or a number of at least 0.1/, 'finalWhitenPower=0.05');
    await fails(/positives: photograph .*views/, 'positives=photograph');
    await fails(/classify.*averageWithStart/, 'classify.averageWithStart=0.5');
  });
});
