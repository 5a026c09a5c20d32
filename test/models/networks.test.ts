/** What the networks with grouped, channel-by-channel and normalized layers need beyond the right map: training and export. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, describe, expect, test } from 'vitest';
import { exportOnnx } from '../../src/export/onnx.js';
import { verifyOnnx } from '../../src/export/verify-onnx.js';
import { defaultMeta, initialWeights } from '../../src/models/architectures.js';
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
  'dinov2-s14-reg': 'block2',
  'efficientnet-b0-tv': 'stage3',
};

/** Seeded weights in which every residual branch is alive. */
function modelOf(architecture: string): DescriptorModel {
  const cut = cuts[architecture];
  const weights = initialWeights(architecture, 1, cut);
  for (const [name, { data }] of weights) if (name.endsWith('/gamma')) data.fill(0.7);
  return DescriptorModel.create(defaultMeta(architecture, { cut, pooling: { kind: 'mac' } }), weights);
}

/** Registers take five patches of 14 px. */
const sizeFor = (architecture: string) => (architecture.endsWith('-reg') ? [77, 75] : [63, 47]) as [number, number];

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
      const stage = model.stages[2];
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
