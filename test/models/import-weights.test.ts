import { describe, expect, test } from 'vitest';
import { InputError } from '../../src/errors.js';
import { cutTrunk, parametersOf } from '../../src/models/architecture.js';
import { architectureNamed } from '../../src/models/architectures.js';
import { fittingArchitectures, importWeights } from '../../src/models/import-weights.js';
import type { NamedArray, NamedArrays } from '../../src/models/safetensors.js';
import { sourceNames, type WeightLayout } from '../../src/models/weight-names.js';

/** Weights of a cut trunk as a framework names them; torch kernels in torch's order. */
function saved(architecture: string, layout: WeightLayout, cut: string): NamedArrays {
  return new Map(
    parametersOf(cutTrunk(architectureNamed(architecture), cut).layers).map((parameter) => {
      const [h, w, i, o] = parameter.shape;
      const shape = layout === 'torchvision' && parameter.kind === 'kernel' ? [o, i, h, w] : parameter.shape;
      const size = shape.reduce((a, b) => a * b, 1);
      return [
        sourceNames(architecture, parameter, layout)[0],
        { shape, data: Float32Array.from({ length: size }, (_, k) => k % 97) },
      ];
    }),
  );
}

test.each([
  ['densenet121', 'block2/layer5/conv1', 'kernel', 'keras', 'conv3_block5_1_conv/kernel'],
  ['densenet121', 'block2/layer5/conv1', 'gamma', 'keras', 'conv3_block5_1_bn/gamma'],
  ['densenet121', 'transition1/norm', 'mean', 'keras', 'pool2_bn/moving_mean'],
  ['densenet121', 'norm', 'beta', 'keras', 'bn/beta'],
  ['densenet121', 'block2/layer5/conv1', 'gamma', 'torchvision', 'features.denseblock2.denselayer5.norm2.weight'],
  ['densenet121', 'block2/layer5/conv1', 'kernel', 'torchvision', 'features.denseblock2.denselayer5.conv.1.weight'],
  ['densenet121', 'norm', 'variance', 'torchvision', 'features.norm5.running_var'],
  ['resnet50', 'stage3/block6/conv2', 'bias', 'keras', 'res4f_branch2b/bias'],
  ['resnet50', 'stage1/block1/shortcut', 'gamma', 'keras', 'bn2a_branch1/gamma'],
  ['resnet50-keras', 'stage3/block6/conv2', 'bias', 'keras', 'conv4_block6_2_conv/bias'],
  ['resnet50-keras', 'stage1/block1/shortcut', 'gamma', 'keras', 'conv2_block1_0_bn/gamma'],
  ['resnet50-tv', 'stage1/block1/shortcut', 'gamma', 'torchvision', 'layer1.0.downsample.1.weight'],
  ['alexnet', 'conv2', 'kernel', 'caffe', 'conv2.weight'],
  ['alexnet-tv', 'conv5', 'bias', 'torchvision', 'features.10.bias'],
  ['mobilenet', 'conv_dw_13', 'kernel', 'keras', 'conv_dw_13/depthwise_kernel'],
  ['mobilenet', 'conv_dw_13', 'kernel', 'keras', 'conv_dw_13/kernel'],
  ['densenet121', 'stem/conv', 'variance', 'keras', 'conv1_bn/moving_variance'],
  ['mobilenet', 'conv_dw_13', 'mean', 'keras', 'conv_dw_13_bn/moving_mean'],
  ['mobilenet', 'conv_pw_13', 'kernel', 'keras', 'conv_pw_13/kernel'],
  ['mobilenet-v2-tv', 'block1/conv2', 'kernel', 'torchvision', 'features.1.conv.0.0.weight'],
  ['mobilenet-v2-tv', 'block1', 'gamma', 'torchvision', 'features.1.conv.2.weight'],
  ['mobilenet-v2-tv', 'block3/conv2', 'gamma', 'torchvision', 'features.3.conv.1.1.weight'],
  ['mobilenet-v2-tv', 'block3/conv3', 'kernel', 'torchvision', 'features.3.conv.2.weight'],
  ['mobilenet-v2-tv', 'out', 'variance', 'torchvision', 'features.18.1.running_var'],
  ['convnext-tiny', 'stage2/block1/conv1', 'kernel', 'torchvision', 'features.3.0.block.0.weight'],
  ['convnext-tiny', 'stage2/block1/scale', 'gamma', 'torchvision', 'features.3.0.layer_scale'],
  ['convnext-tiny', 'stage4/down/norm', 'beta', 'torchvision', 'features.6.0.bias'],
  ['convnext-tiny', 'stage4/down', 'kernel', 'torchvision', 'stages.3.downsample.1.weight'],
  ['convnext-tiny', 'stage2/block1/dense2', 'bias', 'torchvision', 'stages.1.blocks.0.mlp.fc2.bias'],
  ['convnext-tiny', 'stage2/block1/scale', 'gamma', 'torchvision', 'stages.1.blocks.0.gamma'],
  ['convnext-tiny', 'stage4/down', 'kernel', 'torchvision', 'downsample_layers.3.1.weight'],
  ['convnext-tiny', 'stage2/block1/dense1', 'kernel', 'torchvision', 'stages.1.0.pwconv1.weight'],
  ['vit-b16', 'embed', 'class', 'torchvision', 'class_token'],
  ['vit-b16', 'embed', 'position', 'torchvision', 'encoder.pos_embedding'],
  ['vit-b16', 'embed/patches', 'kernel', 'torchvision', 'conv_proj.weight'],
  ['vit-b16', 'block3/norm2', 'gamma', 'torchvision', 'encoder.layers.encoder_layer_2.ln_2.weight'],
  ['vit-b16', 'block3/qkv', 'bias', 'torchvision', 'encoder.layers.encoder_layer_2.self_attention.in_proj_bias'],
  ['vit-b16', 'block3/out', 'kernel', 'torchvision', 'encoder.layers.encoder_layer_2.self_attention.out_proj.weight'],
  ['vit-b16', 'block3/dense2', 'kernel', 'torchvision', 'encoder.layers.encoder_layer_2.mlp.linear_2.weight'],
  ['vit-b16', 'norm/tokens', 'beta', 'torchvision', 'encoder.ln.bias'],
  ['vit-b16', 'block3/dense1', 'bias', 'torchvision', 'blocks.2.mlp.fc1.bias'],
  ['dinov2-s14', 'block3/qkv', 'kernel', 'torchvision', 'blocks.2.attn.qkv.weight'],
  ['dinov2-s14', 'block3/scale2', 'gamma', 'torchvision', 'blocks.2.ls2.gamma'],
  ['dinov2-s14-reg', 'embed', 'registers', 'torchvision', 'register_tokens'],
  ['dinov2-s14-reg', 'embed', 'registers', 'torchvision', 'reg_token'],
  ['dinov2-s14-reg', 'norm/tokens', 'gamma', 'torchvision', 'norm.weight'],
  ['efficientnet-b0-tv', 'stage1/block1', 'kernel', 'torchvision', 'features.1.0.block.2.0.weight'],
  ['efficientnet-b0-tv', 'stage1/block1/excite', 'bias', 'torchvision', 'features.1.0.block.1.fc2.bias'],
  ['efficientnet-b0-tv', 'stage5/block2/conv2', 'mean', 'torchvision', 'features.5.1.block.1.1.running_mean'],
  ['efficientnet-b0-tv', 'stage5/block2/squeeze2', 'kernel', 'torchvision', 'features.5.1.block.2.fc1.weight'],
  ['efficientnet-b0-tv', 'stage1/block1', 'gamma', 'torchvision', 'blocks.0.0.bn2.weight'],
  ['efficientnet-b0-tv', 'stage1/block1/conv2', 'kernel', 'torchvision', 'blocks.0.0.conv_dw.weight'],
  ['efficientnet-b0-tv', 'stage5/block2/conv3', 'beta', 'torchvision', 'blocks.4.1.bn3.bias'],
  ['efficientnet-b0-tv', 'stage5/block2/excite', 'kernel', 'torchvision', 'blocks.4.1.se.conv_expand.weight'],
  ['resnet50-caffe', 'stage3/block6/conv2', 'gamma', 'caffe', 'bn4f_branch2b.weight'],
  ['resnet101-caffe', 'stage3/block23/conv3', 'kernel', 'caffe', 'res4b22_branch2c.weight'],
  ['resnet101-caffe', 'stage1/block3/conv1', 'mean', 'caffe', 'bn2c_branch2a.running_mean'],
  ['resnet101-keras', 'stage3/block23/conv2', 'bias', 'keras', 'conv4_block23_2_conv/bias'],
  ['resnet34-tv', 'stage2/block1/shortcut', 'gamma', 'torchvision', 'layer2.0.downsample.1.weight'],
  ['resnet152-tv', 'stage3/block36/conv3', 'kernel', 'torchvision', 'layer3.35.conv3.weight'],
  ['vgg16', 'conv5_3', 'kernel', 'torchvision', 'features.28.weight'],
  ['vgg19', 'conv5_4', 'kernel', 'torchvision', 'features.34.weight'],
  ['vgg16', 'conv5_3', 'kernel', 'keras', 'block5_conv3/kernel'],
] as const)('%s: %s/%s is called %s %s', (architecture, layer, kind, layout, expected) => {
  expect(sourceNames(architecture, { name: `${layer}/${kind}`, layer, kind }, layout)).toContain(expected);
});

