/**
 * @file Off-the-shelf table of one network: MAC, SPoC, GeM, R-MAC and R-MAC + whitening on ground-truth files, every
 * image through the trunk once. Whitening is learned on the regions of a training manifest.
 *
 *   tsx scripts/off-the-shelf.ts MODEL TRAIN.jsonl GROUNDTRUTH.json... [--size=320] [--dimension=512] [--images=1000]
 */
import * as tf from '@tensorflow/tfjs';
import { startEngine } from '../src/backend/index.js';
import { readManifest } from '../src/data/manifest.js';
import { readModelFile } from '../src/data/model-file.js';
import { DescriptorModel } from '../src/models/descriptor.js';
import { type PoolingKind, poolingKinds } from '../src/models/meta.js';
import { withoutWhitening, withWhitening } from '../src/models/whitening.js';
import { describeGroundTruth } from '../src/retrieval/describe-ground-truth.js';
import { evaluateDescriptors } from '../src/retrieval/evaluate.js';
import { readGroundTruth } from '../src/retrieval/ground-truth.js';
import { learnWhitening, sampleOf } from '../src/retrieval/learn-whitening.js';
import type { DescriptorTable } from '../src/retrieval/ranking.js';

const option = (name: string, fallback: number) => {
  const found = process.argv.find((argument) => argument.startsWith(`--${name}=`));
  return found === undefined ? fallback : Number(found.slice(name.length + 3));
};
const [modelFile, trainFile, ...truthFiles] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
if (modelFile === undefined || trainFile === undefined || truthFiles.length === 0) {
  throw new Error('usage: off-the-shelf.ts MODEL TRAIN.jsonl GROUNDTRUTH.json... [--size=320]');
}
const sizing = { longest: option('size', 320) };

await startEngine({ device: 'cpu' });
const stored = await readModelFile(modelFile);
const { meta, weights } = withoutWhitening(stored.meta, stored.weights);
const withPooling = (kind: PoolingKind) =>
  DescriptorModel.create({ ...meta, pooling: { ...meta.pooling, kind } }, weights);
const models = new Map<string, DescriptorModel>(poolingKinds.map((kind) => [kind, withPooling(kind)]));
const trunk = models.get('rmac')!;

const images = sampleOf(await readManifest(trainFile), option('images', 1000), 0);
const { whitening } = await learnWhitening(trunk, images, {
  channels: trunk.channels,
  dimension: option('dimension', 512),
  sizing,
});
const whitened = withWhitening({ ...meta, pooling: { ...meta.pooling, kind: 'rmac' } }, weights, whitening);
models.set('rmac+whitening', DescriptorModel.create(whitened.meta, whitened.weights));

/** All descriptors of an image in one row. */
const describer = {
  describe: (x: tf.Tensor4D) =>
    tf.tidy(() => {
      const map = trunk.featureMap(x);
      return tf.concat(
        [...models.values()].map((model) => model.pool(map)),
        1,
      );
    }),
};

/** The columns of one model. */
function columns(table: DescriptorTable, start: number, dimension: number): DescriptorTable {
  const data = new Float32Array(table.ids.length * dimension);
  for (let i = 0; i < table.ids.length; i++) {
    data.set(table.data.subarray(i * table.dimension + start, i * table.dimension + start + dimension), i * dimension);
  }
  return { ids: table.ids, dimension, data };
}

for (const file of truthFiles) {
  const truth = await readGroundTruth(file);
  const { database, queries, failures } = await describeGroundTruth(describer, truth, { sizing });
  const row: Record<string, number> = {};
  let start = 0;
  for (const [name, model] of models) {
    const { dimension } = model;
    const result = await evaluateDescriptors(
      truth,
      columns(database, start, dimension),
      columns(queries, start, dimension),
    );
    row[name] = Math.round(result.mapTrapezoid * 10_000) / 10_000;
    start += dimension;
  }
  process.stdout.write(
    `${JSON.stringify({ file, queries: truth.queries.length, database: truth.database.length, failed: failures.length, map: row })}\n`,
  );
}
