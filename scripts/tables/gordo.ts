/**
 * @file The tables of Gordo et al., "Deep Image Retrieval" (ECCV 2016; Tables 1, 2 and 4, Fig. 4), on another collection:
 *
 *   tsx scripts/tables/gordo.ts PLAN.yaml --out FOLDER [--threads 2] [--seeds 3] [--without-proposals]
 *
 * Everything is kept in FOLDER: what is there is not computed again, what was interrupted goes on. FOLDER/gordo.md, written anew after
 * every system, has the tables of what is finished. Paths of a plan are relative to the folder of the variable RMAC_SHARED, else to ../shared.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { z } from 'zod';
import { groupBy } from '../../src/data/group-by.js';
import { type ImageRecord, readManifest } from '../../src/data/manifest.js';
import { writeManifests } from '../../src/data/write-manifests.js';
import {
  clean,
  evaluate,
  importModel,
  synthesize,
  trainClassify,
  type TrainOptions,
  trainRpn,
  trainTriplet,
  whitenModel,
} from '../../src/index.js';
import { parseRegions } from '../../src/models/region-source.js';
import { parseDatabaseAugmentation, parseQueryExpansion } from '../../src/retrieval/expansion.js';
import { sampleOf } from '../../src/retrieval/learn-whitening.js';
import { packageTrunk } from '../../src/run/run-start.js';
import { RunFolder } from '../../src/run/run-folder.js';
import { curveOf, type Measured, tablesOf } from './gordo-tables.js';

const training = z.strictObject({ recipe: z.string(), set: z.array(z.string()).default([]) });

const planSchema = z.strictObject({
  title: z.string(),
  /** Photographs to train on, or a collection to generate, which brings a test of its own. */
  manifest: z.string().optional(),
  generate: z
    .strictObject({ landmarks: z.int(), photos: z.int(), size: z.int(), noise: z.number(), seed: z.int() })
    .optional(),
  /** Weights of a network to start from. Default: the small trunk of the package. */
  init: z.strictObject({ file: z.string(), arch: z.string() }).optional(),
  /** Ground truths by name. The first is measured while ranking, for Fig. 4. */
  tests: z.record(z.string(), z.string()).default({}),
  /** Longest side in every measurement, px, and what its sides are rounded to. */
  size: z.int(),
  snap: z.int(),
  /** Values of every whitened descriptor. */
  dimension: z.int(),
  /** Share of wrong photographs in a noisier collection, if there is to be one. Gordo et al. kept 49,000 of 192,000. */
  wrong: z.number().optional(),
  classify: training,
  rank: training,
  rpn: training,
  /** What Table 2 compares. */
  regions: z.array(z.string()).default(['grid', 'rpn:16', 'rpn:32', 'rpn:64', 'rpn:128', 'rpn:256']),
  /** What Table 4 compares: a recipe, and published systems on the weights of the start, fitted on so many photographs. */
  others: z
    .strictObject({
      recipe: z.string(),
      presets: z.array(z.string()),
      fitImages: z.int(),
      expansion: z.strictObject({ dba: z.string(), qe: z.string() }),
    })
    .optional(),
});

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string' },
    threads: { type: 'string' },
    seeds: { type: 'string', default: '1' },
    // Half of the time is Table 2's.
    'without-proposals': { type: 'boolean', default: false },
  },
});
if (positionals.length !== 1 || values.out === undefined) {
  process.stderr.write('usage: gordo.ts PLAN.yaml --out FOLDER [--threads n] [--seeds n] [--without-proposals]\n');
  process.exit(2);
}
const plan = planSchema.parse(parse(await readFile(positionals[0], 'utf8')));
const shared = (path: string) => join(resolve(process.env.RMAC_SHARED ?? '../shared'), path);
const imageRoot = shared('');
const { out } = values;
const engine = { threads: values.threads === undefined ? undefined : Number(values.threads) };
const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => i + 1);

/** `file`, made if it is not there; `make` writes it under the name that it is given. */
async function made(file: string, make: (unfinished: string) => Promise<unknown>): Promise<string> {
  if (existsSync(file)) return file;
  process.stderr.write(`${new Date().toISOString()} ${file}\n`);
  await mkdir(dirname(file), { recursive: true });
  const unfinished = file.replace(/(\.\w+)$/, '.unfinished$1');
  await make(unfinished);
  if (existsSync(unfinished)) await rename(unfinished, file);
  return file;
}

