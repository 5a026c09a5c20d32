/** @file Which convolutions are computed by Winograd's algorithm. */
import type { ConvInfo } from './conv-info.js';
import { insidePads } from './conv-info.js';
import { tilesOf } from './winograd.js';

/** `faster`: where it is, by a table of measurements; `possible`: wherever it can be. */
export type WinogradUse = 'never' | 'faster' | 'possible';

export type ConvPass = 'forward' | 'input gradient' | 'filter gradient';

/** Products that a sum of float32 may add up one after the other. */
const longSum = 16_384;

/** Whether `pass` of a convolution with a filter of [kh, kw, c, o] is computed by Winograd's algorithm. */
export function choosesWinograd(
  use: WinogradUse,
  pass: ConvPass,
  info: ConvInfo,
  filterShape: readonly number[],
): boolean {
  const { filterHeight, filterWidth, strideHeight, strideWidth, dilationHeight, dilationWidth } = info;
  const applies =
    [filterHeight, filterWidth].every((extent) => extent === 3) &&
    [strideHeight, strideWidth, dilationHeight, dilationWidth].every((step) => step === 1) &&
    filterShape[2] === info.inChannels &&
    (pass !== 'input gradient' || insidePads(info));
  if (use === 'never' || !applies) return false;
  const [height, width] = pass === 'input gradient' ? [info.inHeight, info.inWidth] : [info.outHeight, info.outWidth];
  const tiles = info.batchSize * tilesOf(height, width);
  if (pass === 'filter gradient' && tiles > longSum) return false;
  return use === 'possible';
}
