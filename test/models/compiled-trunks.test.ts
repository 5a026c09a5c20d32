/** The trunk compiled for describing against the trunk that trains, for every network. */
import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { engineStats } from '../../src/backend/index.js';
import { cutTrunk, parametersOf } from '../../src/models/architecture.js';
import { architectures, defaultMeta } from '../../src/models/architectures.js';
import { DescriptorModel } from '../../src/models/descriptor.js';
import { relativeDistance } from '../support/close.js';
import '../support/engine.js';

const image = (height: number, width: number) =>
  tf.tensor4d(
    Float32Array.from({ length: height * width * 3 }, (_, i) => (Math.imul(i, 0x9e3779b1) >>> 8) % 256),
    [1, height, width, 3],
  );

/** The map by a graph that takes any weights: the one that trains. */
const trainedMap = (model: DescriptorModel, x: tf.Tensor4D) => model.mapFromPrefix(model.prefix(x, 'none'), 'none');

const compilations = (f: () => void) => {
  const before = engineStats()!.compiled;
  f();
  return engineStats()!.compiled - before;
};

/** Every size of a family has the same blocks: of the deepest, a part. */
const cuts: Readonly<Record<string, string>> = {
  'resnet101-caffe': 'conv3',
  'resnet152-caffe': 'conv3',
  'resnet101-keras': 'conv3',
  'resnet152-keras': 'conv3',
  'resnet101-tv': 'conv3',
  'resnet152-tv': 'conv3',
  'convnext-small': 'stage3/block3',
  'vit-b16': 'block2',
  'vit-s16': 'block2',
  'dinov2-b14': 'block2',
  'dinov2-b14-reg': 'block2',
  densenet169: 'block3/layer2/out',
  'efficientnet-b1-tv': 'stage3',
  'efficientnet-b2-tv': 'stage3',
  'efficientnet-b3-tv': 'stage3',
  densenet201: 'block3/layer2/out',
};

function modelOf(architecture: string): DescriptorModel {
  const meta = defaultMeta(architecture, { cut: cuts[architecture] });
  let state = 1;
  const noise = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32 - 0.5;
  const weights = new Map(
    parametersOf(cutTrunk(architectures.get(architecture)!, meta.cut).layers).map(({ name, kind, shape }) => {
      const fanIn = tf.util.sizeFromShape(shape.slice(0, -1));
      const scale = kind === 'kernel' ? Math.sqrt(24 / fanIn) : 0.1;
      const offset = kind === 'gamma' || kind === 'variance' ? 0.9 : 0;
      const data = new Float32Array(tf.util.sizeFromShape(shape));
      for (let i = 0; i < data.length; i++) data[i] = offset + scale * noise();
      return [name, { shape, data }] as const;
    }),
  );
  return DescriptorModel.create(meta, weights);
}

describe.each([...architectures.keys()])('%s', (architecture) => {
  test('one graph for all sizes, equal to the one that trains', () => {
    const model = modelOf(architecture);
    const sizes = [
      [75, 98],
      [98, 71],
      [81, 81],
      [70, 83],
    ] as const;
    for (const [i, [height, width]] of sizes.entries()) {
      tf.tidy(() => {
        const x = image(height, width);
        let map: tf.Tensor4D;
        // The first prepares the weights by a graph of its own.
        expect(compilations(() => (map = model.featureMap(x)))).toBeLessThanOrEqual(i === 0 ? 2 : 0);
        const expected = trainedMap(model, x);
        expect(map!.shape).toEqual(expected.shape);
        expect(relativeDistance(map!.dataSync(), expected.dataSync())).toBeLessThan(1e-5);
      });
    }
    model.dispose();
  });
});
