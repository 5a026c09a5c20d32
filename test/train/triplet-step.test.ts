import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { InputError } from '../../src/errors.js';
import { tripletLoss } from '../../src/losses/triplet.js';
import { GradientAccumulator } from '../../src/train/gradients.js';
import type { LoadedInput, TrunkInput } from '../../src/train/image-inputs.js';
import { NotFiniteError, type Triplet, tripletStep } from '../../src/train/triplet-step.js';
import { relativeDistance } from '../support/close.js';
import '../support/engine.js';
import { expectNoLeak } from '../support/leak.js';
import { smallModel } from '../support/small-model.js';

const sidePx = 32;

/** Seeded noise as an image. */
function noise(seed: number): TrunkInput {
  const data = Uint8Array.from(
    { length: sidePx * sidePx * 3 },
    (_, i) => 127 + 127 * Math.sin(seed * 91.7 + i * (1.3 + seed)),
  );
  return { kind: 'pixels', image: { data, width: sidePx, height: sidePx } };
}

function tensorOf(input: TrunkInput): tf.Tensor4D {
  if (input.kind !== 'pixels') throw new Error('pixels expected');
  return tf.tensor4d(Float32Array.from(input.image.data), [1, sidePx, sidePx, 3]);
}

interface Photo {
  id: string;
  input: TrunkInput | InputError;
}

const photos: Photo[] = Array.from({ length: 5 }, (_, i) => ({ id: `photo ${i}`, input: noise(i) }));
const [a, b, c, d, e] = photos;

function setUp() {
  const model = smallModel({ whiteningDimension: 8 });
  const described: string[] = [];
  const source = {
    async *load(items: readonly Photo[]): AsyncGenerator<LoadedInput<Photo>> {
      for (const item of items) {
        described.push(item.id);
        yield item.input instanceof InputError ? { item, error: item.input } : { item, input: item.input };
      }
    },
    describe: (input: TrunkInput) => tf.tidy(() => model.describe(tensorOf(input))),
    inBlocks: (input: TrunkInput) => ({
      start: tf.tidy(() => model.prefix(tensorOf(input), 'none')),
      blocks: model.blocksFromPrefix('none', [sidePx, sidePx]),
    }),
  };
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

describe('tripletStep', () => {
  test.each([false, true])(
    'gradients equal one tape over all triplets, though images are replayed alone and once (in blocks: %s)',
    async (recomputeActivations) => {
      const { model, source, variables, described } = setUp();
      // Shared images in every role, one triplet twice: the shares add up.
      const triplets: Triplet<Photo>[] = [
        [a, b, c],
        [a, b, d],
        [c, d, a],
        [a, b, c],
      ];
      const accumulator = new GradientAccumulator();
      const options = { variables, accumulator, margin: 2, nameOf, recomputeActivations };
      const result = await tripletStep(triplets, source, options);
      const expected = direct(model, triplets, 2);
      expect(result.loss).toBeCloseTo(expected.loss, 5);
      expect(result).toMatchObject({ triplets: 4, active: 4, described: 4, replayed: 4 });
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
      for (const [name, sum] of accumulator.sums) {
        expect(relativeDistance(sum.dataSync(), expected.grads.get(name)!.dataSync()), name).toBeLessThan(1e-4);
      }
    },
  );

  test('triplets that hold the margin cost no replay', async () => {
    const { source, variables } = setUp();
    const accumulator = new GradientAccumulator();
    // Query = positive: the loss is ½ max(0, 0 + 0 − d²(q, n)) = 0.
    const triplets: Triplet<Photo>[] = [[a, a, c]];
    const result = await tripletStep(triplets, source, { variables, accumulator, margin: 0, nameOf });
    expect(result).toMatchObject({ loss: 0, active: 0, described: 2, replayed: 0 });
    expect(accumulator.sums.size).toBe(0);
  });

  test('a triplet with an unreadable image is left out, the others are the whole mean', async () => {
    const { model, source, variables } = setUp();
    const broken: Photo = { id: 'broken', input: new InputError('broken.jpg: broken image.') };
    const accumulator = new GradientAccumulator();
    const result = await tripletStep(
      [
        [a, b, c],
        [a, broken, e],
      ],
      source,
      { variables, accumulator, margin: 2, nameOf },
    );
    expect(result.loss).toBeCloseTo(direct(model, [[a, b, c]], 2).loss, 5);
    expect(result.unreadable.map(({ item }) => item.id)).toEqual(['broken']);
    const none = await tripletStep([[a, broken, e]], source, { variables, accumulator, margin: 2, nameOf });
    expect(none.loss).toBeUndefined();
  });

  test('a descriptor that is not finite stops with the name of its image', async () => {
    const { model, source, variables } = setUp();
    const [kernel] = [...model.variables.values()];
    kernel.assign(tf.fill(kernel.shape, Number.NaN));
    const step = tripletStep([[a, b, c]], source, {
      variables,
      accumulator: new GradientAccumulator(),
      margin: 2,
      nameOf,
    });
    await expect(step).rejects.toThrow(NotFiniteError);
    await expect(
      tripletStep([[b, a, c]], source, { variables, accumulator: new GradientAccumulator(), margin: 2, nameOf }),
    ).rejects.toThrow(/photo 1/);
  });

  test('leaves no tensor behind but the sums', async () => {
    const { source, variables } = setUp();
    const accumulator = new GradientAccumulator();
    await expectNoLeak(() => tripletStep([[a, b, c]], source, { variables, accumulator, margin: 2, nameOf }));
  });
});