test('torch kernels [out, in, h, w] become [h, w, in, out]', () => {
  const tensors = saved('vgg16', 'torchvision', 'conv1_1');
  const { weights, layout } = importWeights(tensors, 'f', { architecture: 'vgg16', cut: 'conv1_1' });
  expect(layout).toBe('torchvision');
  const kernel = weights.get('conv1_1/kernel')!;
  expect(kernel.shape).toEqual([3, 3, 3, 64]);
  // out 5, in 2, y 1, x 0: index ((5 * 3 + 2) * 3 + 1) * 3 + 0 = 156 there, ((1 * 3 + 0) * 3 + 2) * 64 + 5 = 709 here
  expect(kernel.data[709]).toBe(156 % 97);
});

test('Caffe layers by their own names, kernels [out, in, h, w], BGR with the ImageNet mean', () => {
  const torch = saved('vgg16', 'torchvision', 'conv1_1');
  const caffe = new Map([...torch].map(([name, array]) => [name.replace('features.0', 'conv1_1'), array]));
  const result = importWeights(caffe, 'f', { architecture: 'vgg16', cut: 'conv1_1' });
  expect(result.layout).toBe('caffe');
  expect(result.weights).toEqual(importWeights(torch, 'f', { architecture: 'vgg16', cut: 'conv1_1' }).weights);
  expect(result.meta.preprocessing).toMatchObject({ channels: 'bgr', mean: [103.939, 116.779, 123.68] });
});