/** The photographs with others of other landmarks added to each, until `share` of them are wrong. */
function withWrong(records: readonly ImageRecord[], share: number): ImageRecord[] {
  const wrong = [...groupBy(records, ({ landmark }) => landmark)].flatMap(([landmark, own], i) => {
    const others = records.filter((record) => record.landmark !== landmark);
    const count = Math.round((own.length * share) / (1 - share));
    return sampleOf(others, count, i).map((record) => ({ ...record, id: `${landmark}/wrong/${record.id}`, landmark }));
  });
  return [...records, ...wrong];
}

const generated = join(out, 'collection');
const { generate } = plan;
const full =
  generate === undefined
    ? shared(plan.manifest ?? '')
    : await made(join(generated, 'manifest-train.jsonl'), () => synthesize({ ...generate, out: generated }));
const tests = Object.entries(plan.tests).map(([name, file]) => ({ name, groundtruth: shared(file) }));
if (generate !== undefined) tests.unshift({ name: 'generated', groundtruth: join(generated, 'groundtruth.json') });
const cleaned = (name: string, manifest: string) =>
  made(join(out, name, 'clean.jsonl'), () => clean({ manifest, out: join(out, name) }));
/** The photographs as found and cleaned, by the noise in them, and the table that has them. */
const sets: Record<string, { table: string; Full: string; Clean: string }> = {
  full: { table: 'Table 1', Full: full, Clean: await cleaned('clean', full) },
};
const { wrong } = plan;
if (wrong !== undefined) {
  const noisier = await made(join(out, 'noisier', 'manifest.jsonl'), async () => {
    const records = withWrong(await readManifest(full), wrong);
    await writeManifests([{ file: join(out, 'noisier', 'manifest.jsonl'), records }], dirname(full), {});
  });
  const table = `Table 1, ${Math.round(100 * wrong)} % wrong photographs added`;
  sets.noisier = { table, Full: noisier, Clean: await cleaned('noisier-clean', noisier) };
}

/** What is pooled, as an option of a stage. */
const regionsOf = (text?: string) => {
  const regions = text === undefined ? undefined : parseRegions(text);
  return regions === undefined ? {} : { regions };
};

/** What is measured, as options of the stage. */
type How = Partial<Parameters<typeof evaluate>[0]>;

const measured: Measured[] = [];
/** Measures a model, or a published system, on every test, and writes the tables that there are. */
async function measure(row: Pick<Measured, 'table' | 'name' | 'seed'>, how: How): Promise<void> {
  const results: Measured['results'] = {};
  for (const { name, groundtruth } of tests) {
    const file = join(
      out,
      'measured',
      `${row.table}-${row.name}-${row.seed}-${name}.json`.replaceAll(/[^\w.-]+/g, '_'),
    );
    await made(file, async (unfinished) => {
      const { size, snap } = plan;
      const options = { protocol: 'groundtruth', groundtruth, imageRoot, size, snap, ...engine, ...how } as const;
      const { map, precisionAt1, queries } = await evaluate(options);
      await writeFile(unfinished, JSON.stringify({ map, precisionAt1, queries }));
    });
    results[name] = JSON.parse(await readFile(file, 'utf8'));
  }
  measured.push({ ...row, results });
  await writeFile(join(out, 'gordo.md'), `# ${plan.title}\n\n${tablesOf(measured)}`);
}

const modelFile = (name: string) => join(out, 'models', `${name}.safetensors`);
/** The model with a whitening of its own regions, learned on the photographs as found. */
function whitened(name: string, model: string, regions?: string): Promise<string> {
  return made(modelFile(name), (unfinished) => {
    const { dimension, size, snap } = plan;
    const options = { model, manifest: full, out: unfinished, dimension, size, snap, maxImages: 1000, overwrite: true };
    return whitenModel({ ...options, ...engine, ...regionsOf(regions) });
  });
}

