import { expect, test } from 'vitest';
import { defaultMeta, initialWeights } from '../../src/models/architectures.js';
import { exportWeights } from '../../src/models/export-weights.js';
import { importWeights } from '../../src/models/import-weights.js';

test.each([
  ['vgg16', 'conv2_1', 'torchvision', 'features.5.weight'],
  ['vgg16', 'conv2_1', 'caffe', 'conv2_1.weight'],
  ['vgg16', 'conv2_1', 'keras', 'block2_conv1/kernel'],
  ['resnet50-tv', 'layer1', 'torchvision', 'layer1.2.bn3.running_var'],
  ['densenet121', 'stem/pool', 'torchvision', 'features.norm0.bias'],
  ['convnext-tiny', 'stage1', 'torchvision', 'features.1.0.layer_scale'],
] as const)('%s cut at %s, %s names: there and back is exact', (architecture, cut, naming, expected) => {
  const weights = initialWeights(architecture, 1, cut);
  const meta = defaultMeta(architecture, { cut });
  const { tensors, leftOut } = exportWeights(meta, weights, naming);
  expect(leftOut).toEqual([]);
  expect([...tensors.keys()]).toContain(expected);
  const back = importWeights(tensors, 'f', { architecture, cut });
  expect(back.layout).toBe(naming);
  expect(back.weights).toEqual(weights);
  expect(exportWeights(meta, back.weights, naming).tensors).toEqual(tensors);
});

test('whitening has no place in a plain network: it is left out and named', () => {
  const weights = initialWeights('vgg16', 1, 'conv1_1');
  weights.set('whitening/shift', { shape: [64], data: new Float32Array(64) });
  expect(exportWeights(defaultMeta('vgg16', { cut: 'conv1_1' }), weights, 'torchvision').leftOut).toEqual([
    'whitening/shift',
  ]);
});

test('an architecture without such names is refused', () => {
  const weights = initialWeights('rmac-small', 1);
  expect(() => exportWeights(defaultMeta('rmac-small'), weights, 'torchvision')).toThrow(
    /rmac-small has no torchvision names/,
  );
});