test('the preprocessing and epsilon are those of the framework the weights come from', () => {
  const keras = importWeights(saved('vgg16', 'keras', 'conv1_1'), 'f', { architecture: 'vgg16', cut: 'conv1_1' });
  expect(keras.meta.preprocessing).toMatchObject({ channels: 'bgr', scale: 1, mean: [103.939, 116.779, 123.68] });
  const torch = importWeights(saved('vgg16', 'torchvision', 'conv1_1'), 'f', { architecture: 'vgg16', cut: 'conv1_1' });
  expect(torch.meta.preprocessing).toMatchObject({ channels: 'rgb', mean: [0.485, 0.456, 0.406] });
  const dense = (layout: WeightLayout) =>
    importWeights(saved('densenet121', layout, 'stem/pool'), 'f', { architecture: 'densenet121', cut: 'stem/pool' })
      .meta.normEpsilon;
  expect([dense('keras'), dense('torchvision')]).toEqual([undefined, 1e-5]);
});

test('the classifier, counters and layers behind the cut are left out and listed', () => {
  const tensors = saved('resnet50-tv', 'torchvision', 'layer2');
  tensors.set('fc.weight', { shape: [1], data: Float32Array.of(1) });
  tensors.set('bn1.num_batches_tracked', { shape: [], data: Float32Array.of(1) });
  const result = importWeights(tensors, 'f', { architecture: 'resnet50-tv', cut: 'layer1' });
  expect(result.head).toEqual(['fc.weight']);
  expect(result.behindCut).toContain('layer2.3.bn3.running_var');
  expect(result.behindCut.every((name) => name.startsWith('layer2.'))).toBe(true);
  expect(result.meta.cut).toBe('stage1/block3');
});

test("names wrapped by Keras' :0 and by DataParallel are found", () => {
  const keras = new Map([...saved('vgg16', 'keras', 'conv1_1')].map(([name, array]) => [`${name}:0`, array]));
  expect(importWeights(keras, 'f', { architecture: 'vgg16', cut: 'conv1_1' }).layout).toBe('keras');
  const torch = new Map(
    [...saved('vgg16', 'torchvision', 'conv1_1')].map(([name, array]) => [`module.${name}`, array]),
  );
  expect(importWeights(torch, 'f', { architecture: 'vgg16', cut: 'conv1_1' }).layout).toBe('torchvision');
});

test('a partial file without --cut says how far it is complete', () => {
  const tensors = saved('resnet50', 'keras', 'activation_40');
  expect(() => importWeights(tensors, 'part.safetensors', { architecture: 'resnet50' })).toThrow(InputError);
  expect(() => importWeights(tensors, 'part.safetensors', { architecture: 'resnet50' })).toThrow(
    /^part\.safetensors does not fit resnet50 cut at stage4\/block3: missing: res5a_branch2a\/kernel, .* \(complete up to stage3\/block6: pass --cut stage3\/block6\)\.$/,
  );
});

