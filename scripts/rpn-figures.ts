/**
 * @file How good proposals are against the rigid grid, and what they cost. Prints one JSON object.
 *
 *   tsx scripts/rpn-figures.ts MODEL BOXES.jsonl [GROUNDTRUTH.json]
 *
 * MODEL is of `rmac train rpn`, BOXES.jsonl a manifest with the true boxes of photographs that it has not seen. For the best k proposals,
 * the grid and the whole image: recall at overlaps of 0.5 to 0.9, and average recall. With a ground truth: mAP by the grid and by
 * proposals. Times are medians over the photographs, ms of CPU of the process on one thread, from the second image of each shape on.
 */
import * as tf from '@tensorflow/tfjs';
import { startEngine } from '../src/backend/index.js';
import { decodeImage, toTensor } from '../src/data/images.js';
import { readManifest } from '../src/data/manifest.js';
import { loadModel } from '../src/data/model-file.js';
import { uprightSize } from '../src/data/upright-size.js';
import { rigidGrid } from '../src/models/regions.js';
import { describeGroundTruth } from '../src/retrieval/describe-ground-truth.js';
import type { Describer } from '../src/retrieval/describe.js';
import { evaluateDescriptors } from '../src/retrieval/evaluate.js';
import { readGroundTruth } from '../src/retrieval/ground-truth.js';
import { imageAnchors } from '../src/rpn/anchors.js';
import { boxInImage } from '../src/rpn/box-rows.js';
import { RpnHead } from '../src/rpn/head.js';
import { suppressOverlapping } from '../src/rpn/non-maximum-suppression.js';
import { ProposalDescriber } from '../src/rpn/proposal-describer.js';
import { selectProposals } from '../src/rpn/proposals.js';
import { averageRecall, bestOverlap, recallAt } from '../src/rpn/recall.js';
import { boxedRecords } from '../src/train/rpn/boxed-images.js';
import { RandomStream } from '../src/train/random.js';

const [modelFile, boxFile, groundTruthFile] = process.argv.slice(2);
if (boxFile === undefined) {
  process.stderr.write('usage: rpn-figures.ts MODEL BOXES.jsonl [GROUNDTRUTH.json]\n');
  process.exit(2);
}
const counts = [16, 32, 64, 128, 256];

await startEngine({ device: 'cpu', threads: 1 });
const model = await loadModel(modelFile);
const { rpn, imageSize = 320, pooling } = model.meta;
if (rpn === undefined) throw new Error(`${modelFile} has no proposals`);
const head = new RpnHead(rpn, model.channels, model.rpnWeights);
const figures = { ...(await recalls()), suppression: suppression(), map: await retrieval() };
process.stdout.write(`${JSON.stringify(figures, null, 1)}\n`);

async function recalls() {
  const records = boxedRecords(await readManifest(boxFile), boxFile);
  const overlaps = new Map<string, number[]>();
  const regions = new Map<string, number[]>();
  const add = (name: string, box: Float32Array, rows: ArrayLike<number>) => {
    overlaps.set(name, [...(overlaps.get(name) ?? []), bestOverlap(box, rows)]);
    regions.set(name, [...(regions.get(name) ?? []), rows.length / 4]);
  };
  const times = { trunk: [] as number[], head: [] as number[], select64: [] as number[] };
  const areas: number[] = [];
  const shapes = new Set<string>();
  for (const { path, box } of records) {
    const decoded = await decodeImage(path, { sizing: { longest: imageSize, multipleOf: model.stride } });
    const image = { height: decoded.height, width: decoded.width };
    const truth = boxInImage(box, await uprightSize(path), image);
    if (truth === undefined) continue;
    areas.push(((truth[2] - truth[0]) * (truth[3] - truth[1])) / (image.height * image.width));
    const pixels = toTensor(decoded);
    const timed = <T>(kind: keyof typeof times, work: () => T): T => {
      const before = process.cpuUsage();
      const result = work();
      const { user, system } = process.cpuUsage(before);
      if (shapes.has(`${image.width}x${image.height}`)) times[kind].push((user + system) / 1000);
      return result;
    };
    const map = tf.tidy(() => model.featureMap(pixels));
    timed('trunk', () => map.dataSync());
    const [, height, width] = map.shape;
    const anchors = imageAnchors({ height, width }, model.stride, head.meta.anchors, image);
    const values = timed('head', () =>
      tf.tidy(() => {
        const { logOdds, deltas } = head.run(map);
        return tf.concat([logOdds, deltas.reshape<tf.Tensor1D>([-1])]).dataSync<'float32'>();
      }),
    );
    const parts = {
      anchors,
      scores: values.subarray(0, anchors.length / 4),
      deltas: values.subarray(anchors.length / 4),
    };
    timed('select64', () => selectProposals(parts, image, { count: 64 }));
    const { boxes } = selectProposals(parts, image, { count: counts.at(-1) });
    for (const count of counts) add(`rpn:${count}`, truth, boxes.subarray(0, 4 * count));
    const grid = rigidGrid(image.height, image.width, { levels: pooling.levels });
    add(
      'grid',
      truth,
      grid.flatMap(({ yMin, xMin, yMax, xMax }) => [yMin, xMin, yMax, xMax]),
    );
    add('whole image', truth, [0, 0, image.height, image.width]);
    tf.dispose([pixels, map]);
    shapes.add(`${image.width}x${image.height}`);
  }
  return {
    photographs: areas.length,
    boxShareOfImage: median(areas),
    recall: Object.fromEntries(
      [...overlaps].map(([name, all]) => [
        name,
        {
          regions: rounded(regions.get(name)!.reduce((sum, n) => sum + n, 0) / all.length),
          ...Object.fromEntries([0.5, 0.6, 0.7, 0.8, 0.9].map((at) => [at, rounded(recallAt(all, at))])),
          average: rounded(averageRecall(all)),
        },
      ]),
    ),
    ms: Object.fromEntries(Object.entries(times).map(([kind, all]) => [kind, rounded(median(all))])),
  };
}

/** 6000 random boxes to 300, spread over the image and in a cluster. */
function suppression() {
  return [1, 0.15].map((spread) => {
    const random = new RandomStream(1);
    const rows = Float32Array.from(
      Array.from({ length: 6000 }, () => {
        const [cy, cx] = [120 + spread * random.between(-100, 100), 160 + spread * random.between(-140, 140)];
        const [height, width] = [random.between(40, 200), random.between(40, 260)];
        return [cy - height / 2, cx - width / 2, cy + height / 2, cx + width / 2];
      }).flat(),
    );
    let kept = 0;
    const times = Array.from({ length: 41 }, () => {
      const before = process.cpuUsage();
      kept = suppressOverlapping(rows, { most: 300 }).length;
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000;
    });
    return { spread, kept, ms: rounded(median(times)) };
  });
}

async function retrieval() {
  if (groundTruthFile === undefined) return undefined;
  const groundTruth = await readGroundTruth(groundTruthFile);
  const measured: Record<string, number> = {};
  const measure = async (name: string, describer: Describer) => {
    const { database, queries } = await describeGroundTruth(describer, groundTruth, { sizing: { longest: imageSize } });
    measured[name] = rounded((await evaluateDescriptors(groundTruth, database, queries)).map);
  };
  await measure('grid', model);
  for (const options of [...counts.map((proposals) => ({ proposals, grid: false })), { proposals: 64, grid: true }]) {
    const describer = new ProposalDescriber(model, options);
    await measure(`${options.grid ? 'grid+' : ''}rpn:${options.proposals}`, describer);
    describer.dispose();
  }
  return measured;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

function rounded(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
