/** @file The end of a training run in words. */
import type { FinishSummary } from '../run/run-records.js';

/** The finished model in words. */
export function finishText({ share, dimension, map }: FinishSummary): string {
  const parts = [
    ...(share === 0 ? ['the trained weights'] : [`${percent(share)} of the start's weights`]),
    ...(dimension === 0 ? [] : [`whitened to ${dimension} values`]),
    ...(map === undefined ? [] : [`mAP ${map.toFixed(4)}`]),
  ];
  return `finished model: ${parts.join(', ')}`;
}

/** A share as a person reads it. */
export function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
