import * as tf from '@tensorflow/tfjs';
import { describe, expect, test, vi } from 'vitest';
import type { OnnxBackend } from '../../src/backend/backend.js';
import { orderOps } from '../../src/backend/plan.js';
import { InputError, UsageError } from '../../src/errors.js';
import { DescriptorModel } from '../../src/models/descriptor.js';
import type { PoolingOptions, RpnMeta } from '../../src/models/meta.js';
import { regionMaxPool } from '../../src/models/pooling.js';
import { cellsOf, rigidGrid } from '../../src/models/regions.js';
import { initialRpn } from '../../src/rpn/head.js';
import { poolRegions } from '../../src/rpn/pool-regions.js';
import { ProposalDescriber } from '../../src/rpn/proposal-describer.js';
import { averageRecall, bestOverlap, boxRecallAt } from '../../src/rpn/recall.js';
import { RandomStream } from '../../src/train/random.js';
import { expectClose } from '../support/close.js';
import '../support/engine.js';
import { expectNoLeak } from '../support/leak.js';
import { smallModelParts } from '../support/small-model.js';

const rpn: RpnMeta = { anchors: { base: 16, scales: [1.5, 3], ratios: [0.5, 1, 2], clip: false }, channels: 8 };

function model(pooling?: Partial<PoolingOptions>, change?: (weights: Map<string, { data: Float32Array }>) => void) {
  const { meta, weights } = smallModelParts({ whiteningDimension: 8, pooling });
  const all = new Map([...weights, ...initialRpn(rpn, 256, new RandomStream(1))]);
  change?.(all);
  return DescriptorModel.create({ ...meta, rpn }, all);
}

const image = (height = 64, width = 96) =>
  tf.tensor4d(
    Float32Array.from({ length: height * width * 3 }, (_, i) => (i * 37 + (i >> 6)) % 256),
    [1, height, width, 3],
  );

test('poolRegions: what regionMaxPool computes, empty regions and negative values included', () => {
  const values = Float32Array.from({ length: 4 * 5 * 3 }, (_, i) => Math.sin(2 * i) - 0.5);
  const regions = [
    ...rigidGrid(4, 5),
    { yMin: 1, xMin: 2, yMax: 4, xMax: 3 },
    { yMin: 2, xMin: 2, yMax: 2, xMax: 4 },
    { yMin: 3, xMin: 4, yMax: 4, xMax: 5 },
  ];
  const expected = regionMaxPool(tf.tensor4d(values, [1, 4, 5, 3]), regions).dataSync();
  const positions = new Int32Array((regions.length + 1) * 3);
  const slots = regions.length + 1;
  const pooled = poolRegions(values, { width: 5, channels: 3, slots, positions }, regions);
  expect([...pooled]).toEqual([...expected, 0, 0, 0]);
  // the third last region is empty, the row after the last has none
  const filled = [...regions.keys()].filter((i) => i !== regions.length - 2);
  for (const i of filled) for (let c = 0; c < 3; c++) expect(values[positions[3 * i + c]]).toBe(pooled[3 * i + c]);
  expect([...positions.subarray(-3)]).toEqual([0, 1, 2]);
});

test('poolRegions: of equal maxima the first', () => {
  const positions = new Int32Array(2);
  poolRegions(Float32Array.of(1, 2, 2, 0, 2, 2), { width: 3, channels: 1, positions }, [
    { yMin: 0, xMin: 0, yMax: 2, xMax: 3 },
    { yMin: 1, xMin: 0, yMax: 2, xMax: 3 },
  ]);
  expect([...positions]).toEqual([1, 4]);
});

test("cellsOf: Gordo's regions of an 800 x 600 image on its map of 25 x 19", () => {
  // px boxes with inclusive corners -> half-open cells, computed independently
  const px = [
    [0, 0, 599, 599],
    [200, 0, 799, 599],
    [0, 0, 399, 399],
    [400, 200, 799, 599],
  ];
  const cells = px.map(([x1, y1, x2, y2]) =>
    cellsOf({ yMin: y1, xMin: x1, yMax: y2 + 1, xMax: x2 + 1 }, { height: 19, width: 25 }, 32),
  );
  expect(cells.map(({ xMin, yMin, xMax, yMax }) => [xMin, yMin, xMax, yMax])).toEqual([
    [0, 0, 20, 19],
    [6, 0, 25, 19],
    [0, 0, 13, 13],
    [13, 6, 25, 19],
  ]);
});

