import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { engineStats } from '../../src/backend/index.js';
import { suppressOverlapping } from '../../src/rpn/non-maximum-suppression.js';
import { RandomStream } from '../../src/train/random.js';
import '../support/engine.js';

const padded = (boxes: number[], scores: number[], { most = 5, overlap = 0.5, score = -Infinity } = {}) => {
  const n = scores.length;
  const result = tf.image.nonMaxSuppressionPadded(
    tf.tensor2d(boxes, [n, 4]),
    tf.tensor1d(scores),
    most,
    overlap,
    score,
    true,
  ) as { selectedIndices: tf.Tensor1D; validOutputs: tf.Scalar };
  return { found: result.validOutputs.dataSync()[0], positions: [...result.selectedIndices.dataSync()] };
};

describe('nonMaxSuppressionPadded', () => {
  test('tfjs by hand: by score, padded with 0, dropped at the threshold, dropped at the score', () => {
    // the second covers half of the first; the third lies elsewhere
    const boxes = [0, 0, 10, 10, 0, 0, 10, 5, 0, 20, 10, 30];
    expect(padded(boxes, [1, 2, 3], { overlap: 0.5 })).toEqual({ found: 2, positions: [2, 1, 0] });
    expect(padded(boxes, [1, 2, 3], { overlap: 0.51 })).toEqual({ found: 3, positions: [2, 1, 0] });
    expect(padded(boxes, [1, 2, 3], { most: 1 })).toEqual({ found: 1, positions: [2] });
    expect(padded(boxes, [1, 2, 3], { overlap: 1, score: 1 })).toEqual({ found: 2, positions: [2, 1, 0] });
    expect(padded(boxes, [1, 1, 1], { overlap: 0.5, score: 1 })).toEqual({ found: 0, positions: [0, 0, 0] });
    expect(padded(boxes, [1, 1, 1], { overlap: 1 })).toEqual({ found: 3, positions: [0, 1, 2] });
  });

  test('random boxes: the choice of the plain numbers, without the JavaScript backend', () => {
    const random = new RandomStream(3);
    const forwarded = engineStats()!.forwarded;
    for (const overlap of [0.3, 0.7]) {
      const boxes = Array.from({ length: 300 }, () => {
        const [y, x] = [random.between(0, 80), random.between(0, 80)];
        return [y, x, y + random.between(5, 40), x + random.between(5, 40)].map(Math.fround);
      });
      const scores = boxes.map(() => Math.fround(random.next()));
      const order = [...scores.keys()].sort((a, b) => scores[b] - scores[a]);
      const kept = suppressOverlapping(
        order.flatMap((i) => boxes[i]),
        { threshold: overlap, most: 60 },
      );
      const { found, positions } = padded(boxes.flat(), scores, { most: 60, overlap });
      expect(positions.slice(0, found)).toEqual(Array.from(kept, (i) => order[i]));
    }
    expect(engineStats()!.forwarded).toBe(forwarded);
  });

  test('unpadded, the number of results depends on values: handed on', () => {
    const boxes = tf.tensor2d([0, 0, 10, 10, 0, 0, 10, 9], [2, 4]);
    const { selectedIndices } = tf.image.nonMaxSuppressionPadded(boxes, tf.tensor1d([1, 2]), 5, 0.5) as {
      selectedIndices: tf.Tensor1D;
    };
    expect([...selectedIndices.dataSync()]).toEqual([1]);
  });
});
