import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { register } from '../../src/commands/report.js';
import { writeManifest } from '../../src/data/manifest.js';
import { writeModelFile } from '../../src/data/model-file.js';
import { InputError } from '../../src/errors.js';
import { smallModelParts } from '../support/small-model.js';
import { stripedPhotographs } from '../train/tiny-run.js';
import { runCommand } from './run-command.js';

let photographs: string;
let manifest: string;

beforeAll(async () => {
  photographs = mkdtempSync(join(tmpdir(), 'rmac-report-'));
  manifest = join(photographs, 'train.jsonl');
  await writeManifest(manifest, await stripedPhotographs(photographs, { landmarks: 2, photos: 2 }));
});

const update = (step: number) => ({
  event: 'update',
  step,
  loss: 1 / step,
  active: 0.5,
  hardestSimilarity: 0.9,
  learningRate: 1e-3,
  gradientNorm: 2,
  msPerStep: 10,
  imagesPerSecond: 30,
  unreadable: 1,
  rssBytes: 5e8,
  numTensors: 50,
});

/** A run of 500 updates in a new folder. */
function makeRun(more: readonly object[] = []): string {
  const run = mkdtempSync(join(tmpdir(), 'rmac-run-'));
  const records = [
    { event: 'start', step: 0, seed: 7, manifest: relative(run, manifest), versions: { rmac: '0.1.0' } },
    { event: 'measure', step: 0, map: 0.25, testMap: 0.2, best: true, ms: 5 },
    {
      event: 'mine',
      step: 1,
      images: 4,
      withLoss: 3,
      hardest: [{ query: 'l0/p0', positive: 'l0/p1', negative: 'l1/p0', loss: 0.125 }],
    },
    ...Array.from({ length: 500 }, (_, i) => update(i + 1)),
    { event: 'measure', step: 500, map: 0.75, testMap: 0.5, best: true, ms: 5 },
    ...more,
  ];
  writeFileSync(join(run, 'log.jsonl'), records.map((record) => `${JSON.stringify(record)}\n`).join(''));
  writeFileSync(join(run, 'config.yaml'), 'steps: 600\nimageSize: 48\nfreeze: <none>\n');
  const checkpoint = join(run, 'checkpoints', 'step-000500');
  mkdirSync(checkpoint, { recursive: true });
  writeFileSync(join(checkpoint, 'state.json'), '{"format":1,"config":{},"state":{"unreadable":["l1/p1"]}}');
  return run;
}

const report = async (run: string, ...more: string[]) => {
  const { stdout, stderr } = await runCommand(register, 'report', run, '--json', ...more);
  return { result: JSON.parse(stdout) as Record<string, unknown>, stderr };
};
const pageOf = (run: string) => readFileSync(join(run, 'report.html'), 'utf8');
const count = (text: string, part: string) => text.split(part).length - 1;

