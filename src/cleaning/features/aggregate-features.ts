/**
 * @file One vector per image from its local features alone, for pre-selecting pairs where there is no descriptor model: VLAD (Jegou et al., CVPR
 * 2010) with a small vocabulary learned on the collection itself, each cell's residuals and then the whole brought to unit length
 * (Arandjelovic and Zisserman 2013).
 */
import { RandomStream } from '../../train/random.js';
import { descriptorLength, type Features } from './features.js';

/** Rows of a vocabulary, [words * 128]. */
export type Vocabulary = Float32Array;

/**
 * Means of descriptors by Lloyd's algorithm. `sample`: rows [N, 128]. With fewer rows than words, fewer words; none for no rows.
 */
export function learnVocabulary(
  sample: Uint8Array,
  { words = 32, rounds = 12, seed = 1 }: { words?: number; rounds?: number; seed?: number } = {},
): Vocabulary {
  const count = sample.length / descriptorLength;
  const used = Math.min(words, count);
  const order = new RandomStream(seed).shuffle(Array.from({ length: count }, (_, i) => i));
  const centres = new Float32Array(used * descriptorLength);
  for (let w = 0; w < used; w++) {
    const row = order[w] * descriptorLength;
    centres.set(sample.subarray(row, row + descriptorLength), w * descriptorLength);
  }
  for (let round = 0; round < rounds; round++) {
    const sums = new Float64Array(centres.length);
    const members = new Float64Array(used);
    const nearest = nearestWords(sample, centres);
    for (let i = 0; i < count; i++) {
      const [from, to] = [i * descriptorLength, nearest[i] * descriptorLength];
      members[nearest[i]]++;
      for (let d = 0; d < descriptorLength; d++) sums[to + d] += sample[from + d];
    }
    for (let w = 0; w < used; w++) {
      if (members[w] === 0) continue; // stays where it is
      for (let d = 0; d < descriptorLength; d++) {
        const i = w * descriptorLength + d;
        centres[i] = sums[i] / members[w];
      }
    }
  }
  return centres;
}

/** The vector of an image, [words * 128], of unit length, or zero for an image without features. */
export function aggregateFeatures({ descriptors, count }: Features, vocabulary: Vocabulary): Float32Array {
  const vector = new Float32Array(vocabulary.length);
  const nearest = nearestWords(descriptors.subarray(0, count * descriptorLength), vocabulary);
  for (let i = 0; i < count; i++) {
    const [from, to] = [i * descriptorLength, nearest[i] * descriptorLength];
    for (let d = 0; d < descriptorLength; d++) vector[to + d] += descriptors[from + d] - vocabulary[to + d];
  }
  for (let cell = 0; cell < vector.length; cell += descriptorLength) {
    toUnit(vector.subarray(cell, cell + descriptorLength));
  }
  toUnit(vector);
  return vector;
}

/** The nearest word of each row, by squared distance. */
function nearestWords(rows: Uint8Array, vocabulary: Vocabulary): Int32Array {
  const words = vocabulary.length / descriptorLength;
  const halfNorms = Float64Array.from({ length: words }, (_, w) => {
    let sum = 0;
    for (let i = w * descriptorLength; i < (w + 1) * descriptorLength; i++) sum += vocabulary[i] * vocabulary[i];
    return sum / 2;
  });
  return Int32Array.from({ length: rows.length / descriptorLength }, (_, i) => {
    const row = i * descriptorLength;
    let [best, bestWord] = [-Infinity, 0];
    for (let w = 0; w < words; w++) {
      const base = w * descriptorLength;
      let dot = -halfNorms[w];
      for (let d = 0; d < descriptorLength; d++) dot += rows[row + d] * vocabulary[base + d];
      if (dot > best) [best, bestWord] = [dot, w];
    }
    return bestWord;
  });
}

function toUnit(values: Float32Array): void {
  let squared = 0;
  for (const value of values) squared += value * value;
  if (squared === 0) return;
  const scale = 1 / Math.sqrt(squared);
  for (let i = 0; i < values.length; i++) values[i] *= scale;
}
