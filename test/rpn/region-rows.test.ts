import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DescriptorModel } from '../../src/models/descriptor.js';
import type { RpnMeta } from '../../src/models/meta.js';
import { initialRpn } from '../../src/rpn/head.js';
import { ProposalDescriber } from '../../src/rpn/proposal-describer.js';
import { regionRows, similarityShares } from '../../src/rpn/region-rows.js';
import { RandomStream } from '../../src/train/random.js';
import { expectClose } from '../support/close.js';
import '../support/engine.js';
import { expectNoLeak } from '../support/leak.js';
import { smallModelParts } from '../support/small-model.js';

const rpn: RpnMeta = { anchors: { base: 16, scales: [1.5, 3], ratios: [0.5, 1, 2], clip: false }, channels: 8 };
let model: DescriptorModel;
let proposals: ProposalDescriber;

beforeAll(() => {
  const { meta, weights } = smallModelParts({ whiteningDimension: 8 });
  model = DescriptorModel.create({ ...meta, rpn }, new Map([...weights, ...initialRpn(rpn, 256, new RandomStream(1))]));
  proposals = new ProposalDescriber(model, { proposals: 5, grid: true });
});

afterAll(() => {
  proposals.dispose();
  model.dispose();
});

const image = (phase: number) =>
  tf.tensor4d(
    Float32Array.from({ length: 64 * 96 * 3 }, (_, i) => (i * 37 + phase * (i >> 6)) % 256),
    [1, 64, 96, 3],
  );

describe('regionRows', () => {
  test.each(['grid', 'grid+rpn'])(
    '%s: shares of all regions sum up to the similarity that descriptors have',
    (kind) => {
      const describer = kind === 'grid' ? undefined : proposals;
      const [first, second] = [image(1), image(5)];
      const query = (describer ?? model).describe(first).dataSync<'float32'>();
      const other = (describer ?? model).describe(second).dataSync<'float32'>();
      const found = regionRows(model, second, describer);
      const shares = similarityShares(found, query);
      expect(shares).toHaveLength(found.regions.length);
      expect(new Set(shares).size).toBeGreaterThan(2);
      expectClose(
        shares.reduce((sum, share) => sum + share, 0),
        query.reduce((sum, value, i) => sum + value * other[i], 0),
        { absolute: 1e-5 },
      );
    },
  );

  test('one region: its share is the similarity with its own unit vector', () => {
    expectClose(similarityShares({ rows: Float32Array.of(3, 4), dimension: 2 }, Float32Array.of(1, 0)), [0.6]);
    expect([...similarityShares({ rows: Float32Array.of(0, 0), dimension: 2 }, Float32Array.of(1, 0))]).toEqual([0]);
  });

  test('nothing leaks', async () => {
    const pixels = image(2);
    await expectNoLeak(() => {
      regionRows(model, pixels, proposals);
    });
  });
});
