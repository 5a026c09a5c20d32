import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { InputError } from '../../../src/errors.js';
import { averagePrecisionLoss } from '../../../src/losses/average-precision.js';
import { contrastiveLoss } from '../../../src/losses/contrastive.js';
import { tripletLoss } from '../../../src/losses/triplet.js';
import { GradientAccumulator } from '../../../src/train/gradients.js';
import { ImageInputs, type LoadedInput, type TrunkInput } from '../../../src/train/image-inputs.js';
import { NotFiniteError } from '../../../src/train/not-finite.js';
import {
  contrastiveBatch,
  listwiseBatch,
  type Triplet,
  tripletBatch,
} from '../../../src/train/ranking/ranking-batches.js';
import { DirectSource } from '../../../src/train/ranking/direct-source.js';
import { rankingStep } from '../../../src/train/ranking/ranking-step.js';
import { relativeDistance } from '../../support/close.js';
import '../../support/engine.js';
import { expectNoLeak } from '../../support/leak.js';
import { smallModel } from '../../support/small-model.js';

const sidePx = 32;

/** Seeded noise as an image; every other one is wider. */
function noise(seed: number): TrunkInput {
  const width = seed % 2 === 0 ? sidePx : 2 * sidePx;
  const data = Uint8Array.from(
    { length: width * sidePx * 3 },
    (_, i) => 127 + 127 * Math.sin(seed * 91.7 + i * (1.3 + seed)),
  );
  return { kind: 'pixels', image: { data, width, height: sidePx } };
}

function tensorOf(input: TrunkInput): tf.Tensor4D {
  if (input.kind !== 'pixels') throw new Error('pixels expected');
  return tf.tensor4d(Float32Array.from(input.image.data), [1, input.image.height, input.image.width, 3]);
}

interface Photo {
  id: string;
  input: TrunkInput | InputError;
}

const photos: Photo[] = Array.from({ length: 5 }, (_, i) => ({ id: `photo ${i}`, input: noise(i) }));
const [a, b, c, d, e] = photos;

/** `examples`: images of one size share a native run. */
function setUp({ examples = false, recomputeActivations = false } = {}) {
  const model = smallModel({ whiteningDimension: 8 });
  const described: string[] = [];
  const inputs = {
    async *load(items: readonly Photo[]): AsyncGenerator<LoadedInput<Photo>> {
      for (const item of items) {
        described.push(item.id);
        yield item.input instanceof InputError ? { item, error: item.input } : { item, input: item.input };
      }
    },
    // As on the tape: by a graph that takes any weights.
    describe: (input: TrunkInput) =>
      tf.tidy(() => model.describeFromPrefix(model.prefix(tensorOf(input), 'none'), 'none')),
    inBlocks: (input: TrunkInput) => ({
      start: tf.tidy(() => model.prefix(tensorOf(input), 'none')),
      blocks: model.blocksFromPrefix('none'),
    }),
    ...(examples && { examples: new ImageInputs(model, { freeze: 'none', imageSize: sidePx, cacheBytes: 0 }) }),
  };
  const source = new DirectSource(inputs, recomputeActivations);
  return { model, source, described, variables: model.trainable('none') };
}

const nameOf = ({ id }: Photo) => id;

/** The same gradient in one tape over all images. */
function direct(model: ReturnType<typeof smallModel>, triplets: readonly Triplet<Photo>[], margin: number) {
  const variables = model.trainable('none');
  const { value, grads } = tf.variableGrads(() => {
    const rows = [0, 1, 2].map((role) =>
      tf.concat<tf.Tensor2D>(triplets.map((triplet) => model.describe(tensorOf(triplet[role].input as TrunkInput)))),
    );
    return tripletLoss(rows[0], rows[1], rows[2], { margin });
  }, [...variables.values()]);
  return {
    loss: value.dataSync()[0],
    grads: new Map([...variables].map(([name, variable]) => [name, grads[variable.name]])),
  };
}

