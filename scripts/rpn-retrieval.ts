/**
 * @file mAP by the grid and by the best 16 to 256 proposals, in the shape of tables 2 and 5 of Gordo et al. 2016. One pass over the
 * photographs: all kinds pool the same map. Prints one JSON object.
 *
 *   tsx scripts/rpn-retrieval.ts MODEL GROUNDTRUTH.json [SIZE]
 *
 * MODEL is of `rmac train rpn`; images are snapped to multiples of its stride, as in its training. With a whitening, `whitened` is what the model describes by, and `map` what it would without.
 * Recall of the same kinds: `rmac regions`.
 */
import * as tf from '@tensorflow/tfjs';
import { startEngine } from '../src/backend/index.js';
import { loadModel } from '../src/data/model-file.js';
import { l2Normalize } from '../src/models/normalize.js';
import { regionsOf } from '../src/models/pooling.js';
import { describeGroundTruth, imagesToDescribe } from '../src/retrieval/describe-ground-truth.js';
import { evaluateDescriptors } from '../src/retrieval/evaluate.js';
import { readGroundTruth } from '../src/retrieval/ground-truth.js';
import type { DescriptorTable } from '../src/retrieval/ranking.js';
import { poolRegions } from '../src/rpn/pool-regions.js';
import { ProposalDescriber } from '../src/rpn/proposal-describer.js';
import { largest, lengthOf } from '../src/extremes.js';

const [modelFile, groundTruthFile, sizeText] = process.argv.slice(2);
if (groundTruthFile === undefined) {
  process.stderr.write('usage: rpn-retrieval.ts MODEL GROUNDTRUTH.json [SIZE]\n');
  process.exit(2);
}
const counts = [16, 32, 64, 128, 192, 256];
const both = 64;
const kinds = ['grid', ...counts.map((count) => `rpn:${count}`), `grid+rpn:${both}`];

await startEngine({ device: 'cpu', threads: 1 });
const model = await loadModel(modelFile);
const longest = sizeText === undefined ? (model.meta.imageSize ?? 320) : Number(sizeText);
const describer = new ProposalDescriber(model, { proposals: largest(counts) });
const groundTruth = await readGroundTruth(groundTruthFile);
const total = imagesToDescribe(groundTruth);
let proposed = 0;
let described = 0;
const { database, queries, failures } = await describeGroundTruth({ describe: describeAll }, groundTruth, {
  sizing: { longest, multipleOf: model.stride },
  onProgress: (done) => {
    if (done % 50 === 0) process.stderr.write(`${done}/${total}\n`);
  },
});
const figures = {
  model: modelFile,
  longest,
  failures: failures.length,
  meanProposals: proposed / described,
  map: await mapOfKinds(0, model.channels),
  ...(model.meta.whitening && { whitened: await mapOfKinds(kinds.length * model.channels, model.dimension) }),
};
process.stdout.write(`${JSON.stringify(figures, null, 1)}\n`);
process.exit(0);

/** [1, H, W, 3] -> [1, kinds * C (+ kinds * D)]: the unit descriptor of every kind without whitening, then with it. */
function describeAll(images: tf.Tensor4D): tf.Tensor2D {
  return tf.tidy(() => {
    const image = { height: images.shape[1], width: images.shape[2] };
    const features = model.featureMap(images);
    const values = features.dataSync<'float32'>();
    const [, height, width, channels] = features.shape;
    const grid = regionsOf({ height, width }, model.meta.pooling, { image, stride: model.stride });
    const best = describer.regions(tf.tensor4d(values, features.shape), image); // from the numbers: no second run of the trunk
    proposed += best.length;
    described++;
    const regions = [...grid, ...best];
    const spans = [
      [0, grid.length],
      ...counts.map((count) => [grid.length, grid.length + count]),
      [0, grid.length + both],
    ];
    const vectors = tf.tensor3d(poolRegions(values, { width, channels }, regions), [1, regions.length, channels]);
    const sums = (rows: tf.Tensor3D) => {
      const read = rows.dataSync<'float32'>();
      return spans.flatMap(([from, to]) => unitSum(read, rows.shape[2], from, Math.min(to, regions.length)));
    };
    const plain = sums(l2Normalize(vectors, model.meta.pooling.epsilon));
    const all = model.meta.whitening === undefined ? plain : [...plain, ...sums(model.regionRows(vectors))];
    return tf.tensor2d(Float32Array.from(all), [1, all.length]);
  });
}

/** Unit vector of the sum of rows [from, to) of `dimension` values. */
function unitSum(rows: Float32Array, dimension: number, from: number, to: number): number[] {
  const sum = Array.from({ length: dimension }, () => 0);
  for (let row = from; row < to; row++) {
    for (let d = 0; d < dimension; d++) sum[d] += rows[row * dimension + d];
  }
  const norm = lengthOf(sum);
  return sum.map((value) => value / norm);
}

async function mapOfKinds(start: number, dimension: number): Promise<Record<string, number>> {
  const map: Record<string, number> = {};
  for (const [i, kind] of kinds.entries()) {
    const at = start + i * dimension;
    const result = await evaluateDescriptors(
      groundTruth,
      columns(database, at, dimension),
      columns(queries, at, dimension),
    );
    map[kind] = Math.round(result.map * 1e4) / 1e4;
  }
  return map;
}

function columns({ ids, data, dimension: all }: DescriptorTable, start: number, dimension: number): DescriptorTable {
  const own = new Float32Array(ids.length * dimension);
  for (let row = 0; row < ids.length; row++) {
    own.set(data.subarray(row * all + start, row * all + start + dimension), row * dimension);
  }
  return { ids, dimension, data: own };
}
