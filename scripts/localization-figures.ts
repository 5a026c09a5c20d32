/**
 * @file What localisation is worth: mAP of one model on one ground truth, as it is and re-ranked in every way. Prints one JSON object.
 *
 *   tsx scripts/localization-figures.ts MODEL GROUNDTRUTH.json SIZE [BOXES.json]
 *
 * Images are described once. BOXES.json, {"boxes": [{"image": "ID.jpg", "box": {x, y, width, height}}]} in px of the upright images: queries that
 * have one are asked whole and cropped to it.
 */
import { readFileSync } from 'node:fs';
import { startEngine } from '../src/backend/index.js';
import type { Box } from '../src/data/manifest.js';
import { loadModel } from '../src/data/model-file.js';
import { evaluateDescriptors } from '../src/retrieval/evaluate.js';
import { readGroundTruth } from '../src/retrieval/ground-truth.js';
import { describeGroundTruthMaps } from '../src/retrieval/localization/describe-maps.js';
import {
  groundTruthReranker,
  type GroundTruthRerankOptions,
} from '../src/retrieval/localization/ground-truth-reranker.js';
import { modelRegions } from '../src/retrieval/localization/model-regions.js';

const [modelFile, groundTruthFile, size, boxFile] = process.argv.slice(2);
if (size === undefined) {
  process.stderr.write('usage: localization-figures.ts MODEL GROUNDTRUTH.json SIZE [BOXES.json]\n');
  process.exit(2);
}
await startEngine({ device: 'cpu', threads: 1 });
const model = await loadModel(modelFile);
const regions = modelRegions(model);
const whole = await readGroundTruth(groundTruthFile);
const boxOf = new Map(readBoxes(boxFile).map(({ image, box }) => [image.replace(/\.\w+$/, ''), box]));
const cropped = whole.queries
  .filter(({ id }) => boxOf.has(id))
  .map((query) => ({ ...query, id: `${query.id}#crop`, box: boxOf.get(query.id) }));
const groundTruth = { ...whole, queries: [...whole.queries, ...cropped] };
const found = await describeGroundTruthMaps(model, groundTruth, {
  sizing: { longest: Number(size), multipleOf: model.stride }, // few shapes of images, few graphs
  regions,
  onProgress: (done) => {
    if (done % 50 === 0) process.stderr.write(`${done} images\n`);
  },
});
const { database, queries, failures } = found.described;

async function measure(options?: Omit<GroundTruthRerankOptions, 'model'>) {
  const before = process.cpuUsage();
  const rerank = options && groundTruthReranker(groundTruth, found, { ...options, model: regions });
  const result = await evaluateDescriptors(groundTruth, database, queries, { rerank });
  const { user, system } = process.cpuUsage(before);
  const cpuSeconds = (user + system) / 1e6;
  const images = Math.min(options?.depth ?? 1000, database.ids.length) * result.queries.length;
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

function readBoxes(file: string | undefined): { image: string; box: Box }[] {
  if (file === undefined) return [];
  return (JSON.parse(readFileSync(file, 'utf8')) as { boxes: { image: string; box: Box }[] }).boxes;
}

const bytes = [...found.maps.values()].map(({ codes }) => codes.length);
const variants: Record<string, Omit<GroundTruthRerankOptions, 'model'> | undefined> = { asItIs: undefined };
for (const read of ['levels', 'centres'] as const) {
  variants[`aml ${read}`] = { kind: 'aml', read };
  variants[`aml+qe5 ${read}`] = { kind: 'aml', read, expansion: 5 };
  variants[`aml-rmac ${read}`] = { kind: 'aml-rmac', read };
  variants[`aml-rmac+qe5 ${read}`] = { kind: 'aml-rmac', read, expansion: 5 };
  variants[`aml-rmac:100 ${read}`] = { kind: 'aml-rmac', read, depth: 100 };
  variants[`aml-rmac:100+qe5 ${read}`] = { kind: 'aml-rmac', read, depth: 100, expansion: 5 };
  variants[`cross-match ${read}`] = { kind: 'cross-match', read };
}
const figures: Record<string, unknown> = {};
for (const [name, options] of Object.entries(variants)) {
  figures[name] = await measure(options);
  process.stderr.write(`${name} ${JSON.stringify(figures[name])}\n`);
}
process.stdout.write(
  `${JSON.stringify(
    {
      model: model.meta.architecture,
      queries: whole.queries.length,
      cropped: cropped.length,
      database: database.ids.length,
      failures: failures.length,
      bytesPerImage: Math.round(bytes.reduce((sum, n) => sum + n, 0) / bytes.length),
      figures,
    },
    null,
    1,
  )}\n`,
);