describe('rankingStep', () => {
  test.each([
    { examples: false, recomputeActivations: false },
    { examples: false, recomputeActivations: true },
    { examples: true, recomputeActivations: false },
    { examples: true, recomputeActivations: true },
  ])(
    'gradients equal one tape over all triplets, though images are replayed alone and once (%o)',
    async ({ examples, recomputeActivations }) => {
      const { model, source, variables, described } = setUp({ examples, recomputeActivations });
      // Shared images in every role, one triplet twice: the shares add up.
      const triplets: Triplet<Photo>[] = [
        [a, b, c],
        [a, b, d],
        [c, d, a],
        [a, b, c],
      ];
      const accumulator = new GradientAccumulator();
      const options = { variables, accumulator, nameOf };
      const result = await rankingStep(tripletBatch(triplets, { margin: 2 }), source, options);
      const expected = direct(model, triplets, 2);
      expect(result.loss).toBeCloseTo(expected.loss, 5);
      expect(result).toMatchObject({ terms: 4, active: 4, described: 4, replayed: 4 });
      expect(described).toEqual([
        'photo 0',
        'photo 1',
        'photo 2',
        'photo 3',
        'photo 0',
        'photo 1',
        'photo 2',
        'photo 3',
      ]);
      expect([...accumulator.sums.keys()].sort()).toEqual([...variables.keys()].sort());
      // The photographs repeat themselves: a place of a maximum that changes with the rounding is worth 1.4e-4, all else 1e-6.
      for (const [name, sum] of accumulator.sums) {
        expect(relativeDistance(sum.dataSync(), expected.grads.get(name)!.dataSync()), name).toBeLessThan(5e-4);
      }
    },
  );

  test('the sum of the losses is so many times their mean, whose value is reported', async () => {
    const { model, source, variables } = setUp();
    const triplets: Triplet<Photo>[] = [
      [a, b, c],
      [c, d, a],
      [a, b, e],
    ];
    const accumulator = new GradientAccumulator();
    const options = { variables, accumulator, nameOf, reduction: 'sum' } as const;
    const result = await rankingStep(tripletBatch(triplets, { margin: 2 }), source, options);
    const expected = direct(model, triplets, 2);
    expect(result.loss).toBeCloseTo(expected.loss, 5);
    for (const [name, sum] of accumulator.sums) {
      const threefold = expected.grads
        .get(name)!
        .dataSync()
        .map((value) => 3 * value);
      expect(relativeDistance(sum.dataSync(), threefold), name).toBeLessThan(1e-4);
    }
  });

  test('triplets that hold the margin cost no replay', async () => {
    const { source, variables } = setUp();
    const accumulator = new GradientAccumulator();
    // Query = positive: the loss is ½ max(0, 0 + 0 − d²(q, n)) = 0.
    const triplets: Triplet<Photo>[] = [[a, a, c]];
    const result = await rankingStep(tripletBatch(triplets, { margin: 0 }), source, { variables, accumulator, nameOf });
    expect(result).toMatchObject({ loss: 0, active: 0, described: 2, replayed: 0 });
    expect(accumulator.sums.size).toBe(0);
  });

  test('a triplet with an unreadable image is left out, the others are the whole mean', async () => {
    const { model, source, variables } = setUp();
    const broken: Photo = { id: 'broken', input: new InputError('broken.jpg: broken image.') };
    const accumulator = new GradientAccumulator();
    const result = await rankingStep(
      tripletBatch(
        [
          [a, b, c],
          [a, broken, e],
        ],
        { margin: 2 },
      ),
      source,
      { variables, accumulator, nameOf },
    );
    expect(result.loss).toBeCloseTo(direct(model, [[a, b, c]], 2).loss, 5);
    expect(result.unreadable.map(({ item }) => item.id)).toEqual(['broken']);
    const none = await rankingStep(tripletBatch([[a, broken, e]], { margin: 2 }), source, {
      variables,
      accumulator,
      nameOf,
    });
    expect(none.loss).toBeUndefined();
  });

  test('a descriptor that is not finite stops with the name of its image', async () => {
    const { model, source, variables } = setUp();
    const [kernel] = [...model.variables.values()];
    kernel.assign(tf.fill(kernel.shape, Number.NaN));
    const step = rankingStep(tripletBatch([[a, b, c]], { margin: 2 }), source, {
      variables,
      accumulator: new GradientAccumulator(),
      nameOf,
    });
    await expect(step).rejects.toThrow(NotFiniteError);
    await expect(
      rankingStep(tripletBatch([[b, a, c]], { margin: 2 }), source, {
        variables,
        accumulator: new GradientAccumulator(),
        nameOf,
      }),
    ).rejects.toThrow(/photo 1/);
  });

  test.each([false, true])('leaves no tensor behind but the sums (examples: %s)', async (examples) => {
    const { source, variables } = setUp({ examples });
    const accumulator = new GradientAccumulator();
    await expectNoLeak(() =>
      rankingStep(tripletBatch([[a, b, c]], { margin: 2 }), source, { variables, accumulator, nameOf }),
    );
  });
});