test('missing, misshapen, broken and unknown tensors are listed together by their own names', () => {
  const tensors = saved('vgg16', 'torchvision', 'conv1_2');
  tensors.delete('features.2.bias');
  tensors.set('features.0.bias', { shape: [3], data: new Float32Array(3) });
  tensors.get('features.0.weight')!.data[0] = Infinity;
  tensors.set('extra', { shape: [], data: Float32Array.of(0) });
  expect(() => importWeights(tensors, 'f', { architecture: 'vgg16', cut: 'conv1_2' })).toThrow(
    'f does not fit vgg16 cut at conv1_2: missing: features.2.bias (complete up to conv1_1: pass --cut conv1_1); ' +
      'features.0.weight holds NaN or infinite values; features.0.bias is [3], [64] expected; unknown: extra.',
  );
});

test('weights of another architecture or Keras generation are refused, never run in the wrong arithmetic', () => {
  const old = saved('resnet50', 'keras', 'conv2');
  expect(() => importWeights(old, 'f', { architecture: 'resnet50-keras', cut: 'conv2' })).toThrow(
    'the names are those of --arch resnet50.',
  );
  expect(() => importWeights(old, 'f', { architecture: 'vgg16' })).toThrow(
    'block1_conv1/kernel or features.0.weight or conv1_1.weight or conv1_1/kernel was expected',
  );
  const torch = saved('resnet50-tv', 'torchvision', 'conv2');
  expect(() => importWeights(torch, 'f', { architecture: 'resnet50', cut: 'conv2' })).toThrow('missing: conv1.bias');
});

describe('what stands before the names', () => {
  const network = saved('resnet18-tv', 'torchvision', 'stage1/block2');
  const behind = (prefix: string, tensors: NamedArrays = network): [string, NamedArray][] =>
    [...tensors].map(([name, array]) => [`${prefix}${name}`, array]);
  const resnet18 = { architecture: 'resnet18-tv', cut: 'stage1/block2' };
  const bytes = (weights: NamedArrays) =>
    [...weights].map(([name, { data }]) => [name, Buffer.from(data.buffer).toString('base64')]);
  const plain = bytes(importWeights(network, 'f', resnet18).weights);

  test.each(['module.', '_orig_mod.', 'module._orig_mod.', 'model.', 'backbone.', 'model.net.encoder.', 'a/b.'])(
    '%s is found by the names behind it',
    (prefix) => {
      const head: [string, NamedArray] = [`${prefix}fc.weight`, { shape: [1], data: new Float32Array(1) }];
      const imported = importWeights(new Map([...behind(prefix), head]), 'f', resnet18);
      expect(bytes(imported.weights)).toEqual(plain);
      expect(imported).toMatchObject({ layout: 'torchvision', prefix, head: ['fc.weight'], outside: [] });
    },
  );

  test('what is not behind it is left out, and said', () => {
    const other: [string, NamedArray] = ['criterion.weight', { shape: [1], data: new Float32Array(1) }];
    const { weights, outside } = importWeights(new Map([...behind('model.'), other]), 'f', resnet18);
    expect(bytes(weights)).toEqual(plain);
    expect(outside).toEqual(['criterion.weight']);
  });

  test('two networks in a file are not guessed between', () => {
    const both: NamedArrays = new Map([...behind('encoder_k.'), ...behind('encoder_q.')]);
    expect(() => importWeights(both, 'f', resnet18)).toThrow(
      'f holds resnet18-tv 2 times, behind "encoder_k.", "encoder_q.": say which with --prefix.',
    );
    const { weights, outside } = importWeights(both, 'f', { ...resnet18, prefix: 'encoder_q.' });
    expect(bytes(weights)).toEqual(plain);
    expect(outside).toHaveLength(network.size);
    expect(() => importWeights(both, 'f', { ...resnet18, prefix: 'encoder.' })).toThrow(/holds no weights of resnet18/);
  });

  test('a network of another architecture is still named, and no file has one by accident', () => {
    const wrong: NamedArrays = new Map(behind('model.'));
    expect(() => importWeights(wrong, 'f', { architecture: 'alexnet' })).toThrow(
      /holds no weights of alexnet: .*--arch resnet18-tv/,
    );
    expect(fittingArchitectures(wrong)).toEqual([{ name: 'resnet18-tv', prefix: 'model.' }]);
    expect(fittingArchitectures(new Map([['x.weight', { shape: [1], data: new Float32Array(1) }]]))).toEqual([]);
  });
});
