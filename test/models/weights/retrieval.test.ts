import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { DescriptorModel } from '../../../src/models/descriptor.js';
import type { NamedArrays } from '../../../src/models/safetensors.js';
import { importFile } from '../../../src/models/weights/import-file.js';
import { readWeights } from '../../../src/models/weights/read-weights.js';
import { retrievalModelOf } from '../../../src/models/weights/retrieval.js';
import type { WeightFile } from '../../../src/models/weights/weight-file.js';
import '../../support/engine.js';
import { expectedOf, fixture, fuzz } from './fixtures.js';

/** Largest difference between our descriptor of the fixtures' image and torch's. */
function difference(name: string, options: Parameters<typeof importFile>[2], expected: string): number {
  const { meta, weights } = importFile(readWeights(fixture(name), name), name, options);
  const model = DescriptorModel.create(meta, weights);
  const { shape, data } = expectedOf('image').image;
  const mine = tf.tidy(() => model.describe(tf.tensor4d(data, shape as [number, number, number, number])).dataSync());
  model.dispose();
  const theirs = expectedOf(name)[expected].data;
  expect(mine.length).toBe(theirs.length);
  return Math.max(...theirs.map((value, i) => Math.abs(value - mine[i])));
}

test('cirtorch: GeM and the FC whitening with its bias give the descriptor of torch', () => {
  expect(difference('cirtorch.pth', { architecture: 'vgg16', cut: 'conv1_1' }, 'whiten')).toBeLessThan(2e-5);
});

test('cirtorch: a learned whitening of its meta is taken by name', () => {
  const options = { architecture: 'vgg16', cut: 'conv1_1', whitening: 'retrieval-SfM-120k/ss' };
  expect(difference('cirtorch.pth', options, 'Lw')).toBeLessThan(2e-5);
});

test('dirtorch: GeM, FC with bias, and the PCA that scikit-learn pickled', () => {
  expect(difference('dirtorch.pt', { architecture: 'resnet50-tv', cut: 'conv1' }, 'Landmarks_clean')).toBeLessThan(
    2e-5,
  );
  const plain = { architecture: 'resnet50-tv', cut: 'conv1', whitening: 'none' };
  expect(difference('dirtorch.pt', plain, 'none')).toBeLessThan(2e-5);
});

const filled = (length: number, seed: number) =>
  Float32Array.from({ length }, (_, i) => Math.sin(seed + 1.3 * i + i * i));

/** A caffemodel's tensors: conv1_1 of VGG-16, and a shift and an FC layer from 64 to 5 behind region pooling. */
function gordoFile(): WeightFile {
  const tensors: NamedArrays = new Map([
    ['conv1_1.weight', { shape: [64, 3, 3, 3], data: filled(64 * 27, 1) }],
    ['conv1_1.bias', { shape: [64], data: filled(64, 2) }],
    ['pooled_rois/centered.weight', { shape: [64], data: filled(64, 3).map((v) => 1 + 0.1 * v) }],
    ['pooled_rois/centered.bias', { shape: [64], data: filled(64, 4) }],
    ['pooled_rois/pca.weight', { shape: [5, 64], data: filled(5 * 64, 5) }],
    ['pooled_rois/pca.bias', { shape: [5], data: filled(5, 6) }],
  ]);
  return { format: 'caffemodel', tensors, dtypes: new Map(), metadata: {} };
}

test('Gordo: (x + shift) . kernel = W (g x + s) + b, R-MAC of two levels on the image, Caffe preprocessing', () => {
  const file = gordoFile();
  const { meta, weights, system } = importFile(file, 'f', { architecture: 'vgg16', cut: 'conv1_1' });
  expect(system).toBe('gordo');
  expect(meta.pooling).toMatchObject({ kind: 'rmac', levels: 2, plane: 'image', precision: 'f32' });
  expect(meta.preprocessing.channels).toBe('bgr');
  const at = (name: string) => file.tensors.get(`pooled_rois/${name}`)!.data;
  const [shift, kernel] = [weights.get('whitening/shift')!.data, weights.get('whitening/kernel')!];
  expect(kernel.shape).toEqual([64, 5]);
  const x = filled(64, 9);
  for (let d = 0; d < 5; d++) {
    let [mine, theirs] = [0, at('pca.bias')[d]];
    for (let c = 0; c < 64; c++) {
      mine += (x[c] + shift[c]) * kernel.data[c * 5 + d];
      theirs += at('pca.weight')[d * 64 + c] * (at('centered.weight')[c] * x[c] + at('centered.bias')[c]);
    }
    expect(mine).toBeCloseTo(theirs, 4);
  }
});

