/**
 * @file Tokens of a vision transformer as a map: [N, h + 1, w, C], where the first row holds the class token, the registers, and
 * cells that nobody reads, and the others are the patches. Layers that work cell by cell need know nothing of it; attention reads no
 * cell that is not a token.
 */
import * as tf from '@tensorflow/tfjs-core';
import { inPlainOrder, reshapeLike } from '../backend/index.js';

export interface TokenWeights {
  /** [C] */
  classToken: tf.Tensor;
  /** [R, C] */
  registers?: tf.Tensor | undefined;
  /** [1 + G G, C]: of the class token, and of a grid of G x G patches, row by row. */
  position: tf.Tensor;
}

/**
 * Patches [N, h, w, C] -> tokens [N, h + 1, w, C]: with their positions, resized to h x w as DINOv2 does, below a row of the class token,
 * with its position, and the registers, which have none. w is at least the number of those.
 */
export function placeTokens(
  patches: tf.Tensor4D,
  { classToken, registers, position }: TokenWeights,
  options: { grid: number; antialias: boolean },
): tf.Tensor4D {
  const channels = patches.shape[3];
  const first = classToken.reshape([1, channels]).add(position.slice([0, 0], [1, channels]));
  const tokens = registers === undefined ? first : tf.concat([first, registers], 0);
  const grid = position.slice([1, 0], [options.grid ** 2, channels]);
  const placed = inPlainOrder(patches).add<tf.Tensor4D>(resizedPositions(grid, patches, options));
  return withTokenRow(placed, tokens);
}

/** [N, h, w, C] below a row of the tokens [T, C]; the rest of that row repeats the patches. */
function withTokenRow(patches: tf.Tensor4D, tokens: tf.Tensor): tf.Tensor4D {
  const [n, h, w, channels] = patches.shape;
  const [count] = tokens.shape;
  return tf.customGrad((...args) => {
    const [x, row] = args as [tf.Tensor4D, tf.Tensor2D];
    const first = x.slice([0, 0, 0, 0], [n, 1, count, channels]).mul(0).add(row);
    const rest = x.slice([0, 0, count, 0], [n, 1, w - count, channels]);
    const gradFunc = (dy: tf.Tensor) => [
      dy.slice([0, 1, 0, 0], [n, h, w, channels]),
      dy.slice([0, 0, 0, 0], [n, 1, count, channels]).sum([0, 1]),
    ];
    return { value: tf.concat([w === count ? first : tf.concat([first, rest], 2), x], 1), gradFunc };
  })(patches, tokens) as tf.Tensor4D;
}

/** Multi-head attention of all tokens to all (Vaswani et al. 2017): queries, keys and values [N, h + 1, w, 3 C] -> [N, h + 1, w, C]. */
export function attend(x: tf.Tensor4D, { heads, tokens }: { heads: number; tokens: number }): tf.Tensor4D {
  const [n, rows, w, wide] = x.shape;
  const channels = wide / 3;
  const width = channels / heads;
  const cells = rows * w;
  const asked = x.slice<tf.Tensor4D>([0, 0, 0, 0], [n, rows, w, channels]);
  const queries = tf.transpose(asked.reshape([n, cells, heads, width]), [0, 2, 1, 3]).mul(1 / Math.sqrt(width));
  const special = x.slice([0, 0, 0, channels], [n, 1, tokens, 2 * channels]).reshape([n, tokens, 2 * channels]);
  const patches = x.slice([0, 1, 0, channels], [n, rows - 1, w, 2 * channels]);
  const count = tokens + (rows - 1) * w;
  const read = tf.concat([special, patches.reshape([n, (rows - 1) * w, 2 * channels])], 1);
  const part = (at: number) =>
    read.slice([0, 0, at * channels], [n, count, channels]).reshape([n, count, heads, width]);
  const keys = tf.transpose(part(0), [0, 2, 3, 1]); // [N, heads, width, tokens]
  const values = tf.transpose(part(1), [0, 2, 1, 3]); // [N, heads, tokens, width]
  const shares = tf.softmax(tf.matMul(queries, keys));
  return reshapeLike(tf.transpose(tf.matMul(shares, values), [0, 2, 1, 3]), asked);
}

