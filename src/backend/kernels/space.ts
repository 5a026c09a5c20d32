/** @file Kernels that rearrange space: strided slices, mirrored borders, blocks to batch or depth and back. */
import { backend_util, slice_util } from '@tensorflow/tfjs-core';
import { plain, reshape, transpose } from '../record.js';
import { defineKernel } from './kernel.js';
import { padded, picked, shapeOf, strided } from './shape.js';

interface StridedSliceAttributes {
  begin: number[];
  end: number[];
  strides: number[];
  beginMask: number;
  endMask: number;
  ellipsisMask: number;
  newAxisMask: number;
  shrinkAxisMask: number;
}

defineKernel<StridedSliceAttributes>('StridedSlice', ({ x }, attributes) => {
  const { beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask } = attributes;
  const { finalShape, begin, end, strides } = slice_util.sliceInfo(
    shapeOf(x),
    attributes.begin,
    attributes.end,
    attributes.strides,
    beginMask,
    endMask,
    ellipsisMask,
    newAxisMask,
    shrinkAxisMask,
  );
  const size = slice_util.computeOutShape(begin, end, strides).map((extent) => Math.max(0, extent));
  return reshape(strided(x, begin, size, strides), finalShape);
});

defineKernel<{ paddings: [number, number][]; mode: 'reflect' | 'symmetric' }>('MirrorPad', ({ x }, attributes) => {
  // Reflection leaves out the border itself, symmetry repeats it.
  const offset = attributes.mode === 'reflect' ? 0 : 1;
  return attributes.paddings.reduce((value, [before, after], axis) => {
    if (before + after === 0) return value;
    const extent = value.shape[axis];
    const sources = Array.from({ length: before + extent + after }, (_, i) => {
      const at = i - before;
      if (at < 0) return -at - offset;
      return at < extent ? at : 2 * (extent - 1) - at + offset;
    });
    return picked(value, axis, sources);
  }, plain(x));
});

defineKernel<{ blockShape: number[]; paddings: [number, number][] }>('SpaceToBatchND', ({ x }, attributes) => {
  const { blockShape, paddings } = attributes;
  const product = blockShape.reduce((a, b) => a * b, 1);
  const rest = x.shape.length - 1 - blockShape.length;
  const whole: [number, number][] = [
    [0, 0],
    ...paddings,
    ...Array.from({ length: rest }, (): [number, number] => [0, 0]),
  ];
  const bordered = padded(x, whole, 0);
  const split = backend_util.getReshaped(shapeOf(bordered), blockShape, product, false);
  const order = backend_util.getPermuted(split.length, blockShape.length, false);
  const joined = backend_util.getReshapedPermuted(shapeOf(bordered), blockShape, product, false);
  return reshape(transpose(reshape(bordered, split), order), joined);
});

defineKernel<{ blockShape: number[]; crops: number[][] }>('BatchToSpaceND', ({ x }, { blockShape, crops }) => {
  const product = blockShape.reduce((a, b) => a * b, 1);
  const split = backend_util.getReshaped(shapeOf(x), blockShape, product);
  const order = backend_util.getPermuted(split.length, blockShape.length);
  const joined = backend_util.getReshapedPermuted(shapeOf(x), blockShape, product);
  const cropped = backend_util.getSliceSize(joined, crops, blockShape.length);
  const size = [...cropped, ...joined.slice(cropped.length)];
  const begin = joined.map((_, axis) => crops[axis - 1]?.[0] ?? 0);
  return strided(reshape(transpose(reshape(x, split), order), joined), begin, size);
});

defineKernel<{ blockSize: number; dataFormat: 'NHWC' | 'NCHW' }>('DepthToSpace', ({ x }, { blockSize, dataFormat }) => {
  if (dataFormat !== 'NHWC')
    throw new Error(`Only NHWC dataFormat supported on the onnx backend for depthToSpace. Got ${dataFormat}`);
  const [n, h, w, c] = x.shape;
  const depth = c / blockSize ** 2;
  const blocks = reshape(x, [n, h, w, blockSize, blockSize, depth]);
  return reshape(transpose(blocks, [0, 1, 3, 2, 4, 5]), [n, h * blockSize, w * blockSize, depth]);
});