describe('ProposalDescriber', () => {
  test('beside the caller: the same rows and regions', async () => {
    const describer = new ProposalDescriber(model(), { proposals: 5 });
    const pixels = image(320, 480);
    const [rows, regions] = await Promise.all([
      describer.describeAsync(pixels),
      describer.regionDescriptorsAsync(pixels),
    ]);
    expectClose(rows.dataSync(), describer.describe(pixels).dataSync());
    expectClose(regions.dataSync(), describer.regionDescriptors(pixels).dataSync());
    await expectNoLeak(async () => (await describer.describeAsync(pixels)).dispose());
  });

  test.each([false, true])('describes by the regions it says, through the model (grid too: %s)', (grid) => {
    const whole = model();
    const describer = new ProposalDescriber(whole, { proposals: 5, grid });
    const pixels = image();
    const map = whole.featureMap(pixels);
    const regions = describer.regions(map, { height: 64, width: 96 });
    const cells = rigidGrid(4, 6);
    if (grid) expect(regions.slice(0, cells.length)).toEqual(cells);
    expect(regions).toHaveLength(grid ? cells.length + 5 : 5);
    for (const { yMin, xMin, yMax, xMax } of regions) {
      expect(yMin >= 0 && xMin >= 0 && yMax <= 4 && xMax <= 6 && yMax > yMin && xMax > xMin).toBe(true);
    }
    const expected = whole.aggregate(regionMaxPool(map, regions)).dataSync();
    expectClose(describer.describe(pixels).dataSync(), expected);
    describer.dispose();
    whole.dispose();
  });

  test('regions of the grid alone give the descriptor of the model', () => {
    const whole = model();
    const map = whole.featureMap(image());
    expectClose(whole.aggregate(regionMaxPool(map, rigidGrid(4, 6))).dataSync(), whole.describe(image()).dataSync());
    whole.dispose();
  });

  test('follows the scores and deltas of the head', () => {
    // Ratios outer, scales inner: anchor 3 is the square of 48 px. It alone scores, and moves 16 px to the right.
    const whole = model(undefined, (weights) => {
      for (const [name, { data }] of weights) if (name.startsWith('rpn/')) data.fill(0);
      weights.get('rpn/objectness/bias')!.data[6 + 3] = 5;
      weights.get('rpn/deltas/bias')!.data[4 * 3 + 1] = 16 / 48;
    });
    const describer = new ProposalDescriber(whole, { proposals: 1 });
    const map = whole.featureMap(image());
    // Equal scores keep the order, so the first cell's: centre (8, 8), y [-16, 32), x [-16, 32) + 16, cut to y [0, 32), x [0, 48).
    // ROI pooling of the inclusive px 0..31 and 0..47 on cells of 16: round(31 / 16) = 2, round(47 / 16) = 3
    expect(describer.regions(map, { height: 64, width: 96 })).toEqual([{ yMin: 0, xMin: 0, yMax: 3, xMax: 4 }]);
    describer.dispose();
    whole.dispose();
  });

  test('an image too small for any proposal is described as a whole', () => {
    const whole = model();
    const describer = new ProposalDescriber(whole, { proposals: 5 });
    const small = image(12, 12);
    const map = whole.featureMap(small);
    expect(describer.regions(map, { height: 12, width: 12 })).toEqual([
      { yMin: 0, xMin: 0, yMax: map.shape[1], xMax: map.shape[2] },
    ]);
    const mac = whole.aggregate(regionMaxPool(map, [{ yMin: 0, xMin: 0, yMax: map.shape[1], xMax: map.shape[2] }]));
    expectClose(describer.describe(small).dataSync(), mac.dataSync());
    describer.dispose();
    whole.dispose();
  });

  test('the trunk runs once: a description has one compiled run, and the three convolutions of the head', () => {
    const whole = model();
    const describer = new ProposalDescriber(whole, { proposals: 5 });
    const backend = tf.backend() as OnnxBackend;
    const execute = backend.execute.bind(backend);
    let convolutions = 0;
    const executed = vi.spyOn(backend, 'execute').mockImplementation((values, substitute) => {
      convolutions += orderOps(values).filter(({ type }) => type === 'Conv').length;
      return execute(values, substitute);
    });
    tf.tidy(() => describer.describe(image()).dataSync()); // compiles
    convolutions = 0;
    const ran = vi.spyOn(backend, 'runNative');
    tf.tidy(() => describer.describe(image()).dataSync());
    expect(ran.mock.calls.filter(([program]) => program.optimized === true)).toHaveLength(1);
    expect(convolutions).toBe(3);
    executed.mockRestore();
    ran.mockRestore();
    describer.dispose();
    whole.dispose();
  });

  test('a model without proposals, or that pools no regions, is refused', () => {
    const { meta, weights } = smallModelParts();
    const plain = DescriptorModel.create(meta, weights);
    expect(() => new ProposalDescriber(plain, { proposals: 5 })).toThrow(InputError);
    expect(() => new ProposalDescriber(model({ kind: 'mac' }), { proposals: 5 })).toThrow(UsageError);
  });

  test('nothing leaks', async () => {
    const whole = model();
    const pixels = image();
    await expectNoLeak(() => {
      const describer = new ProposalDescriber(whole, { proposals: 5, grid: true });
      tf.dispose(describer.describe(pixels));
      describer.dispose();
    });
  });
});

test('recall counts overlaps from the threshold on; average recall is its mean over 0.5 to 0.95', () => {
  expect(bestOverlap([0, 0, 10, 10], [0, 0, 10, 5, 0, 0, 10, 8, 50, 50, 60, 60])).toBeCloseTo(0.8);
  expect(bestOverlap([0, 0, 10, 10], [])).toBe(0);
  expect(boxRecallAt([0.5, 0.49, 1, 0], 0.5)).toBe(0.5);
  // 0.72 counts at 0.5, 0.55 ... 0.7: five of ten; 1 at all; 0.2 at none
  expect(averageRecall([0.72, 1, 0.2])).toBeCloseTo((0.5 + 1 + 0) / 3);
});