/** The last model of a training that begins, or goes on, in OUT/runs/NAME. */
async function trained(
  name: string,
  stage: (options: TrainOptions) => Promise<unknown>,
  { recipe, set }: z.output<typeof training>,
  options: Pick<TrainOptions, 'manifest' | 'init' | 'seed' | 'val'>,
  more: readonly string[] = [],
): Promise<string> {
  const run = join(out, 'runs', name);
  process.stderr.write(`${new Date().toISOString()} ${run}\n`);
  await stage({ ...options, ...engine, imageRoot, run, config: recipe, set: [...set, ...more], resume: true });
  return new RunFolder(run).model;
}

const { init } = plan;
const start =
  init === undefined
    ? packageTrunk
    : await made(modelFile('start'), (unfinished) =>
        importModel({ file: shared(init.file), arch: init.arch, out: unfinished, overwrite: true }),
      );
const offTheShelf = await whitened('off', start);
await measure({ table: 'Table 1', name: 'off the shelf', seed: 1 }, { model: start });
await measure({ table: 'Table 1', name: 'off the shelf, PCA', seed: 1 }, { model: offTheShelf });

const val = tests[0].groundtruth;
const layer = [`whitenDimension=${plan.dimension}`];
for (const seed of seeds) {
  for (const [noise, { table, Full, Clean }] of Object.entries(sets)) {
    const id = (name: string) => `${noise}-${name}-${seed}`;
    const classified = (name: string, manifest: string) =>
      trained(id(name), trainClassify, plan.classify, { manifest, init: start, seed });
    const ranked = async (label: string, manifest: string, from: string, more: readonly string[] = []) => {
      const run = id(label.replaceAll(/\W+/g, '-'));
      const model = await trained(run, trainTriplet, plan.rank, { manifest, init: from, seed, val }, [
        ...layer,
        ...more,
      ]);
      await measure({ table, name: label, seed }, { model });
      return { model, run };
    };
    const cFull = await classified('C-Full', Full);
    await measure({ table, name: 'C-Full, PCA', seed }, { model: await whitened(id('C-Full'), cFull) });
    const cClean = await classified('C-Clean', Clean);
    await measure({ table, name: 'C-Clean, PCA', seed }, { model: await whitened(id('C-Clean'), cClean) });
    const rClean = await ranked('R-Clean from C-Full', Clean, cFull);
    await ranked('R-Full from C-Full', Full, cFull);
    if (noise !== 'full') continue;
    const random = await ranked('R-Clean from C-Full, random triplets', Clean, cFull, ['sampling=random']);
    const fromStart = await ranked('R-Clean from the start', Clean, start);
    for (const { name, run } of [
      { name: 'mined, from C-Full', run: rClean.run },
      { name: 'random, from C-Full', run: random.run },
      { name: 'mined, from the start', run: fromStart.run },
    ]) {
      measured.push({ table: 'Fig. 4', name, seed, curve: await curveOf(join(out, 'runs', run)), results: {} });
    }
    if (values['without-proposals']) continue;
    for (const [when, from] of [
      ['before ranking', cFull],
      ['after ranking', rClean.model],
    ] as const) {
      const proposing = await trained(id(`RPN-${when.replace(' ', '-')}`), trainRpn, plan.rpn, {
        manifest: Clean,
        init: from,
        seed,
      });
      for (const regions of plan.regions) {
        const model = await whitened(id(`${when}-${regions}`.replaceAll(/\W+/g, '-')), proposing, regions);
        const name = `${regions}, ${when}, PCA of its regions`;
        await measure({ table: 'Table 2', name, seed }, { model, ...regionsOf(regions) });
      }
    }
  }
}

if (plan.others !== undefined) {
  const { recipe, presets, fitImages, expansion } = plan.others;
  const expand = { dba: parseDatabaseAugmentation(expansion.dba), qe: parseQueryExpansion(expansion.qe) };
  const row = (name: string, how: How, seed = 1) => measure({ table: 'Table 4', name, seed }, how);
  const named = `, ${expansion.dba}, ${expansion.qe}`;
  await row(`off the shelf, PCA${named}`, { model: offTheShelf, ...expand });
  for (const preset of presets) await row(preset, { preset, weights: start, fit: full, fitImages });
  for (const seed of seeds) {
    const from = { manifest: full, init: start, seed };
    const model = await trained(`${recipe}-${seed}`, trainTriplet, { recipe, set: [] }, from);
    await row(`recipe ${recipe}`, { model }, seed);
    await row(`recipe ${recipe}${named}`, { model, ...expand }, seed);
  }
}