/** Positions [G G, C] of a grid -> [1, h, w, C] for the patches [N, h, w, C]. Differentiable by the positions. */
function resizedPositions(
  positions: tf.Tensor,
  patches: tf.Tensor4D,
  { grid, antialias }: { grid: number; antialias: boolean },
): tf.Tensor {
  const [, h, w, channels] = patches.shape;
  const [down, across] = interpolations(patches, { grid, antialias });
  return tf.customGrad((...args) => {
    const [x, save] = args as [tf.Tensor, tf.GradSaveFunc];
    save([down, across]);
    const byRow = tf.matMul(down, x.reshape<tf.Tensor2D>([grid, grid * channels])).reshape([1, h, grid, channels]);
    const gradFunc = (dy: tf.Tensor, [rows, columns]: tf.Tensor[]) => {
      const back = tf.matMul(columns, dy.reshape([h, w, channels]), true, false); // [h, G, C]
      const summed = tf.matMul(rows, back.reshape([h, grid * channels]), true, false);
      return summed.reshape([grid * grid, channels]);
    };
    return { value: tf.matMul(across, byRow), gradFunc };
  })(positions);
}

/**
 * What lines of the grid each line of the map is made of, [h, G] and [w, G]: bicubic. As DINOv2 has it: without registers a grid that is
 * resized counts as a tenth of a line longer than the map, and nothing is smoothed; with them lines are smoothed where the map is
 * smaller. Written so that nothing but the patches says how large the map is.
 */
function interpolations(
  patches: tf.Tensor4D,
  { grid, antialias }: { grid: number; antialias: boolean },
): tf.Tensor2D[] {
  const [, h, w] = patches.shape;
  const lines = [
    patches.slice([0, 0, 0, 0], [1, h, 1, 1]).reshape<tf.Tensor1D>([h]),
    patches.slice([0, 0, 0, 0], [1, 1, w, 1]).reshape<tf.Tensor1D>([w]),
  ].map((line) => line.mul<tf.Tensor1D>(0).add<tf.Tensor1D>(1));
  const counts = lines.map((line) => line.sum());
  const resized = counts.map((count) => count.sub(grid).abs()).reduce((a, b) => a.add(b));
  const longer = antialias ? tf.scalar(0) : resized.minimum(1).mul(0.1);
  return lines.map((line, axis) => {
    const scale = tf.scalar(grid).div(counts[axis].add(longer));
    const at = line.cumsum().sub(0.5).mul(scale).sub(0.5).expandDims(1); // [n, 1]
    const border = antialias ? 0 : 2; // lines beyond the grid are its outermost
    const nodes = tf.range(-border, grid + border).expandDims(0);
    const distance = at.sub(nodes).abs();
    if (antialias) {
      const weights = cubic(distance.div(scale.maximum(1)), -0.5);
      return weights.div(weights.sum(1, true));
    }
    return tf.matMul<tf.Tensor2D>(cubic(distance, -0.75), clampedLines(grid, border));
  });
}

/** Keys' kernel (1981): up to 1 and from 1 to 2 cells away, 0 beyond. */
function cubic(distance: tf.Tensor, a: number): tf.Tensor {
  const near = distance.minimum(1);
  const far = distance.clipByValue(1, 2);
  const inner = near
    .mul(a + 2)
    .sub(a + 3)
    .mul(near)
    .mul(near)
    .add(1);
  return inner.add(far.sub(5).mul(far).add(8).mul(far).sub(4).mul(a));
}

/** [G + 2 B, G]: lines beyond the grid go to its outermost. */
function clampedLines(grid: number, border: number): tf.Tensor2D {
  const rows = grid + 2 * border;
  const values = new Float32Array(rows * grid);
  for (let i = 0; i < rows; i++) values[i * grid + Math.min(Math.max(i - border, 0), grid - 1)] = 1;
  return tf.tensor2d(values, [rows, grid]);
}
