import { describe, expect, test } from 'vitest';
import { cutTrunk, mapLength, parametersOf, smallestSide } from '../../src/models/architecture.js';
import { architectureNamed, architectures } from '../../src/models/architectures.js';

const trunk = (name: string, cut?: string) => cutTrunk(architectureNamed(name), cut);

describe('cutTrunk', () => {
  test.each([
    ['resnet50', 'activation_40', 'stage3/block6', 1024, 16],
    ['resnet50', 'activation_43', 'stage4/block1', 2048, 32],
    ['resnet50', 'res4f', 'stage3/block6', 1024, 16],
    ['resnet50-keras', 'conv4_block6_out', 'stage3/block6', 1024, 16],
    ['resnet50-tv', 'layer3', 'stage3/block6', 1024, 16],
    ['resnet50-tv', undefined, 'stage4/block3', 2048, 32],
    ['densenet121', undefined, 'norm', 1024, 32],
    ['densenet121', 'conv4_block24_concat', 'block3', 1024, 16],
    ['densenet121', 'pool3_pool', 'transition2', 256, 16],
    ['alexnet', undefined, 'conv5', 256, 16],
    ['alexnet-tv', 'features', 'pool5', 256, 32],
    ['mobilenet', 'conv_pw_11_relu', 'conv_pw_11', 512, 16],
    ['mobilenet', undefined, 'conv_pw_13', 1024, 32],
    ['mobilenet-v2-tv', 'features.13', 'block13', 96, 16],
    ['mobilenet-v2-tv', undefined, 'out', 1280, 32],
    ['convnext-tiny', undefined, 'stage4/block3', 768, 32],
    ['convnext-small', 'features.5', 'stage3/block27', 384, 16],
    ['vit-b16', undefined, 'norm', 768, 16],
    ['dinov2-s14-reg', 'blocks.8', 'block9', 384, 14],
    ['efficientnet-b0-tv', 'features.5', 'stage5/block3', 112, 16],
    ['efficientnet-b3-tv', undefined, 'out', 1536, 32],
    ['densenet169', undefined, 'norm', 1664, 32],
    ['densenet201', 'pool4_pool', 'transition3', 896, 32],
    ['resnet18-tv', undefined, 'stage4/block2', 512, 32],
    ['resnet34-tv', 'layer3', 'stage3/block6', 256, 16],
    ['resnet101-keras', 'conv4_block23_out', 'stage3/block23', 1024, 16],
    ['resnet101-tv', 'res4b22', 'stage3/block23', 1024, 16],
    ['resnet152-tv', 'res3b7', 'stage2/block8', 512, 8],
    ['vgg16', undefined, 'conv5_3', 512, 16],
    ['vgg19', undefined, 'conv5_4', 512, 16],
    ['vgg16', 'block5_pool', 'pool5', 512, 32],
    ['rmac-small', undefined, 'out', 256, 16],
  ])('%s at %s is %s: %i channels, stride %i', (name, cut, layer, channels, stride) => {
    expect(trunk(name, cut)).toMatchObject({ cut: layer, channels, stride });
  });

  test('leaves out the layers that the cut does not need', () => {
    const names = trunk('resnet50', 'stage2/block1/conv1').layers.map((layer) => layer.name);
    expect(names).not.toContain('stage2/block1/shortcut');
    expect(names.at(-1)).toBe('stage2/block1/conv1');
  });

  test('stages end in the layers that come before the next one', () => {
    expect(trunk('densenet121').stages).toEqual(['stem', 'block1', 'block2', 'block3', 'block4']);
    expect(trunk('resnet50', 'conv4').stages).toEqual(['stem', 'stage1', 'stage2', 'stage3']);
    expect(trunk('vgg16').stages).toEqual(['conv1', 'conv2', 'conv3', 'conv4', 'conv5']);
  });

  test('an unknown layer is an error that lists where to cut', () => {
    expect(() => trunk('vgg16', 'fc7')).toThrow('vgg16 has no layer "fc7". Layers to cut at: conv1_1, conv1_2, pool1');
  });

  test('every alias names a layer', () => {
    for (const architecture of architectures.values()) {
      const names = new Set(architecture.layers.map((layer) => layer.name));
      for (const [alias, target] of architecture.aliases)
        expect(names.has(target), `${architecture.name} ${alias}`).toBe(true);
    }
  });
});

