/** @file What an update trains on: triplets or tuples, mined or random, or a random list, with a view of every image. */
import { type AugmentationOptions, drawGenerated, drawView, generatedView } from '../augmentation.js';
import type { ViewedImage } from '../image-inputs.js';
import type { TrainingRecord } from '../views/training-record.js';
import { isNegative, type MinedTriplets, type PoolLabels } from './mining.js';
import type { RandomStream } from '../random.js';
import { contrastiveBatch, listwiseBatch, type RankingBatch, type Tuple, tripletBatch } from './ranking-batches.js';
import { drawTuples } from './random-tuples.js';
import { type MinedSampling, sampleTriplets, type Sampling } from './sampler.js';
import { append } from '../../extremes.js';

export interface BatchConfig {
  loss: 'triplet' | 'contrastive' | 'average-precision';
  tripletsPerStep: number;
  sampling: Sampling;
  margin: number;
  negativesPerTuple: number;
  listSize: number;
  photographsPerLandmark: number;
  bins: number;
  augmentation: AugmentationOptions;
}

export interface DrawnBatch {
  batch: RankingBatch<ViewedImage>;
  /** Samples taken of the mining. */
  drawn: number;
}

/** The same view for one image in all terms of a batch: of a generated one that which was mined, or a new one. */
function viewer(
  records: readonly TrainingRecord[],
  random: RandomStream,
  augmentation: AugmentationOptions,
  mined?: readonly number[],
) {
  const views = new Map<number, ViewedImage>();
  return (position: number): ViewedImage => {
    let viewed = views.get(position);
    if (viewed === undefined) {
      const record = records[position];
      const generated = () => (mined === undefined ? drawGenerated(random) : generatedView(mined[position]));
      const view = record.generated ? generated() : drawView(random, augmentation);
      viewed = { record, view };
      views.set(position, viewed);
    }
    return viewed;
  };
}

/** The loss of positions in `records`. */
function batchOf(
  tuples: readonly Tuple<number>[],
  records: readonly TrainingRecord[],
  config: BatchConfig,
  random: RandomStream,
  mined?: readonly number[],
): RankingBatch<ViewedImage> {
  const view = viewer(records, random, config.augmentation, mined);
  const viewed = tuples.map(
    ([query, positive, ...negatives]) => [view(query), view(positive), ...negatives.map(view)] as const,
  );
  if (config.loss === 'contrastive') return contrastiveBatch(viewed, config);
  return tripletBatch(
    viewed.map(([query, positive, negative]) => [query, positive, negative] as const),
    config,
  );
}

/** Triplets or tuples of a mined pool. `drawn`: samples taken since the mining; `generated`: seeds of
 * the images of the pool that were generated. */
export function drawMined(
  {
    pool,
    labels,
    triplets: mined,
    drawn,
    generated,
  }: {
    pool: readonly TrainingRecord[];
    labels: PoolLabels;
    triplets: MinedTriplets;
    drawn: number;
    generated?: readonly number[] | undefined;
  },
  config: BatchConfig & { sampling: MinedSampling },
  random: RandomStream,
): DrawnBatch {
  const samples = sampleTriplets(mined, config.sampling, { count: config.tripletsPerStep, drawn, random });
  const tuples = samples.map((sample): Tuple<number> => {
    const [query, positive, negative] = mined.triplets.subarray(3 * sample, 3 * sample + 3);
    if (config.loss !== 'contrastive') return [query, positive, negative];
    return [query, positive, ...tupleNegatives(mined, sample, labels, config.negativesPerTuple)];
  });
  return { batch: batchOf(tuples, pool, config, random, generated), drawn: samples.length };
}

/** Random triplets or tuples of all `records`. */
export function drawRandom(
  records: readonly TrainingRecord[],
  labels: PoolLabels,
  config: BatchConfig,
  random: RandomStream,
): DrawnBatch {
  const { loss, tripletsPerStep: count, negativesPerTuple } = config;
  const tuples = drawTuples(labels, { count, negatives: loss === 'contrastive' ? negativesPerTuple : 1 }, random);
  return { batch: batchOf(tuples, records, config, random), drawn: 0 };
}

/**
 * The sampled triplet's negative and the other negatives of its query's triplets, hardest first, no two of one landmark or group
 * (Radenovic et al. 2018, section 3.2), at most `count`.
 */
export function tupleNegatives(mined: MinedTriplets, sample: number, labels: PoolLabels, count: number): number[] {
  let query = 0;
  while (mined.offsets[query + 1] <= sample) query++;
  const negatives = [mined.triplets[3 * sample + 2]];
  for (let i = mined.offsets[query]; i < mined.offsets[query + 1] && negatives.length < count; i++) {
    const candidate = mined.triplets[3 * i + 2];
    if (negatives.every((other) => isNegative(labels, other, candidate))) negatives.push(candidate);
  }
  return negatives;
}

/** A list of `listSize` images: photographs of landmarks in random order, `photographsPerLandmark` of each that has two. */
export function drawList(
  records: readonly TrainingRecord[],
  labels: PoolLabels,
  config: BatchConfig,
  random: RandomStream,
): DrawnBatch {
  const byLandmark = new Map<number, number[]>();
  for (const [i, landmark] of labels.landmarks.entries()) {
    const members = byLandmark.get(landmark);
    if (members === undefined) byLandmark.set(landmark, [i]);
    else members.push(i);
  }
  const several = [...byLandmark.values()].filter((members) => members.length > 1);
  const list: number[] = [];
  for (const members of random.shuffle(several)) {
    const room = Math.min(config.photographsPerLandmark, config.listSize - list.length);
    if (room < 2) break;
    append(list, random.shuffle(members).slice(0, room));
  }
  const view = viewer(records, random, config.augmentation);
  const positions = new Map(list.map((position) => [view(position), position]));
  const relation = (a: ViewedImage, b: ViewedImage) => {
    const [i, j] = [positions.get(a) as number, positions.get(b) as number];
    if (labels.landmarks[i] === labels.landmarks[j]) return 1;
    return isNegative(labels, i, j) ? 0 : undefined;
  };
  return { batch: listwiseBatch([...positions.keys()], relation, config), drawn: 0 };
}
