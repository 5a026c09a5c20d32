/**
 * @file The weights of a region proposal network in a model file. The descriptor model carries them along, src/rpn/ uses them: one
 * file holds trunk, whitening and proposals, and whatever rewrites it keeps them.
 */
import type { RpnMeta } from './meta.js';

/** Names and shapes of the head's tensors over a map of `mapChannels`. */
export function rpnShapes({ channels, anchors }: RpnMeta, mapChannels: number): Map<string, number[]> {
  const perCell = anchors.scales.length * anchors.ratios.length;
  return new Map([
    ['rpn/conv/kernel', [3, 3, mapChannels, channels]],
    ['rpn/conv/bias', [channels]],
    ['rpn/objectness/kernel', [1, 1, channels, 2 * perCell]],
    ['rpn/objectness/bias', [2 * perCell]],
    ['rpn/deltas/kernel', [1, 1, channels, 4 * perCell]],
    ['rpn/deltas/bias', [4 * perCell]],
  ]);
}
