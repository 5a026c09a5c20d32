/**
 * @file Resizing. Bilinear resizing is linear and separable, out = R_h x R_w^T, so that both directions are two products
 * with small constant matrices and the gradient is exact by construction.
 */
import { asActivation, cast, emit, known, physically, reshape, toLayout } from '../record.js';
import type { Value } from '../value.js';
import { defineKernel } from './kernel.js';
import { picked, strided } from './shape.js';

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
  const x = cast(images, 'float32');
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

/** [to]: the input line that each output line copies. */
function nearest(from: number, to: number, alignCorners: boolean, halfPixelCenters: boolean): number[] {
  const corners = alignCorners && to > 1;
  const scale = (corners ? from - 1 : from) / (corners ? to - 1 : to);
  return Array.from({ length: to }, (_, i) => {
    const at = scale * (halfPixelCenters ? i + 0.5 : i);
    return Math.max(0, Math.min(from - 1, alignCorners ? Math.round(at) : Math.floor(at)));
  });
}

defineKernel<ResizeAttributes>('ResizeNearestNeighbor', ({ images }, attributes) => {
  const { size, alignCorners, halfPixelCenters } = attributes;
  let x = physically(toLayout(images, 'nchw'));
  for (const [axis, to] of [
    [2, size[0]],
    [3, size[1]],
  ] as const) {
    x = picked(x, axis, nearest(x.shape[axis], to, alignCorners, halfPixelCenters));
  }
  return asActivation(x);
});

defineKernel<Omit<ResizeAttributes, 'size'>>('ResizeNearestNeighborGrad', ({ dy, images }, { alignCorners }) => {
  const [, h, w] = images.shape as [number, number, number, number];
  const [, height, width] = dy.shape as [number, number, number, number];
  /** [from, to]: each input line takes the sum of the lines that copied it. */
  const collected = (from: number, to: number) => {
    const rows = new Float32Array(from * to);
    nearest(from, to, alignCorners, false).forEach((line, i) => {
      rows[line * to + i] = 1;
    });
    return known(rows, [from, to]);
  };
  return sandwich(collected(h, height), dy, collected(w, width), [h, w]);
});

defineKernel('FlipLeftRight', ({ image }) => {
  const [n, h, w, c] = image.shape as [number, number, number, number];
  return strided(image, [0, 0, w - 1, 0], [n, h, w, c], [1, 1, -1, 1]);
});
