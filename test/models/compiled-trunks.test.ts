/** The trunk compiled for describing against the trunk that trains, for every network. */
import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import type { OnnxBackend } from '../../src/backend/backend.js';
import { engineStats, recordedSizes } from '../../src/backend/index.js';
import { recordGraph, winogradChoices } from '../../src/backend/recording.js';
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

describe("Winograd's algorithm in the compiled trunk", () => {
  test.each([
    ['vgg16', 8],
    ['resnet50-tv', 0],
    ['resnet18-tv', 0],
  ])('%s: %i convolutions', (architecture, count) => {
    const model = modelOf(architecture);
    const backend = tf.backend() as OnnxBackend;
    const map = (x: tf.Tensor) => trainedMap(model, x as tf.Tensor4D);
    const winograd = winogradChoices(backend, map, [1, ...recordedSizes[0], 3]);
    const { nodes } = recordGraph(backend, map, {
      inputShape: [1, 'height', 'width', 3],
      shapes: recordedSizes.map((size) => [1, ...size, 3]),
      inputName: 'image',
      outputName: () => 'map',
      plainOutputs: false,
      winograd,
    }).graph;
    expect(winograd.filter(Boolean)).toHaveLength(count);
    // The product, and the transforms of its columns and rows.
    expect(nodes.filter(({ type }) => type === 'FusedMatMul')).toHaveLength(3 * count);
    model.dispose();
  });

  test('descriptors of VGG-16, of small, large and several images', () => {
    const model = modelOf('vgg16');
    for (const x of [image(64, 48), image(48, 161), image(700, 500), tf.concat([image(90, 75), image(90, 75)])]) {
      tf.tidy(() => {
        const described = model.describe(x);
        const expected = model.pool(trainedMap(model, x), [x.shape[1], x.shape[2]]);
        expect(described.shape).toEqual(expected.shape);
        expect(relativeDistance(described.dataSync(), expected.dataSync())).toBeLessThan(1e-5);
      });
      x.dispose();
    }
    model.dispose();
  });
});
