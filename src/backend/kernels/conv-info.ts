/** @file Where the windows of a convolution lie, from the attributes that tfjs passes. */
import { backend_util } from '@tensorflow/tfjs-core';
import { fitted } from './windows.js';

export interface ConvAttributes {
  strides: number | [number, number];
  pad: 'valid' | 'same' | number | backend_util.ExplicitPadding;
  dataFormat?: 'NHWC' | 'NCHW';
  dilations?: number | [number, number] | null;
  dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

export type Shape4 = [number, number, number, number];

export function convInfo(
  inputShape: readonly number[],
  filterShape: readonly number[],
  attributes: ConvAttributes,
  depthwise = false,
) {
  const { strides, dimRoundingMode, dataFormat } = attributes;
  const dilations = attributes.dilations ?? 1; // tfjs passes null on
  // Explicit padding comes in the order of the tensor's axes.
  const { pad } = attributes;
  const inOrder =
    dataFormat === 'NCHW' && typeof pad === 'object' ? ([pad[0], pad[2], pad[3], pad[1]] as typeof pad) : pad;
  const info = backend_util.computeConv2DInfo(
    [...inputShape] as Shape4,
    [...filterShape] as Shape4,
    strides,
    dilations,
    inOrder,
    dimRoundingMode,
    depthwise,
  );
  return fitted(info);
}

export type ConvInfo = ReturnType<typeof convInfo>;

export const padsOf = ({ padInfo: { top, left, bottom, right } }: ConvInfo) => [top, left, bottom, right];
export const stridesOf = ({ strideHeight, strideWidth }: ConvInfo) => [strideHeight, strideWidth];
export const dilationsOf = ({ dilationHeight, dilationWidth }: ConvInfo) => [dilationHeight, dilationWidth];

/** No window lies wholly in the padding: a gradient can be padded the other way round without being cut. */
export function insidePads(info: ConvInfo): boolean {
  const [top, left, bottom, right] = padsOf(info) as Shape4;
  const [spanY, spanX] = [(info.filterHeight - 1) * info.dilationHeight, (info.filterWidth - 1) * info.dilationWidth];
  return top <= spanY && bottom <= spanY && left <= spanX && right <= spanX;
}