/** A cirtorch checkpoint of these names and settings, with tensors of one value. */
function cirtorch(meta: Record<string, unknown>, names: string[]): WeightFile {
  const tensors: NamedArrays = new Map(names.map((name) => [name, { shape: [1, 1], data: Float32Array.of(1) }]));
  const root = new Map<unknown, unknown>([
    ['meta', new Map(Object.entries({ architecture: 'resnet101', pooling: 'gem', ...meta }))],
  ]);
  const checkpoint = { root, read: () => ({ shape: [], data: new Float32Array() }) };
  return { format: 'pytorch', tensors, dtypes: new Map(), metadata: {}, checkpoint };
}

test('cirtorch: children of a ResNet and a DenseNet get their torchvision names', () => {
  const names = ['features.0.weight', 'features.1.running_mean', 'features.6.22.conv2.weight'];
  expect([...retrievalModelOf(cirtorch({}, names), 'f')!.trunk.keys()]).toEqual([
    'conv1.weight',
    'bn1.running_mean',
    'layer3.22.conv2.weight',
  ]);
  const dense = ['features.4.denselayer1.norm1.weight', 'features.11.bias'];
  expect([...retrievalModelOf(cirtorch({ architecture: 'densenet121' }, dense), 'f')!.trunk.keys()]).toEqual([
    'features.denseblock1.denselayer1.norm1.weight',
    'features.norm5.bias',
  ]);
});

test('cirtorch: regional maxima with their whitening are R-MAC with the whole image first', () => {
  const names = ['features.0.weight', 'pool.whiten.weight', 'pool.whiten.bias'];
  const model = retrievalModelOf(cirtorch({ pooling: 'mac', regional: true }, names), 'f')!;
  expect(model.pooling).toMatchObject({ kind: 'rmac', wholeImage: true, precision: 'f32' });
  expect(model.whitening!.dimension).toBe(1);
});

describe('what our model cannot compute is refused with one line', () => {
  test.each([
    [{ pooling: 'gemmp' }, [], /pools by "gemmp"/],
    [{ pooling: 'gem', regional: true }, ['pool.whiten.weight'], /pools regions by gem/],
    [{}, ['lwhiten.weight'], /local whitening/],
    [{ pooling: 'rmac' }, ['whiten.weight'], /whitens the sum of its regions/],
  ])('%j %j', (meta, names, message) => {
    expect(() => retrievalModelOf(cirtorch(meta, ['features.0.weight', ...names]), 'f')).toThrow(message);
  });

  test('a whitening that is not there', () => {
    expect(() => retrievalModelOf(cirtorch({}, ['features.0.weight']), 'f', { whitening: 'x' })).toThrow(
      'f has no whitening "x". Stored: none.',
    );
  });

  test('a whitening of another width than the map', () => {
    const file = readWeights(fixture('cirtorch.pth'), 'f');
    file.tensors.set('whiten.weight', { shape: [2, 2], data: Float32Array.of(1, 0, 0, 1) });
    file.tensors.set('whiten.bias', { shape: [2], data: Float32Array.of(0, 0) });
    expect(() => importFile(file, 'f', { architecture: 'vgg16', cut: 'conv1_1' })).toThrow(
      'f: its whitening takes 2 channels, the network cut there gives 64.',
    );
  });

  test('a bias that no shift gives', () => {
    const file = readWeights(fixture('cirtorch.pth'), 'f');
    file.tensors.get('whiten.weight')!.data.fill(1);
    expect(() => importFile(file, 'f', { architecture: 'vgg16', cut: 'conv1_1' })).toThrow(/close to singular/);
  });
});

test.each([
  ['cirtorch.pth', 'vgg16', 'conv1_1'],
  ['dirtorch.pt', 'resnet50-tv', 'conv1'],
])('fuzz: any damage to %s gives a model or an InputError', (name, architecture, cut) => {
  fuzz(fixture(name), (bytes) => importFile(readWeights(bytes, 'f'), 'f', { architecture, cut }), 2000);
});
