import '../support/engine.js';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { register } from '../../src/commands/demo.js';
import { register as registerEvaluate } from '../../src/commands/evaluate.js';
import { readManifest } from '../../src/data/manifest.js';
import { synthesizeLandmarks } from '../../src/synthetic/dataset.js';
import { resultJson } from '../../src/demo/demo-result.js';
import { splitForDemo } from '../../src/demo/own-photographs.js';
import { InputError, UsageError } from '../../src/errors.js';
import { readGroundTruth } from '../../src/retrieval/ground-truth.js';
import type { StageView } from '../../src/stages/context.js';
import { demo as runDemo, type DemoOptions } from '../../src/stages/demo.js';
import { runCommand } from './run-command.js';
import { makeSmallSet } from './small-set.js';

let init: string;
beforeAll(async () => {
  init = (await makeSmallSet()).model;
});

const newFolder = () => join(mkdtempSync(join(tmpdir(), 'rmac-demo-')), 'demo');

/** Everything of the pipeline, as little of it as there can be. */
const tiny = {
  seed: 1,
  generate: { landmarks: 4, photos: 6, noise: 0.2, size: 224 },
  set: [
    'steps=3',
    'imageSize=64',
    'tripletsPerStep=2',
    'poolSize=12',
    'remineEvery=2',
    'validateEvery=2',
    'checkpointEvery=1',
    'whitenDimension=16',
    'classify={"steps":2,"batchSize":4,"cropSize":64,"shortestSideMin":64,"shortestSideMax":80,"validationSide":64}',
  ],
} satisfies Partial<DemoOptions>;

function recordingView(): StageView & { lines: string[]; stages: string[] } {
  const view = {
    lines: [] as string[],
    stages: [] as string[],
    note: (line: string) => void (line.startsWith('[') ? view.stages : view.lines).push(line.trim()),
    progress: () => ({ update: () => undefined, stop: () => undefined }),
  };
  return view;
}

const demo = (
  out: string,
  { signal, ...options }: Partial<DemoOptions> & { signal?: AbortSignal } = {},
  view: StageView = recordingView(),
) => runDemo({ out, init, ...tiny, ...options }, { signal, view });

