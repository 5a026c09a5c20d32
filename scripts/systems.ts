/**
 * @file Table of the published systems on one network: every preset on ground-truth files, all with the same main side, every image
 * through the network once per side. Whitening and feature selection are learned on a training manifest.
 *
 *   tsx scripts/systems.ts MODEL TRAIN.jsonl GROUNDTRUTH.json... [--size=320] [--snap=16] [--images=400] [--classifier=FILE]
 */
import { startEngine } from '../src/backend/index.js';
import { decodeImage } from '../src/data/images.js';
import { readManifest } from '../src/data/manifest.js';
import { messageOf } from '../src/errors.js';
import { readGroundTruth } from '../src/retrieval/ground-truth.js';
import { sampleOf } from '../src/retrieval/learn-whitening.js';
import type { Classifier } from '../src/systems/class-activation.js';
import { describeForSystem, evaluateSystem } from '../src/systems/describe-for-system.js';
import { expandSystemQueries } from '../src/systems/expand-queries.js';
import { finishVectors } from '../src/systems/finish-vectors.js';
import { FitRows, type SystemFit } from '../src/systems/fit-system.js';
import { stageMaps } from '../src/systems/network-layers.js';
import { openNetworkMaps } from '../src/systems/network-maps.js';
import { openClassifier } from '../src/systems/open-classifier.js';
import { settingsAt } from '../src/systems/open-system.js';
import { type PooledVectors, poolViews, type ImageMaps } from '../src/systems/pool-views.js';
import { presets } from '../src/systems/presets.js';
import type { SystemSettings } from '../src/systems/settings.js';
import type { Role, System } from '../src/systems/system.js';
import { systemSimilarity } from '../src/systems/system-similarity.js';
import { largest } from '../src/extremes.js';

const text = (name: string) =>
  process.argv.find((argument) => argument.startsWith(`--${name}=`))?.slice(name.length + 3);
const option = (name: string, fallback: number) => Number(text(name) ?? fallback);
const [modelFile, trainFile, ...truthFiles] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
if (modelFile === undefined || trainFile === undefined || truthFiles.length === 0) {
  throw new Error('usage: systems.ts MODEL TRAIN.jsonl GROUNDTRUTH.json... [--size=320] [--snap=16] [--images=400]');
}
const snap = option('snap', 16);

await startEngine({ device: 'cpu', threads: option('threads', 1) });
const network = await openNetworkMaps(modelFile, ({ architecture, cut }) => ({
  architecture,
  layers: stageMaps(architecture, cut),
}));
const classifierFile = text('classifier');
const classifier: Classifier | undefined =
  classifierFile === undefined ? undefined : await openClassifier(classifierFile, network.channels[0]);
const chosen = [...presets.values()].filter(
  ({ settings }) =>
    largest(settings.maps) < network.channels.length && (settings.mask === undefined || classifier !== undefined),
);
const settingsOf = new Map(chosen.map(({ name, settings }) => [name, settingsAt(settings, option('size', 320))]));

/** Presets that differ in their search alone describe images alike. */
const poolKey = ({ sides, upscale, maps, fusion, mapResize, pooling, mask, epsilon }: SystemSettings) =>
  JSON.stringify({ sides, upscale, maps, fusion, mapResize, pooling, mask, epsilon });
const fitKey = (settings: SystemSettings) => JSON.stringify([poolKey({ ...settings, mask: undefined }), settings.fit]);
const describeKey = (settings: SystemSettings) =>
  JSON.stringify([poolKey(settings), settings.fit, settings.database, settings.unit]);
const distinct = (key: (settings: SystemSettings) => string) =>
  new Map([...settingsOf.values()].map((settings) => [key(settings), settings]));

/** What an image is before the fit, by pooling. */
async function poolImage(path: string): Promise<Map<string, readonly PooledVectors[]>> {
  const views = new Map<string, ImageMaps>();
  const pooled = new Map<string, readonly PooledVectors[]>();
  for (const [key, settings] of distinct(poolKey)) {
    const { sides, upscale } = settings;
    const own: ImageMaps[] = [];
    for (const side of sides) {
      const name = `${side}|${upscale}`;
      const view =
        views.get(name) ??
        (await network.view(await decodeImage(path, { sizing: { longest: side, upscale, multipleOf: snap } })));
      views.set(name, view);
      own.push({ ...view, maps: view.maps.slice(0, largest(settings.maps) + 1) });
    }
    pooled.set(key, poolViews(own, settings, classifier));
  }
  return pooled;
}