test('every architecture is a list in which each input comes earlier and each stage passes on one map', () => {
  for (const { name, layers } of architectures.values()) {
    const stageOf = new Map([['image', '']]);
    const lastOf = new Map<string, string>();
    for (const layer of layers) {
      for (const input of layer.inputs) {
        expect(stageOf.has(input), `${name} ${layer.name}`).toBe(true);
        const from = stageOf.get(input)!;
        if (from !== '' && from !== layer.stage) expect(input, `${name} ${layer.name}`).toBe(lastOf.get(from));
      }
      stageOf.set(layer.name, layer.stage);
      const besides = layer.op === 'patches' || layer.op === 'classToken'; // nothing reads it
      if (!besides) lastOf.set(layer.stage, layer.name);
    }
  }
});

test('published numbers of trainable and frozen values', () => {
  const count = (name: string) =>
    parametersOf(architectureNamed(name).layers).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  expect(count('densenet121')).toBe(7_037_504); // Keras, include_top=False
  expect(count('resnet50')).toBe(23_587_712); // Keras, include_top=False
  expect(count('resnet50-tv')).toBe(25_557_032 - 2_049_000 + 53_120); // torchvision without fc, with running statistics
  expect(count('vgg16')).toBe(14_714_688); // Keras, include_top=False
  expect(count('alexnet')).toBe(60_965_224 - 58_631_144); // Caffe without fc6, fc7 and fc8
  expect(count('alexnet-tv')).toBe(61_100_840 - 58_631_144); // torchvision without its classifier
  expect(count('mobilenet')).toBe(3_228_864); // Keras, include_top=False
  expect(count('mobilenet-v2-tv')).toBe(3_504_872 - 1_281_000 + 34_112); // torchvision without classifier, with statistics
  expect(count('convnext-tiny')).toBe(28_589_128 - 769_000); // torchvision without the dense layer of the classifier
  expect(count('vit-b16')).toBe(86_567_656 - 769_000); // torchvision without head
  expect(count('dinov2-s14')).toBe(22_056_576 - 384); // without the token of hidden patches
  expect(count('efficientnet-b0-tv')).toBe(5_288_548 - 1_281_000 + 42_016); // torchvision without classifier, with statistics
  expect(count('efficientnet-b3-tv')).toBe(12_233_232 - 1_537_000 + 87_296);
  expect(count('vgg19')).toBe(20_024_384); // Keras, include_top=False
  expect(count('densenet169')).toBe(12_642_880); // Keras, include_top=False
  expect(count('densenet201')).toBe(18_321_984); // Keras, include_top=False
  expect(count('resnet101-keras')).toBe(42_658_176); // Keras, include_top=False
  expect(count('resnet152-keras')).toBe(58_370_944); // Keras, include_top=False
  expect(count('resnet18-tv')).toBe(11_689_512 - 513_000 + 9_600); // torchvision without fc, with running statistics
  expect(count('resnet34-tv')).toBe(21_797_672 - 513_000 + 17_024);
});

test('map sizes of AlexNet: 227 px give the published 55, 27, 13 and 6; Caffe pools 32 cells to 16, torchvision to 15', () => {
  const lengths = (name: string, px: number) =>
    ['conv1', 'pool1', 'pool2', 'pool5'].map((cut) => mapLength(trunk(name, cut), px));
  expect(lengths('alexnet', 227)).toEqual([55, 27, 13, 6]);
  expect(lengths('alexnet-tv', 224)).toEqual([55, 27, 13, 6]);
  expect([mapLength(trunk('alexnet', 'pool1'), 135), mapLength(trunk('alexnet-tv', 'pool1'), 131)]).toEqual([16, 15]);
});

test('map sizes of MobileNet: Keras pads an odd length behind only, torchvision on both sides', () => {
  expect([mapLength(trunk('mobilenet', 'conv1'), 224), mapLength(trunk('mobilenet', 'conv1'), 225)]).toEqual([
    112, 112,
  ]);
  expect([mapLength(trunk('mobilenet-v2-tv', 'stem'), 224), mapLength(trunk('mobilenet-v2-tv', 'stem'), 225)]).toEqual([
    112, 113,
  ]);
});

test('map sizes: 800 x 600 gives 25 x 19 for ResNet, whatever the flavour; the smallest side is exact', () => {
  for (const name of ['resnet50', 'resnet50-caffe', 'resnet50-keras', 'resnet50-tv']) {
    expect([mapLength(trunk(name), 800), mapLength(trunk(name), 600)], name).toEqual([25, 19]);
  }
  for (const name of architectures.keys()) {
    const side = smallestSide(trunk(name));
    expect(mapLength(trunk(name), side)).toBe(name.endsWith('-reg') ? 5 : 1); // registers take five patches
    if (side > 1) expect(mapLength(trunk(name), side - 1)).toBe(0);
  }
  expect(smallestSide(trunk('resnet50'))).toBe(5); // 5 -> 3 -> 1
  expect(smallestSide(trunk('vgg16', 'pool5'))).toBe(32);
});