describe('demo', () => {
  const out = newFolder();
  let result: Awaited<ReturnType<typeof runDemo>>;
  const view = recordingView();
  beforeAll(async () => {
    result = await demo(out, {}, view);
  });

  test('eight numbered stages', () => {
    expect(view.stages.map((title) => title.slice(0, 6))).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((n) => `[${n}/8] `));
    expect(view.stages.slice(2, 6).map((title) => title.slice(6))).toEqual([
      expect.stringMatching(/^Off the shelf: .* as it is$/),
      'Fine-tuning by classification of 3 landmarks: 2 updates',
      'Whitening, learned from the regions of the training photographs',
      'Fine-tuning by ranking: 3 updates by the triplet loss',
    ]);
  });

  test('its figures are those of rmac evaluate on the files it leaves', async () => {
    const evaluate = async (model: string, ...more: string[]) => {
      const argv = ['--protocol', 'groundtruth', '--groundtruth', join(out, 'photographs/groundtruth.json')];
      const sizing = ['--size', '64', '--json'];
      const { stdout } = await runCommand(registerEvaluate, 'evaluate', ...argv, '--model', model, ...sizing, ...more);
      return (JSON.parse(stdout) as { map: number }).map;
    };
    expect(result.offTheShelf.map).toBeCloseTo(await evaluate(init), 6);
    expect(result.classified?.map).toBeCloseTo(await evaluate(join(out, 'run/classify/model.safetensors')), 6);
    expect(result.whitened?.map).toBeCloseTo(await evaluate(join(out, 'whitened.safetensors')), 6);
    const last = join(out, 'run/model.safetensors');
    expect(result.fineTuned.map).toBeCloseTo(await evaluate(last), 6);
    expect(result.expanded.map).toBeCloseTo(await evaluate(last, '--dba', 'gordo:5', '--qe', 'aqe:3'), 6);
  });

  test('the ranking starts from the classified and whitened network and is measured at the start, on the way and after the last update', () => {
    const read = (file: string) => readFileSync(join(out, file), 'utf8');
    expect(read('run/start.json')).toContain('whitened.safetensors');
    expect(readFileSync(join(out, 'run/classify/model.safetensors')).equals(readFileSync(init))).toBe(false);
    const log = read('run/log.jsonl').trim().split('\n');
    const records = log.map((line) => JSON.parse(line) as { event: string; step: number });
    const steps = (of: string) => records.filter(({ event }) => event === of).map(({ step }) => step);
    expect(steps('measure')).toEqual([0, 2, 3]);
    expect(steps('update')).toEqual([1, 2, 3]);
  });

  test('training sees none of the test landmarks', async () => {
    const train = await readManifest(join(out, 'cleaned/clean.jsonl'));
    const { queries } = await readGroundTruth(join(out, 'photographs/groundtruth.json'));
    const trained = new Set(train.map(({ landmark }) => landmark));
    expect(queries.length).toBeGreaterThan(0);
    expect(queries.filter(({ landmark }) => trained.has(landmark ?? ''))).toEqual([]);
    expect(result.testKind).toBe(
      `${queries.length} queries about 1 landmarks never trained on, in ${result.fineTuned.databaseSize} images.`,
    );
  });

  test('the export agrees with the model, at both orientations', () => {
    expect(result.exported.files.map(({ file }) => file)).toEqual(['descriptor-64x48.onnx', 'descriptor-48x64.onnx']);
    expect(result.verified.every(({ ok }) => ok)).toBe(true);
    expect(result.exported.output.dimension).toBe(16);
  });

  test('the report is one page with the figures, its curves, rankings in pictures and no link to elsewhere', () => {
    const html = readFileSync(result.report, 'utf8');
    expect(html).toContain(`<td>${result.fineTuned.map.toFixed(3)}</td>`);
    expect(html.match(/<polyline/g)).toHaveLength(3);
    expect(html.match(/<figure class="query">/g)).toHaveLength(8); // four queries, before and after
    // It opens with a sentence, a query before and after, and the table.
    expect(html).toMatch(/<\/h1>\n<section><p>The first photograph found is right for \d+ % /);
    expect(html.split('<h2>', 1)[0].match(/<figure class="query">|<table>/g)).toHaveLength(3);
    expect(html).toMatch(/<figure class="positive"><img src="data:image\/jpeg/);
    expect(html).not.toMatch(/https?:/);
  });

  test('the JSON has the figures that scripts read', () => {
    expect(resultJson(result, 61.4)).toMatchObject({
      offTheShelf: { map: result.offTheShelf.map },
      classified: { map: result.classified?.map },
      whitened: { map: result.whitened?.map },
      expanded: { map: result.expanded.map, dba: 'gordo:5', qe: 'aqe:3' },
      fineTuned: { map: result.fineTuned.map, steps: 3 },
      report: join(out, 'report.html'),
      queries: result.fineTuned.queries.length,
      seconds: 61,
    });
  });

  test('a finished demo is not replaced without overwrite; other things never', async () => {
    await expect(demo(out)).rejects.toThrow(/holds a demo; pass --overwrite/);
    const other = newFolder();
    mkdirSync(other);
    writeFileSync(join(other, 'thesis.txt'), 'x');
    for (const overwrite of [false, true]) {
      await expect(demo(other, { overwrite })).rejects.toThrow(/holds something else than a demo/);
    }
    expect(readFileSync(join(other, 'thesis.txt'), 'utf8')).toBe('x');
  });

  test('interrupted in training, the same call continues to the same result', async () => {
    const folder = newFolder();
    const controller = new AbortController();
    let updates = 0;
    const stopping: StageView = {
      ...recordingView(),
      progress: (label) => ({
        update: () => label.trim() === 'updates' && ++updates === 3 && controller.abort(), // first of the ranking
        stop: () => undefined,
      }),
    };
    await expect(demo(folder, { signal: controller.signal }, stopping)).rejects.toThrow();
    expect(existsSync(join(folder, 'run/checkpoints/step-000001'))).toBe(true);
    expect(existsSync(join(folder, 'report.html'))).toBe(false);
    await expect(demo(folder, { seed: 2 })).rejects.toThrow(/unfinished demo with other settings/);
    const again = recordingView();
    const continued = await demo(folder, {}, again);
    expect(again.lines[0]).toMatch(/^Continuing/);
    expect(continued.fineTuned.map).toBe(result.fineTuned.map);
    expect(
      readFileSync(join(folder, 'run/model.safetensors')).equals(readFileSync(join(out, 'run/model.safetensors'))),
    ).toBe(true);
    expect(existsSync(join(folder, 'report.html'))).toBe(true);
  });
});