const rows = new Map<string, FitRows>();
for (const { path } of sampleOf(await readManifest(trainFile), option('images', 400), 0)) {
  const pooled = await poolImage(path);
  for (const [key, settings] of distinct(fitKey)) {
    if (settings.fit === undefined) continue;
    const vectors = (pooled.get(poolKey(settings)) ?? pooled.get(poolKey({ ...settings, mask: undefined })))!;
    const collected = rows.get(key) ?? new FitRows(settings.fit, vectors[0].dimension);
    collected.add(vectors[0]);
    rows.set(key, collected);
  }
}
const fits = new Map<string, SystemFit>();
for (const [key, collected] of rows) {
  try {
    fits.set(key, collected.learn());
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
  }
}
process.stderr.write('fitted\n');

for (const file of truthFiles) {
  const truth = await readGroundTruth(file);
  /** Everything of an image in one row, and where each way of describing lies in it. */
  const places = new Map<string, Record<Role, [start: number, length: number]>>();
  const describeAll = async (path: string) => {
    const pooled = await poolImage(path);
    const parts: Float32Array[] = [];
    let length = 0;
    for (const [key, settings] of distinct(describeKey)) {
      const fit = fits.get(fitKey(settings));
      if (settings.fit !== undefined && fit === undefined) continue;
      const vectors = pooled.get(poolKey(settings))!;
      const place = {} as Record<Role, [number, number]>;
      for (const role of ['query', 'database'] as const) {
        if (role === 'database' && settings.database === 'vector') {
          place.database = place.query;
          continue;
        }
        const part = finishVectors(vectors, settings, fit, role);
        place[role] = [length, part.length];
        parts.push(part);
        length += part.length;
      }
      places.set(key, place);
    }
    const row = new Float32Array(length);
    let at = 0;
    for (const part of parts) {
      row.set(part, at);
      at += part.length;
    }
    return row;
  };
  let images = 0;
  const { database, queries, failures } = await describeForSystem(
    {
      describe: async ({ path }) => describeAll(path),
      describeBoth: async ({ path }) => {
        const row = await describeAll(path);
        return { query: row, database: row };
      },
    },
    truth,
    { onProgress: () => process.stderr.write(++images % 50 === 0 ? `${images}\n` : '') },
  );
  for (const [name, settings] of settingsOf) {
    const place = places.get(describeKey(settings));
    if (place === undefined) continue;
    const columns = (table: typeof database, [start, length]: [number, number]) => {
      const data = new Float32Array(table.ids.length * length);
      table.ids.forEach((_, i) => {
        const from = i * table.dimension + start;
        data.set(table.data.subarray(from, from + length), i * length);
      });
      return { ids: table.ids, dimension: length, data };
    };
    const vectors = {
      query: settings.mask === undefined ? 1 : 2,
      database: settings.database === 'regions' ? 15 * settings.sides.length : settings.mask === undefined ? 1 : 2,
    };
    const dimension = place.query[1] / vectors.query;
    const parts = settings.maps.map((layer) => network.channels[layer]);
    const tables = { database: columns(database, place.database), queries: columns(queries, place.query) };
    const layout = { dimension, vectors, parts };
    const system: Pick<System, 'expand' | 'similarity'> = {
      expand: (groundTruth, described) => expandSystemQueries(settings, layout, groundTruth, described),
      similarity: (table) => systemSimilarity(settings, layout, table),
    };
    const result = await evaluateSystem(system, truth, tables);
    const row = {
      file,
      preset: name,
      map: Math.round(result.mapTrapezoid * 10_000) / 10_000,
      bytes: 4 * vectors.database * dimension,
      queries: result.queries.length,
      database: result.databaseSize,
      failed: failures.length,
    };
    process.stdout.write(`${JSON.stringify(row)}\n`);
  }
}
