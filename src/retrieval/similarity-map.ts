/**
 * @file Which places of two images make them similar, without gradients.
 *
 * With v_r the unit rows of image A's regions (whitened where the model whitens), d_A = sum v_r / |sum v_r| and d_B the other
 * image's descriptor, a region contributes <v_r, d_B> / |sum v_r|: over all regions that is the similarity <d_A, d_B>, exactly. A region's
 * contribution is spread over its cells by where its pooled vector m comes from: channel c counts by m_c^2, and lies where its
 * maximum is (GeM and SPoC: in proportion to x^p). A region of zeros is spread evenly. So a map sums to the similarity; a region that is
 * unlike B is negative. A pooling of one region (MAC, GeM, SPoC) shows where the descriptor comes from, whatever B is.
 */
import * as tf from '@tensorflow/tfjs-core';
import { toTensor } from '../data/images.js';
import type { RgbImage } from '../data/rgb-image.js';
import { type DescriptorModel, exponentName } from '../models/descriptor.js';
import { gemFloor, regionsOf } from '../models/pooling.js';
import type { Region } from '../models/regions.js';
import { lengthOf } from '../extremes.js';

export interface SimilarityMap {
  /** [height, width] cells, row-major; they sum to the similarity. */
  values: Float32Array;
  height: number;
  width: number;
}

export type MappedModel = Pick<
  DescriptorModel,
  'meta' | 'stride' | 'variables' | 'featureMap' | 'regionRows' | 'dimension'
>;

/** What an image's regions are: their unit rows, and where each of their vectors comes from. */
interface Places {
  height: number;
  width: number;
  /** [R * D] */
  rows: Float32Array;
  /** Of each region, [height * width] shares of 1. */
  shares: Float64Array[];
  /** [D] */
  descriptor: Float64Array;
  /** |sum of the rows|. */
  norm: number;
}

/** The maps of two images of any size. Not for models that pool proposals. */
export async function similarityMaps(
  model: MappedModel,
  a: RgbImage,
  b: RgbImage,
): Promise<{ similarity: number; maps: [SimilarityMap, SimilarityMap] }> {
  const [placesA, placesB] = [await placesOf(model, a), await placesOf(model, b)];
  const similarity = placesA.descriptor.reduce((sum, value, d) => sum + value * placesB.descriptor[d], 0);
  return { similarity, maps: [mapOf(placesA, placesB.descriptor), mapOf(placesB, placesA.descriptor)] };
}

function mapOf({ height, width, rows, shares, norm }: Places, other: Float64Array): SimilarityMap {
  const values = new Float32Array(height * width);
  for (const [r, share] of shares.entries()) {
    let contribution = 0;
    for (const [d, value] of other.entries()) contribution += rows[r * other.length + d] * value;
    contribution /= norm;
    for (let i = 0; i < values.length; i++) values[i] += contribution * share[i];
  }
  return { values, height, width };
}

async function placesOf(model: MappedModel, image: RgbImage): Promise<Places> {
  const map = tf.tidy(() => model.featureMap(toTensor(image)));
  const [, height, width, channels] = map.shape;
  const values = await map.data<'float32'>();
  map.dispose();
  const { pooling } = model.meta;
  const regions: Region[] =
    pooling.kind === 'rmac'
      ? regionsOf({ height, width }, pooling, { image, stride: model.stride })
      : [{ yMin: 0, xMin: 0, yMax: height, xMax: width }];
  const power = await powerOf(model);
  const pooled = regions.map((region) => poolPlaces(values, { width, height, channels }, region, power));
  const vectors = new Float32Array(regions.length * channels);
  pooled.forEach(({ vector }, r) => vectors.set(vector, r * channels));
  const tensor = tf.tidy(() => model.regionRows(tf.tensor3d(vectors, [1, regions.length, channels])));
  const rows = Float32Array.from(await tensor.data<'float32'>());
  tensor.dispose();
  const sum = new Float64Array(model.dimension);
  rows.forEach((value, i) => (sum[i % sum.length] += value));
  const norm = Math.max(lengthOf(sum), pooling.epsilon);
  return { height, width, rows, shares: pooled.map(({ share }) => share), descriptor: sum.map((x) => x / norm), norm };
}

/** p of the mean over a region; Infinity for the maximum. */
async function powerOf({ meta, variables }: MappedModel): Promise<number> {
  if (meta.pooling.kind === 'spoc') return 1;
  if (meta.pooling.kind !== 'gem') return Infinity;
  return (await variables.get(exponentName)!.data())[0];
}

/** A region's pooled vector [C], and the share of each cell of the map in it. */
function poolPlaces(
  values: Float32Array,
  { width, height, channels }: { width: number; height: number; channels: number },
  { yMin, xMin, yMax, xMax }: Region,
  power: number,
): { vector: Float32Array; share: Float64Array } {
  const cells: number[] = [];
  for (let y = yMin; y < yMax; y++) for (let x = xMin; x < xMax; x++) cells.push(y * width + x);
  const vector = new Float32Array(channels);
  const share = new Float64Array(height * width);
  let total = 0;
  for (let c = 0; c < channels && cells.length > 0; c++) {
    const at = (cell: number) => values[cell * channels + c];
    if (power === Infinity) {
      const largest = cells.reduce((best, cell) => (at(cell) > at(best) ? cell : best));
      vector[c] = at(largest);
      share[largest] += vector[c] ** 2;
    } else {
      // SPoC has no floor, and may have negative values where the trunk does not end in a ReLU.
      const parts = cells.map((cell) => (power === 1 ? at(cell) : Math.max(at(cell), gemFloor) ** power));
      const sum = parts.reduce((x, y) => x + y, 0);
      vector[c] = (sum / cells.length) ** (1 / power);
      if (sum > 0) cells.forEach((cell, i) => (share[cell] += (vector[c] ** 2 * parts[i]) / sum));
    }
  }
  for (const weight of share) total += weight;
  if (total > 0) return { vector, share: share.map((weight) => weight / total) };
  const even = cells.length > 0 ? cells : [...share.keys()];
  for (const cell of even) share[cell] = 1 / even.length;
  return { vector, share };
}
