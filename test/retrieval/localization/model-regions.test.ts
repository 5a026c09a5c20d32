import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../../src/errors.js';
import { MapDescriber } from '../../../src/retrieval/localization/describe-maps.js';
import { modelRegions } from '../../../src/retrieval/localization/model-regions.js';
import { localizationQuery } from '../../../src/retrieval/localization/rerank.js';
import { expectClose } from '../../support/close.js';
import '../../support/engine.js';
import { smallModel } from '../../support/small-model.js';

const image = () => tf.randomUniform<tf.Rank.R4>([1, 80, 112, 3], 0, 255, 'float32', 5);

describe('modelRegions', () => {
  test.each([
    ['as it is', {}],
    ['with whitening', { whiteningDimension: 6 }],
    ['on the image plane', { pooling: { plane: 'image', levels: 2 } as const }],
    ['with the whole image', { pooling: { wholeImage: true } as const }],
    ['by R-MAC+', { pooling: { grid: 'rmac-plus' } as const, whiteningDimension: 3 }],
  ])('the sum of its rows over a whole map is what the model describes: %s', (_, options) => {
    const model = smallModel(options);
    const describer = new MapDescriber(model);
    const pixels = image();
    const described = describer.describe(pixels);
    const { map, aspect } = describer.last!;
    expect(aspect).toBe(80 / 112);
    const regions = modelRegions(model);
    const { rmac } = localizationQuery(map, { aspect, model: regions });
    expectClose(rmac!, described.dataSync(), { absolute: 1e-4 });
    expectClose(described.dataSync(), model.describe(pixels).dataSync());
    tf.dispose([pixels, described]);
    model.dispose();
  });

  test('any part of a map has a region', () => {
    const model = smallModel({ pooling: { plane: 'image' } });
    const { regionsOf } = modelRegions(model);
    for (const [height, width] of [
      [1, 1],
      [1, 9],
      [2, 1],
      [5, 5],
    ]) {
      const regions = regionsOf({ height, width });
      expect(regions.length).toBeGreaterThan(0);
      for (const { yMin, xMin, yMax, xMax } of regions) {
        expect(yMin >= 0 && xMin >= 0 && yMax <= height && xMax <= width && yMax > yMin && xMax > xMin).toBe(true);
      }
    }
    model.dispose();
  });

  test('a model that pools otherwise is refused with the way out', () => {
    const model = smallModel({ pooling: { kind: 'gem' } });
    expect(() => modelRegions(model)).toThrow(UsageError);
    expect(() => modelRegions(model)).toThrow(/pools by gem, use --pooling rmac/);
    model.dispose();
  });
});
