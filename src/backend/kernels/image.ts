/**
 * @file Bilinear resizing. It is linear and separable, out = R_h x R_w^T, so that both directions are two products with
 * small constant matrices and the gradient is exact by construction.
 */
import { asActivation, emit, known, physically, reshape, toLayout } from '../record.js';
import type { Value } from '../value.js';
import { defineKernel } from './kernel.js';

interface ResizeAttributes {
  size: [number, number];
  alignCorners: boolean;
  halfPixelCenters: boolean;
}

/** [to, from]: each row holds the two weights of one output line. */
function weights(from: number, to: number, { alignCorners, halfPixelCenters }: ResizeAttributes): Value {
  const scale = alignCorners && to > 1 ? (from - 1) / (to - 1) : from / to;
  const rows = new Float32Array(to * from);
  for (let i = 0; i < to; i++) {
    const at = Math.max(0, halfPixelCenters ? (i + 0.5) * scale - 0.5 : i * scale);
    const low = Math.min(Math.floor(at), from - 1);
    const high = Math.min(low + 1, from - 1);
    const fraction = Math.min(at - low, 1);
    rows[i * from + low] = rows[i * from + low] + 1 - fraction;
    rows[i * from + high] = rows[i * from + high] + fraction;
  }
  return known(rows, [to, from]);
}

/** left: [p, h], x: [n, h, w, c], right: [q, w] -> left x right^T for each image and channel. */
function sandwich(left: Value, x: Value, right: Value, [p, q]: readonly [number, number]): Value {
  const [n, h, w, c] = x.shape as [number, number, number, number];
  const flat = reshape(physically(toLayout(x, 'nchw')), [n * c * h, w]);
  const across = emit('Gemm', [flat, right], { shape: [n * c * h, q] }, { transA: 0, transB: 1 });
  const down = emit('MatMul', [left, reshape(across, [n * c, h, q])], { shape: [n * c, p, q] });
  return asActivation(reshape(down, [n, c, p, q]));
}

defineKernel<ResizeAttributes>('ResizeBilinear', ({ images }, attributes) => {
  const x = images;
  const [height, width] = attributes.size;
  const [, h, w] = x.shape as [number, number, number, number];
  return sandwich(weights(h, height, attributes), x, weights(w, width, attributes), [height, width]);
});

defineKernel<Omit<ResizeAttributes, 'size'>>('ResizeBilinearGrad', ({ dy, images }, attributes) => {
  const [, h, w] = images.shape as [number, number, number, number];
  const [, height, width] = dy.shape as [number, number, number, number];
  const transposed = (matrix: Value) => {
    const [rows, columns] = matrix.shape as [number, number];
    return emit('Transpose', [matrix], { shape: [columns, rows] }, { perm: [1, 0] });
  };
  const size: [number, number] = [height, width];
  const left = transposed(weights(h, height, { ...attributes, size }));
  const right = transposed(weights(w, width, { ...attributes, size }));
  return sandwich(left, dy, right, [h, w]);
});