/** Loss and gradients of a function of all descriptors, in one tape. */
function inOneTape(
  model: ReturnType<typeof smallModel>,
  items: readonly Photo[],
  lossOf: (rows: tf.Tensor2D) => tf.Scalar,
) {
  const variables = model.trainable('none');
  const { value, grads } = tf.variableGrads(
    () => lossOf(tf.concat<tf.Tensor2D>(items.map(({ input }) => model.describe(tensorOf(input as TrunkInput))))),
    [...variables.values()],
  );
  return {
    loss: value.dataSync()[0],
    grads: new Map([...variables].map(([name, variable]) => [name, grads[variable.name]])),
  };
}

function expectSameGradients(accumulator: GradientAccumulator, expected: ReturnType<typeof inOneTape>) {
  for (const [name, sum] of accumulator.sums) {
    expect(relativeDistance(sum.dataSync(), expected.grads.get(name)!.dataSync()), name).toBeLessThan(1e-4);
  }
}

test('contrastive tuples: loss and gradients equal one tape over all pairs', async () => {
  const { model, source, variables } = setUp();
  const accumulator = new GradientAccumulator();
  const batch = contrastiveBatch(
    [
      [a, b, c, d],
      [c, e, a],
    ],
    { margin: 1.2 },
  );
  const result = await rankingStep(batch, source, { variables, accumulator, nameOf });
  // Pairs as rows of a..e: (a, b) match, (a, c), (a, d); (c, e) match, (c, a); mean over two tuples.
  const expected = inOneTape(model, photos, (rows) =>
    contrastiveLoss(tf.gather(rows, [0, 0, 0, 2, 2]), tf.gather(rows, [1, 2, 3, 4, 0]), tf.tensor1d([1, 0, 0, 1, 0]), {
      margin: 1.2,
    }).div(2),
  );
  expect(result.loss).toBeCloseTo(expected.loss, 5);
  expect(result).toMatchObject({ terms: 2, described: 5, replayed: 5 });
  expectSameGradients(accumulator, expected);
});

test('a list: loss and gradients equal one tape; neither the query nor what may show the same is ranked', async () => {
  const { model, source, variables } = setUp();
  const accumulator = new GradientAccumulator();
  // a, b show one thing, c, d another; e may show what a shows.
  const landmark = new Map([a, b, c, d, e].map((photo, i) => [photo, [0, 0, 1, 1, 2][i]]));
  const unknown = (x: Photo, y: Photo) => [x, y].includes(e) && [x, y].includes(a);
  const batch = listwiseBatch(
    photos,
    (x, y) => (unknown(x, y) ? undefined : landmark.get(x) === landmark.get(y) ? 1 : 0),
    { bins: 20 },
  );
  const result = await rankingStep(batch, source, { variables, accumulator, nameOf });
  const relevant = tf.tensor2d([
    [0, 1, 0, 0, 0],
    [1, 0, 0, 0, 0],
    [0, 0, 0, 1, 0],
    [0, 0, 1, 0, 0],
  ]);
  const counted = tf.tensor2d([
    [0, 1, 1, 1, 0],
    [1, 0, 1, 1, 1],
    [1, 1, 0, 1, 1],
    [1, 1, 1, 0, 1],
  ]);
  const expected = inOneTape(model, photos, (rows) =>
    averagePrecisionLoss(tf.matMul(tf.slice(rows, 0, 4), rows, false, true), relevant, { counted }),
  );
  expect(result.loss).toBeCloseTo(expected.loss, 5);
  expect(result).toMatchObject({ terms: 4, described: 5 });
  expectSameGradients(accumulator, expected);
});
