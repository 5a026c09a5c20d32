/** What the networks with grouped, channel-by-channel and normalized layers need beyond the right map: training and export. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, describe, expect, test } from 'vitest';
import { lengthOf } from '../../src/extremes.js';
import { exportOnnx } from '../../src/export/onnx.js';
import { verifyOnnx } from '../../src/export/verify-onnx.js';
import { defaultMeta, initialWeights } from '../../src/models/architectures.js';
import type { PoolingKind } from '../../src/models/meta.js';
import { DescriptorModel } from '../../src/models/descriptor.js';
import { expectClose, relativeDistance } from '../support/close.js';
import { expectNoLeak } from '../support/leak.js';
import '../support/engine.js';

const folder = mkdtempSync(join(tmpdir(), 'rmac-networks-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Where a part of the network has a layer of each kind. */
const cuts: Readonly<Record<string, string>> = {
  'convnext-tiny': 'stage2/block2',
  'dinov2-s14-reg': 'block1',
  'efficientnet-b0-tv': 'stage3',
};

/** A weight of each kind that no other network has. */
const ownWeights: Readonly<Record<string, readonly string[]>> = {
  'convnext-tiny': [
    'stage1/block2/scale/gamma',
    'stage2/block1/norm/gamma',
    'stage2/block1/dense1/kernel',
    'stem/beta',
  ],
  'dinov2-s14-reg': ['block1/qkv/kernel', 'block1/scale1/gamma', 'embed/position', 'embed/registers', 'embed/class'],
  'efficientnet-b0-tv': ['stage2/block1/excite/kernel', 'stage2/block2/squeeze2/bias', 'stage3/block2/conv2/kernel'],
};

/** Seeded weights in which every residual branch is alive. */
function modelOf(architecture: string, pooling: PoolingKind = 'mac'): DescriptorModel {
  const cut = cuts[architecture];
  const weights = initialWeights(architecture, 1, cut);
  for (const [name, { data }] of weights) if (name.endsWith('/gamma')) data.fill(0.7);
  return DescriptorModel.create(defaultMeta(architecture, { cut, pooling: { kind: pooling } }), weights);
}

/** Registers take five patches of 14 px. */
const sizeFor = (architecture: string): [number, number] => (architecture.endsWith('-reg') ? [77, 75] : [63, 47]);

const image = ([height, width]: [number, number]) =>
  tf.tensor4d(
    Float32Array.from({ length: height * width * 3 }, (_, i) => (i * 7919) % 256),
    [1, height, width, 3],
  );

/** The descriptor, and the gradient of its projection on a fixed vector with respect to every variable. */
function descriptorAndGradients(architecture: string) {
  const model = modelOf(architecture);
  const x = image(sizeFor(architecture));
  const direction = tf.tensor1d(Float32Array.from({ length: model.dimension }, (_, i) => Math.sin(1 + i)));
  const { value, grads } = tf.variableGrads(
    () => tf.sum<tf.Scalar>(model.describe(x).mul(direction)),
    [...model.variables.values()],
  );
  const gradients = new Map([...model.variables].map(([name, variable]) => [name, grads[variable.name].dataSync()]));
  const result = { value: value.dataSync()[0], gradients };
  tf.dispose([x, direction, value, grads]);
  model.dispose();
  return result;
}

describe.each(['alexnet', 'convnext-tiny', 'dinov2-s14-reg', 'efficientnet-b0-tv', 'mobilenet', 'mobilenet-v2-tv'])(
  '%s',
  (architecture) => {
    test("every variable's gradient is that of tfjs's JavaScript backend", async () => {
      const ours = descriptorAndGradients(architecture);
      await tf.setBackend('cpu');
      const theirs = descriptorAndGradients(architecture);
      await tf.setBackend('onnx');
      expectClose(ours.value, theirs.value, { absolute: 1e-5 });
      for (const [name, gradient] of ours.gradients) {
        expect(
          gradient.some((v) => v !== 0),
          name,
        ).toBe(true);
        expect(relativeDistance(gradient, theirs.gradients.get(name)!), name).toBeLessThan(1e-3);
      }
    });

    test('frozen stages and the rest give the whole, exported or not, without leaks', async () => {
      const model = modelOf(architecture);
      const x = image(sizeFor(architecture));
      const whole = model.describe(x).dataSync();
      const stage = model.stages.at(-2)!;
      const parts = tf.tidy(() => model.describeFromPrefix(model.prefix(x, stage), stage).dataSync());
      expectClose(parts, whole, { absolute: 1e-6 });
      const [height, width] = sizeFor(architecture);
      const { files } = await exportOnnx(model, join(folder, architecture), [{ width, height }]);
      expect(await verifyOnnx(model, join(folder, architecture), files[0])).toMatchObject({ ok: true });
      await expectNoLeak(() => model.describe(x).dispose());
      x.dispose();
      model.dispose();
    });
  },
);

test.each(Object.entries(ownWeights))(
  '%s: gradients of weights of kinds that others have not are those of finite differences',
  (architecture, names) => {
    const model = modelOf(architecture, 'spoc'); // the maximum of MAC changes its place
    const x = image(sizeFor(architecture));
    const direction = tf.tensor1d(Float32Array.from({ length: model.dimension }, (_, i) => Math.sin(1 + i)));
    const value = () => tf.sum<tf.Scalar>(model.describeFromPrefix(model.prefix(x, 'none'), 'none').mul(direction));
    for (const name of names) {
      const variable = model.variables.get(name)!;
      const start = Float32Array.from(variable.dataSync());
      const along = start.map((_, i) => Math.cos(i * 3.1));
      const gradient = tf.tidy(() => tf.variableGrads(value, [variable]).grads[variable.name].dataSync<'float32'>());
      const analytic = gradient.reduce((sum, g, i) => sum + g * along[i], 0);
      const at = (step: number) =>
        tf.tidy(() => {
          const moved = start.map((v, i) => v + step * along[i]);
          variable.assign(tf.tensor(moved, variable.shape));
          return value().dataSync()[0];
        });
      const step = (0.01 * (lengthOf(start) || 10)) / lengthOf(along);
      const numeric = (at(step) - at(-step)) / (2 * step);
      at(0);
      expect(Math.abs(analytic - numeric) / Math.abs(numeric), name).toBeLessThan(0.02);
    }
    tf.dispose([x, direction]);
    model.dispose();
  },
);