describe('demo with own photographs', () => {
  let images: string;
  beforeAll(async () => {
    const collection = newFolder();
    await synthesizeLandmarks(collection, { landmarks: 6, photos: 6, noise: 0, size: 96 });
    images = join(collection, 'images');
    writeFileSync(join(images, 'broken.jpg'), 'not an image');
  });

  test('six landmarks are split by landmark', async () => {
    const out = newFolder();
    const view = recordingView();
    const result = await demo(out, { images }, view);
    expect(view.lines[0]).toBe('36 photographs (left out: 1 broken); split by landmark');
    // 2 of 6 landmarks, six photographs each
    expect(result.testKind).toBe('12 queries about 2 landmarks never trained on, in 12 images.');
    expect(readFileSync(result.report, 'utf8')).toContain(images);
  });

  test('the folder and the photographs must not lie in each other', async () => {
    await expect(demo(join(images, 'demo'), { images })).rejects.toThrow(UsageError);
    await expect(demo(join(images, '..'), { images, overwrite: true })).rejects.toThrow(UsageError);
    await expect(demo(newFolder(), { images: join(images, 'absent') })).rejects.toThrow(/no such folder/);
  });

  test('one landmark is too few', async () => {
    const single = join(newFolder(), 'photos');
    mkdirSync(join(single, 'tower'), { recursive: true });
    await expect(demo(newFolder(), { images: single })).rejects.toThrow(InputError);
  });
});

describe('rmac demo', () => {
  test('a network that is not there and a flag that is none fail before anything is written', async () => {
    const out = newFolder();
    const run = (...argv: string[]) => runCommand(register, 'demo', '--out', out, ...argv);
    await expect(run('--init', 'absent.safetensors')).rejects.toThrow(/Cannot read absent.safetensors/);
    await expect(run('--seed', 'one')).rejects.toThrow(/whole number/);
    expect(existsSync(out)).toBe(false);
  });
});

describe('splitForDemo', () => {
  const records = (landmarks: number, photos: number) =>
    Array.from({ length: landmarks * photos }, (_, i) => {
      const landmark = `landmark${i % landmarks}`;
      return { id: `${landmark}/${i}`, path: `${i}.jpg`, landmark };
    });
  const landmarksOf = (items: readonly { landmark?: string }[]) => new Set(items.map(({ landmark }) => landmark));

  test('with six landmarks two are the test; a quarter of the other photographs validates', () => {
    const { train, validation, test: asked, unseen } = splitForDemo(records(6, 8), 1);
    expect(unseen).toBe(true);
    // 6 x 8 photographs: 2 landmarks x 8 for the test, of the other 32 a quarter to validate
    expect([train.length, validation.queries.length, asked.queries.length]).toEqual([24, 8, 16]);
    expect(asked.database).toHaveLength(16);
    expect(validation.database).toHaveLength(32);
    expect(landmarksOf(train)).toEqual(landmarksOf(validation.queries));
    expect([...landmarksOf(asked.queries)].some((landmark) => landmarksOf(train).has(landmark))).toBe(false);
  });

  test('with five landmarks a quarter of all photographs asks in all photographs', () => {
    const { train, validation, test: asked, unseen } = splitForDemo(records(5, 8), 1);
    expect(unseen).toBe(false);
    // of 40: 10 for the test; of the other 30 a quarter, 7 or 8, to validate
    expect(asked.queries).toHaveLength(10);
    expect(asked.database).toHaveLength(40);
    expect(train.length + validation.queries.length).toBe(30);
    const ids = new Set([...asked.queries, ...validation.queries].map(({ id }) => id));
    expect(train.filter(({ id }) => ids.has(id))).toEqual([]);
    for (const { id, junk } of asked.queries) expect(junk).toEqual([id]);
  });
});