describe('rmac report', () => {
  test('shows curves, the best measurement, triplets, unreadable images and settings in one page', async () => {
    const run = makeRun([{ event: 'stop', step: 500, reason: 'interrupted' }]);
    const { result } = await report(run);
    expect(result).toEqual({
      run,
      report: join(run, 'report.html'),
      step: 500,
      stopped: 'interrupted',
      criterion: 'map',
      first: 0.25,
      last: 0.75,
      best: { step: 500, value: 0.75 },
      unreadable: 1,
      problems: [],
    });
    const page = pageOf(run);
    for (const text of ['500 of 600', '0.7500 after update 500', 'l1-p1.png', '&lt;none&gt;', '>7<']) {
      expect(page.includes(text), text).toBe(true);
    }
    for (const label of ['mAP, test mAP', 'learning rate', 'gradient norm', 'memory, MB', 'images per second']) {
      expect(new RegExp(`aria-label="${label}[^"]* by updates"`).test(page), label).toBe(true);
    }
    // 500 updates are shown by 167 means of three.
    const loss = page.slice(page.indexOf('aria-label="loss (means of 3)'));
    expect(loss.match(/<polyline points="([^"]*)"/)?.[1].split(' ')).toHaveLength(167);
    expect(count(page, '<img src="data:image/jpeg;base64,')).toBe(3);
    expect(page.includes('--init FILE')).toBe(true);
    // Nothing is loaded from elsewhere.
    expect(/(src|href)="(?!data:)/.test(page)).toBe(false);

    const staged = makeRun();
    cpSync(makeRun([{ event: 'stop', step: 500, reason: 'finished' }]), join(staged, 'classify'), { recursive: true });
    await report(staged);
    expect(count(pageOf(staged), 'aria-label="loss (means of 3)')).toBe(2);
    expect(pageOf(staged).includes('Classification before it')).toBe(true);

    await expect(report(run)).rejects.toThrow(/exists; pass --overwrite/);
    const out = join(run, 'sub', 'page.html');
    expect((await report(run, '--out', out)).result.report).toBe(out);
    await report(run, '--overwrite');
    expect(pageOf(run) === page).toBe(true);
  });

  test('--init shows neurons before and after, with the manifest that the run names', async () => {
    const run = makeRun();
    const init = join(run, 'start.safetensors');
    await writeModelFile(init, smallModelParts());
    await expect(report(run, '--init', init)).rejects.toThrow(/no model yet/);
    const { meta, weights } = smallModelParts();
    for (const { data } of weights.values()) data.forEach((value, i) => (data[i] = value * (1 + 0.3 * Math.sin(i))));
    await writeModelFile(join(run, 'best.safetensors'), { meta, weights });
    const { result } = await report(run, '--init', init, '--neurons', '2');
    expect(result).toMatchObject({ step: 500 });
    const page = pageOf(run);
    expect(page.match(/neuron \d+, before training/g)).toHaveLength(2);
    expect(count(page, '<img src="data:image/jpeg;base64,')).toBe(3 + 2 * 2 * 4); // four images
  });

  test('--heat-maps shows the places of query and positive, with --init before and after', async () => {
    const run = makeRun();
    await expect(report(run, '--heat-maps', '2')).rejects.toThrow(/no model yet; leave --heat-maps out/);
    await report(run);
    expect(pageOf(run).includes('--heat-maps N')).toBe(true);
    const [init, best] = ['start', 'best'].map((name) => join(run, `${name}.safetensors`));
    for (const file of [init, best]) await writeModelFile(file, smallModelParts());
    await report(run, '--heat-maps', '2', '--overwrite');
    expect(count(pageOf(run), '<img src="data:image/jpeg;base64,')).toBe(3 + 2); // of the one mined triplet
    expect(pageOf(run)).toMatch(/l0\/p0, similarity \d\.\d{3}/);
    await report(run, '--heat-maps', '2', '--init', init, '--neurons', '1', '--overwrite');
    expect(count(pageOf(run), '<img src="data:image/jpeg;base64,')).toBe(3 + 4 + 2 * 4); // four images of a neuron, twice
    const mined = readFileSync(join(run, 'log.jsonl'), 'utf8').replace('"hardest"', '"other"');
    writeFileSync(join(run, 'log.jsonl'), mined);
    await expect(report(run, '--heat-maps', '1', '--overwrite')).rejects.toThrow(/mined no triplets/);
  });

  test('a classifier run shows top-1', async () => {
    const run = mkdtempSync(join(tmpdir(), 'rmac-run-'));
    const records = [
      { event: 'update', step: 1, loss: 2, top1: 0.5, epoch: 0.1 },
      { event: 'measure', step: 1, top1: 0.5, top5: 0.9, valLoss: 1.5, best: true, ms: 3 },
    ];
    writeFileSync(join(run, 'log.jsonl'), records.map((record) => `${JSON.stringify(record)}\n`).join(''));
    const { result } = await report(run);
    expect(result).toMatchObject({ criterion: 'top1', best: { step: 1, value: 0.5 } });
    for (const label of ['top-1, top-5', 'validation loss', 'top-1 of the batch']) {
      expect(pageOf(run).includes(`aria-label="${label} by updates"`), label).toBe(true);
    }
  });

  test('an unfinished, empty or torn folder gives a page that says so; no run is one clear error', async () => {
    const torn = makeRun();
    writeFileSync(join(torn, 'log.jsonl'), `${JSON.stringify(update(1))}\n{"event":"upd`);
    writeFileSync(join(torn, 'config.yaml'), 'steps: [1');
    writeFileSync(join(torn, 'checkpoints', 'step-000500', 'state.json'), '{');
    const { result, stderr } = await report(torn);
    expect(result).toMatchObject({ step: 1, unreadable: 0 });
    expect(result.problems).toEqual([
      'log.jsonl: 1 damaged line is left out.',
      expect.stringContaining('config.yaml'),
      expect.stringContaining('state.json is not JSON'),
    ]);
    expect(stderr).toContain('damaged line');
    expect(pageOf(torn).includes('running, or ended without saying so')).toBe(true);

    const empty = mkdtempSync(join(tmpdir(), 'rmac-run-'));
    await expect(report(empty)).rejects.toThrow(InputError);
    await expect(report(empty)).rejects.toThrow(/holds no run: expected log\.jsonl/);
    writeFileSync(join(empty, 'log.jsonl'), '');
    expect((await report(empty)).result).toMatchObject({ step: 0, problems: ['log.jsonl says nothing yet.'] });
  });

  test('a manifest beside its images needs the folder that both are in', async () => {
    const run = makeRun();
    const apart = join(mkdtempSync(join(tmpdir(), 'rmac-lists-')), 'train.jsonl');
    const above = `"path":"${relative(dirname(apart), dirname(manifest))}/`;
    writeFileSync(apart, readFileSync(manifest, 'utf8').replaceAll('"path":"', above));
    await expect(report(run, '--manifest', apart)).rejects.toThrow(/leads out of the file's folder/);
    await report(run, '--manifest', apart, '--image-root', tmpdir());
    expect(count(pageOf(run), '<img')).toBe(3);
  });

  test('a manifest that is gone costs the pictures only', async () => {
    const run = makeRun();
    const log = readFileSync(join(run, 'log.jsonl'), 'utf8').replace('train.jsonl', 'gone.jsonl');
    writeFileSync(join(run, 'log.jsonl'), log);
    const { stderr } = await report(run);
    expect(stderr).toMatch(/gone\.jsonl, the manifest of the run, is missing; --manifest/);
    expect(count(pageOf(run), '<img')).toBe(0);
    await report(run, '--overwrite', '--manifest', manifest);
    expect(count(pageOf(run), '<img')).toBe(3);
    await expect(report(run, '--overwrite', '--init', 'x.safetensors')).rejects.toThrow(/--manifest FILE/);
  });
});
