/**
 * @file Which convolutions are computed by Winograd's algorithm: those it is expected to make faster. The numbers are fitted to
 * `npm run bench:winograd` on two cores with AVX-512, 32 to 512 channels and 12 to 12,288 tiles; `results/engine.md` has the
 * measurements. In a graph of every size the direct convolution is faster, since ONNX Runtime arranges its weights and activations.
 */
import type { WinogradUse } from '../backend.js';
import { type ConvInfo, insidePads } from './conv-info.js';
import { tilesOf } from './winograd.js';

export type ConvPass = 'forward' | 'input gradient' | 'filter gradient';

/**
 * Time of Winograd's algorithm in units of the direct convolution's: the products, and what is shared among fewer
 * multiplications the fewer channels there are (transforms of what the pass reads and writes) or tiles (filters read or written).
 */
interface Cost {
  products: number;
  perChannelRead: number;
  perChannelWritten: number;
  perTile: number;
}

const transforms = { products: 0.4, perChannelRead: 38, perChannelWritten: 15 };
const costs: Record<ConvPass, Cost> = {
  forward: { ...transforms, perTile: 3 },
  'input gradient': { ...transforms, perTile: 10 },
  // It reads both; as written count the output's channels.
  'filter gradient': { products: 0.4, perChannelRead: 5, perChannelWritten: 8, perTile: 12 },
};
const anySizeCost: Cost = { ...transforms, perTile: 8 };
/** Expected share of the direct convolution's time from which on there is nothing to win. */
const worthwhile = 0.9;
/** In a graph of every size, where transformed filters, four times as large, stay in memory beside the others. */
const anySizeWorthwhile = 0.75;

/** Whether `pass` of a convolution with a filter of [kh, kw, c, o] is computed by Winograd's algorithm. */
export function choosesWinograd(
  use: WinogradUse,
  pass: ConvPass,
  info: ConvInfo,
  filterShape: readonly number[],
): boolean {
  const { inChannels: c, strideHeight, strideWidth, dilationHeight, dilationWidth } = info;
  const applies =
    filterShape[0] === 3 &&
    filterShape[1] === 3 &&
    filterShape[2] === c &&
    [strideHeight, strideWidth, dilationHeight, dilationWidth].every((step) => step === 1) &&
    (pass !== 'input gradient' || insidePads(info));
  if (typeof use === 'function') {
    return use(applies && pass === 'forward' && expectedShare(anySizeCost, pass, info) < anySizeWorthwhile);
  }
  if (use !== 'faster' || !applies) return applies && use === 'possible';
  return expectedShare(costs[pass], pass, info) < worthwhile;
}

/** Of the direct convolution's time. */
function expectedShare(cost: Cost, pass: ConvPass, info: ConvInfo): number {
  const { inChannels: c, outChannels: o } = info;
  const backward = pass === 'input gradient';
  const [height, width] = backward ? [info.inHeight, info.inWidth] : [info.outHeight, info.outWidth];
  const tiles = info.batchSize * tilesOf(height, width);
  const [read, written] = backward ? [o, c] : [c, o];
  return cost.products + cost.perChannelRead / read + cost.perChannelWritten / written + cost.perTile / tiles;
}
