import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { commonComponents } from '../../../src/retrieval/localization/common-components.js';
import { wholeMap } from '../../../src/retrieval/localization/integral-max.js';
import { cosine, expectClose } from '../../support/close.js';
import { exactMax, randomMap } from './maps.js';

describe('commonComponents', () => {
  test('by hand', () => {
    // maxima (3, 4, 0) and (6, 0, 8): cosine 18 / 50, all of it from channel 0
    const a = { height: 1, width: 2, channels: 3, values: Float32Array.of(1, 4, 0, 3, 0, -1) };
    const b = { height: 2, width: 1, channels: 3, values: Float32Array.of(6, 0, 8, 5, 0, 0) };
    const { similarity, components } = commonComponents(a, b);
    expectClose(similarity, 0.36);
    expect(components).toEqual([
      { channel: 0, share: expect.closeTo(0.36, 6), a: { y: 0, x: 1, value: 3 }, b: { y: 0, x: 0, value: 6 } },
    ]);
  });

  test('shares fall and add up to the cosine of the maxima; peaks are where they say', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), (p, q) => {
        const a = randomMap({ height: 5, width: 4, channels: 20, seed: p, density: 0.1 });
        const b = randomMap({ height: 3, width: 6, channels: 20, seed: q, density: 0.1 });
        const { similarity, components } = commonComponents(a, b, { count: 20 });
        expectClose(similarity, cosine(exactMax(a, wholeMap(a)), exactMax(b, wholeMap(b))));
        const shares = components.map(({ share }) => share);
        expectClose(
          shares.reduce((sum, share) => sum + share, 0),
          similarity,
        );
        expect(shares).toEqual(shares.toSorted((x, y) => y - x));
        for (const { channel, a: peak } of components) {
          expect(peak.value).toBe(exactMax(a, wholeMap(a))[channel]);
          expect(a.values[(peak.y * a.width + peak.x) * 20 + channel]).toBe(peak.value);
        }
        expect(commonComponents(a, b, { count: 2 }).components).toEqual(components.slice(0, 2));
      }),
    );
  });

  test('maps of zeros have nothing in common; other channels are refused', () => {
    const zeros = { height: 1, width: 1, channels: 2, values: new Float32Array(2) };
    expect(commonComponents(zeros, zeros)).toEqual({ similarity: 0, components: [] });
    const other = { height: 1, width: 1, channels: 3, values: new Float32Array(3) };
    expect(() => commonComponents(zeros, other)).toThrow(/equal channels expected, got 2 and 3/);
  });
});
