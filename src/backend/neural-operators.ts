/**
 * @file Operators of transformers that tfjs has no kernel for, with gradients: each is one ONNX operator forward where the project's
 * engine computes, and the same by tfjs's kernels elsewhere.
 */
import * as tf from '@tensorflow/tfjs-core';
import { recordOperators, recordOutputs, recordsOperators } from './operator.js';
import { emit, plain } from './record.js';
import { makeOp, Value } from './value.js';

/**
 * Layer norm along the last axis (Ba et al. 2016): (x - mean) / sqrt(variance + epsilon) * gamma + beta. x [..., C], gamma and
 * beta [C] -> the shape of x.
 */
export function layerNorm<T extends tf.Tensor>(x: T, gamma: tf.Tensor, beta: tf.Tensor, epsilon: number): T {
  return tf.customGrad((...args) => {
    const [input, scale, shift, save] = args as [tf.Tensor, tf.Tensor, tf.Tensor, tf.GradSaveFunc];
    const [value, mean, inverse] = normalized(input, scale, shift, epsilon);
    save([input, scale, mean, inverse]);
    return {
      value,
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => layerNormGradients(dy, saved),
    };
  })(x, gamma, beta) as T;
}

/** The result, the mean and 1 / sqrt(variance + epsilon), these [..., 1]. */
function normalized(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: number): tf.Tensor[] {
  if (recordsOperators()) {
    return recordOutputs([x, gamma, beta], (input, scale, shift) => {
      const inputs = [plain(input), plain(scale), plain(shift)];
      const op = makeOp('LayerNormalization', inputs, { axis: -1, epsilon: { float: epsilon } }, 3);
      const statistics = [...x.shape.slice(0, -1), 1];
      return [x.shape, statistics, statistics].map(
        (shape, i) => new Value(shape, 'float32', 'plain', op, i, undefined),
      );
    });
  }
  const mean = x.mean(-1, true);
  const centred = x.sub(mean);
  const inverse = centred.square().mean(-1, true).add(epsilon).rsqrt();
  return [centred.mul(inverse).mul(gamma).add(beta), mean, inverse];
}

function layerNormGradients(dy: tf.Tensor, [x, gamma, mean, inverse]: tf.Tensor[]): tf.Tensor[] {
  const unit = x.sub(mean).mul(inverse);
  const upstream = dy.mul(gamma);
  const along = upstream.mul(unit).mean(-1, true);
  const dx = upstream.sub(upstream.mean(-1, true)).sub(unit.mul(along)).mul(inverse);
  const others = x.shape.slice(0, -1).map((_, axis) => axis);
  return [dx, dy.mul(unit).sum(others), dy.sum(others)];
}

/** x times the normal distribution function at x (Hendrycks and Gimpel 2016), exact. Same shape out. */
export function gelu<T extends tf.Tensor>(x: T): T {
  return tf.customGrad((...args) => {
    const [input, save] = args as [tf.Tensor, tf.GradSaveFunc];
    save([input]);
    const value = recordsOperators()
      ? recordOperators([input], (v) => emit('#Gelu', [v], { shape: v.shape, layout: v.layout }))
      : input.mul(normalDistribution(input));
    const gradFunc = (dy: tf.Tensor, [at]: tf.Tensor[]) => {
      const density = at
        .square()
        .mul(-0.5)
        .exp()
        .mul(1 / Math.sqrt(2 * Math.PI));
      return dy.mul(normalDistribution(at).add(at.mul(density)));
    };
    return { value, gradFunc };
  })(x) as T;
}

function normalDistribution(x: tf.Tensor): tf.Tensor {
  return x.mul(Math.SQRT1_2).erf().add(1).mul(0.5);
}

/**
 * A matrix applied to the last axis: x [..., C], kernel [C, D] -> [..., D]. (The gradient of tfjs's product does not add up
 * over what it broadcast.)
 */
export function applyMatrix(x: tf.Tensor, kernel: tf.Tensor2D): tf.Tensor {
  return tf.customGrad((...args) => {
    const [input, matrix, save] = args as [tf.Tensor, tf.Tensor2D, tf.GradSaveFunc];
    save([input, matrix]);
    const gradFunc = (dy: tf.Tensor, [at, by]: tf.Tensor[]) => [
      tf.matMul(dy, by, false, true),
      tf.matMul(rowsOf(at), rowsOf(dy), true, false),
    ];
    return { value: tf.matMul(input, matrix), gradFunc };
  })(x, kernel);
}

/** The same tensor, in the order in memory that tfjs has, as layer norms and products want it: convolutions give channels first. */
export function inPlainOrder<T extends tf.Tensor>(x: T): T {
  if (!recordsOperators()) return x.clone();
  return tf.customGrad((input) => ({ value: recordOperators([input as tf.Tensor], plain), gradFunc: (dy) => dy }))(
    x,
  ) as T;
}

/** Reshapes to the shape of another tensor, which the graph finds out by itself where it is for all sizes. */
export function reshapeLike<T extends tf.Tensor>(x: tf.Tensor, like: T): T {
  if (!recordsOperators()) return x.reshape(like.shape);
  return tf.customGrad((input) => ({
    value: recordOperators([input as tf.Tensor, like], (value, other) => {
      const shape = emit('Shape', [plain(other)], { shape: [like.rank], type: 'int64' });
      return emit('Reshape', [plain(value), shape], { shape: like.shape });
    }),
    gradFunc: (dy: tf.Tensor) => dy.reshape(x.shape),
  }))(x) as T;
}

/** [..., C] -> [N, C]. */
function rowsOf(x: tf.Tensor): tf.Tensor2D {
  const channels = x.shape.at(-1)!;
  return x.reshape([x.size / channels, channels]);
}
