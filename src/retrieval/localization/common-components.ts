/** @file What makes two MAC vectors alike: the channels that contribute most to their cosine, and where they fire (Tolias et al. 2016, figures 1 and 2). */
import type { ActivationMap } from './activation-map.js';

/** Cell where a channel is largest; the first in row order of equals. */
export interface Peak {
  y: number;
  x: number;
  value: number;
}

export interface CommonComponent {
  channel: number;
  /** a_i b_i / (|a| |b|): the contributions of all channels add up to the cosine. */
  share: number;
  a: Peak;
  b: Peak;
}

/** The cosine of the maxima of two maps, and the `count` channels that add most to it, largest first. Channels that are 0 in either are none. */
export function commonComponents(
  a: ActivationMap,
  b: ActivationMap,
  { count = 5 }: { count?: number } = {},
): { similarity: number; components: CommonComponent[] } {
  if (a.channels !== b.channels) {
    throw new Error(`commonComponents: maps of equal channels expected, got ${a.channels} and ${b.channels}.`);
  }
  const [inA, inB] = [peaks(a), peaks(b)];
  const length = Math.sqrt(squared(inA) * squared(inB));
  const all = inA
    .map((peak, channel) => ({ channel, share: (peak.value * inB[channel].value) / length, a: peak, b: inB[channel] }))
    .filter(({ share }) => share > 0);
  const similarity = all.reduce((sum, { share }) => sum + share, 0);
  return { similarity, components: all.toSorted((p, q) => q.share - p.share || p.channel - q.channel).slice(0, count) };
}

/** Where each channel is largest; 0 at the first cell where it is not positive anywhere. */
export function peaks({ height, width, channels, values }: ActivationMap): Peak[] {
  const found: Peak[] = Array.from({ length: channels }, () => ({ y: 0, x: 0, value: 0 }));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * channels;
      for (let c = 0; c < channels; c++)
        if (values[at + c] > found[c].value) found[c] = { y, x, value: values[at + c] };
    }
  }
  return found;
}

function squared(all: readonly Peak[]): number {
  return all.reduce((sum, { value }) => sum + value * value, 0);
}
