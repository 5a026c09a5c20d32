/**
 * @file What localisation is worth: mAP of one model on one ground truth, as it is and re-ranked in every way. Prints one JSON object.
 *
 *   tsx scripts/localization-figures.ts --model W --groundtruth G --size PX [--boxes B.json] [--images N] [--queries N]
 *
 * Images are described once. B.json, {"boxes": [{"image": "ID.jpg", "box": {x, y, width, height}}]} in px of the upright images: queries that
 * have one are asked whole and cropped to it. --images, --queries: only so many of the database and of the queries, evenly spread.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { startEngine } from '../src/backend/index.js';
import type { Box } from '../src/data/manifest.js';
import { loadModel } from '../src/data/model-file.js';
import { evaluateDescriptors } from '../src/retrieval/evaluate.js';
import { readGroundTruth } from '../src/retrieval/ground-truth.js';
import { describeGroundTruthMaps } from '../src/retrieval/localization/describe-maps.js';
import {
  type GroundTruthRerankOptions,
  groundTruthReranker,
} from '../src/retrieval/localization/ground-truth-reranker.js';
import { modelRegions } from '../src/retrieval/localization/model-regions.js';

const { values: flags } = parseArgs({
  options: {
    model: { type: 'string' },
    groundtruth: { type: 'string' },
    size: { type: 'string', default: '512' },
    boxes: { type: 'string' },
    images: { type: 'string', default: 'Infinity' },
    queries: { type: 'string', default: 'Infinity' },
  },
});
if (flags.model === undefined || flags.groundtruth === undefined) {
  process.stderr.write(
    'usage: localization-figures.ts --model W --groundtruth G --size PX [--boxes B.json] [--images N] [--queries N]\n',
  );
  process.exit(2);
}
await startEngine({ device: 'cpu', threads: 1 });
const model = await loadModel(flags.model);
const regions = modelRegions(model);
const all = await readGroundTruth(flags.groundtruth);
const database = spread(all.database, Number(flags.images));
const kept = new Set(database.map(({ id }) => id));
const withPositives = all.queries.flatMap((query) => {
  const positives = query.positives.filter((id) => kept.has(id));
  return positives.length > 0 ? [{ ...query, positives }] : [];
});
const whole = spread(withPositives, Number(flags.queries));
const boxOf = new Map(readBoxes(flags.boxes).map(({ image, box }) => [image.replace(/\.\w+$/, ''), box]));
const cropped = whole
  .filter(({ id }) => boxOf.has(id))
  .map((query) => ({ ...query, id: `${query.id}#crop`, box: boxOf.get(query.id) }));
const groundTruth = { database, queries: [...whole, ...cropped] };
const found = await describeGroundTruthMaps(model, groundTruth, {
  sizing: { longest: Number(flags.size), multipleOf: model.stride }, // few shapes of images, few graphs
  regions,
  onProgress: (done) => {
    if (done % 50 === 0) process.stderr.write(`${done} images\n`);
  },
});
const { queries, failures } = found.described;

async function measure(options?: Omit<GroundTruthRerankOptions, 'model'>) {
  const before = process.cpuUsage();
  const rerank = options && groundTruthReranker(groundTruth, found, { ...options, model: regions });
  const result = await evaluateDescriptors(groundTruth, found.described.database, queries, { rerank });
  const { user, system } = process.cpuUsage(before);
  const cpuSeconds = (user + system) / 1e6;
  const images = Math.min(options?.depth ?? 1000, database.length) * result.queries.length;
  const mean = (wanted: (id: string) => boolean) => {
    const scores = result.queries.filter(({ id }) => wanted(id));
    return rounded(scores.reduce((sum, { ap }) => sum + ap, 0) / scores.length);
  };
  return {
    map: mean((id) => !id.endsWith('#crop')),
    ...(cropped.length > 0 && {
      mapOfBoxedWhole: mean((id) => boxOf.has(id)),
      mapOfBoxedCropped: mean((id) => id.endsWith('#crop')),
    }),
    ...(options && { cpuSecondsPer1000: rounded((1000 * cpuSeconds) / images) }),
  };
}

function rounded(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}

function spread<T>(items: readonly T[], most: number): T[] {
  const count = Math.min(most, items.length);
  return Array.from({ length: count }, (_, i) => items[Math.floor((i * items.length) / count)]);
}

function readBoxes(file: string | undefined): { image: string; box: Box }[] {
  if (file === undefined) return [];
  return (JSON.parse(readFileSync(file, 'utf8')) as { boxes: { image: string; box: Box }[] }).boxes;
}

const bytes = [...found.maps.values()].map(({ codes }) => codes.length);
const variants: Record<string, Omit<GroundTruthRerankOptions, 'model'> | undefined> = { asItIs: undefined };
variants['aml'] = { kind: 'aml' };
variants['aml+qe5'] = { kind: 'aml', expansion: 5 };
variants['aml-rmac'] = { kind: 'aml-rmac' };
variants['aml-rmac+qe5'] = { kind: 'aml-rmac', expansion: 5 };
variants['cross-match'] = { kind: 'cross-match' };
variants['aml, exact maxima'] = { kind: 'aml', maxima: 'exact' };
variants['aml+qe5, exact maxima'] = { kind: 'aml', expansion: 5, maxima: 'exact' };
variants['aml-rmac, exact maxima'] = { kind: 'aml-rmac', maxima: 'exact' };
variants['aml-rmac+qe5, exact maxima'] = { kind: 'aml-rmac', expansion: 5, maxima: 'exact' };
variants['aml, levels'] = { kind: 'aml', read: 'levels' };
variants['aml-rmac, levels'] = { kind: 'aml-rmac', read: 'levels' };
const figures: Record<string, unknown> = {};
for (const [name, options] of Object.entries(variants)) {
  figures[name] = await measure(options);
  process.stderr.write(`${name} ${JSON.stringify(figures[name])}\n`);
}
process.stdout.write(
  `${JSON.stringify(
    {
      model: model.meta.architecture,
      queries: whole.length,
      cropped: cropped.length,
      database: database.length,
      failures: failures.length,
      bytesPerImage: Math.round(bytes.reduce((sum, n) => sum + n, 0) / bytes.length),
      figures,
    },
    null,
    1,
  )}\n`,
);
