/**
 * @file Names of published weights -> ours. Each architecture says, for one of its layers, what Keras, torchvision and Caffe
 * call the convolution and the batch norm of it; the suffixes (kernel or weight, moving_mean or running_mean) are the same
 * everywhere. Which of the layouts a file has is found by counting names.
 */
import type { Parameter, ParameterKind } from './architecture.js';
import { efficientnetPart } from './efficientnet.js';
import { caffeBlock } from './resnet.js';
import type { LayerNames, SourceLayer, SourceTensor } from './source-layer.js';
import { dinoVit, torchConvnext, torchVit } from './transformer-names.js';

export type WeightLayout = 'rmac' | 'keras' | 'torchvision' | 'caffe';

/** Only the layouts in which the architecture's weights are published. */
type Naming = Partial<Record<Exclude<WeightLayout, 'rmac'>, LayerNames>>;

const namings: Readonly<Record<string, Naming>> = {
  alexnet: { caffe: sameNames },
  'alexnet-tv': { torchvision: torchAlexnet },
  densenet121: { keras: kerasDensenet, torchvision: torchDensenet },
  densenet169: { keras: kerasDensenet, torchvision: torchDensenet },
  densenet201: { keras: kerasDensenet, torchvision: torchDensenet },
  'convnext-tiny': { torchvision: torchConvnext },
  'convnext-small': { torchvision: torchConvnext },
  'dinov2-s14': { torchvision: dinoVit },
  'dinov2-b14': { torchvision: dinoVit },
  'dinov2-s14-reg': { torchvision: dinoVit },
  'dinov2-b14-reg': { torchvision: dinoVit },
  'efficientnet-b0-tv': { torchvision: torchEfficientnet },
  'efficientnet-b1-tv': { torchvision: torchEfficientnet },
  'efficientnet-b2-tv': { torchvision: torchEfficientnet },
  'efficientnet-b3-tv': { torchvision: torchEfficientnet },
  mobilenet: { keras: kerasMobilenet },
  'mobilenet-v2-tv': { torchvision: torchMobilenet },
  // The two generations of Keras names stand for two arithmetics: accepting both would give wrong maps without an error.
  resnet50: { keras: caffeResnet(false), torchvision: torchResnet },
  'resnet50-caffe': { caffe: caffeResnet(false) },
  'resnet101-caffe': { caffe: caffeResnet(true) },
  'resnet152-caffe': { caffe: caffeResnet(true) },
  'resnet50-keras': { keras: kerasResnet, torchvision: torchResnet },
  'resnet101-keras': { keras: kerasResnet, torchvision: torchResnet },
  'resnet152-keras': { keras: kerasResnet, torchvision: torchResnet },
  'resnet18-tv': { keras: kerasResnet, torchvision: torchResnet },
  'resnet34-tv': { keras: kerasResnet, torchvision: torchResnet },
  'resnet50-tv': { keras: kerasResnet, torchvision: torchResnet },
  'resnet101-tv': { keras: kerasResnet, torchvision: torchResnet },
  'resnet152-tv': { keras: kerasResnet, torchvision: torchResnet },
  'vit-s16': { torchvision: dinoVit },
  'vit-b16': { torchvision: torchVit },
  vgg16: { keras: kerasVgg, torchvision: torchVgg([2, 2, 3, 3]), caffe: sameNames },
  vgg19: { keras: kerasVgg, torchvision: torchVgg([2, 2, 4, 4]), caffe: sameNames },
};

const residualLayer = /^stage(\d)\/block(\d+)\/(?:conv(\d)|shortcut)$/;

const kerasSuffix: Readonly<Record<ParameterKind, string>> = {
  kernel: 'kernel',
  bias: 'bias',
  gamma: 'gamma',
  beta: 'beta',
  mean: 'moving_mean',
  variance: 'moving_variance',
  class: 'class',
  registers: 'registers',
  position: 'position',
};

const torchSuffix: Readonly<Record<ParameterKind, string>> = {
  kernel: 'weight',
  bias: 'bias',
  gamma: 'weight',
  beta: 'bias',
  mean: 'running_mean',
  variance: 'running_var',
  class: 'class',
  registers: 'registers',
  position: 'position',
};

/** Which of a network's tensors. */
type ParameterName = Pick<Parameter, 'name' | 'layer' | 'kind'>;

/** Every name a parameter may have in files of a layout. */
export function sourceNames(architecture: string, parameter: ParameterName, layout: WeightLayout): string[] {
  return sourceTensors(architecture, parameter, layout).map(({ name }) => name);
}

/** The same with what is known of their shapes. */
export function sourceTensors(
  architecture: string,
  { name, layer, kind }: ParameterName,
  layout: WeightLayout,
): SourceTensor[] {
  if (layout === 'rmac') return [{ name }];
  const layerNames = namings[architecture]?.[layout];
  if (layerNames === undefined) return [];
  const part = kind === 'kernel' || kind === 'bias' ? 'conv' : 'norm';
  const suffix = (layout === 'keras' ? kerasSuffix : torchSuffix)[kind];
  return layerNames(layer).flatMap((source) => {
    const whole = source.tensors?.[kind];
    if (whole !== undefined) return [whole];
    const prefix = source[part];
    if (prefix === undefined) return [];
    const own = kind === 'kernel' ? (source.kernel ?? suffix) : suffix;
    return [{ name: layout === 'keras' ? `${prefix}/${own}` : `${prefix}.${own}` }];
  });
}

/** A tensor's name without Keras' `:0`. What stands before names: weight-prefix.ts. */
export function plainName(name: string): string {
  return name.replace(/:0$/, '');
}

/** Tensors of the classifier behind the trunk: expected in complete files, and left out. */
export function isClassifierHead(name: string): boolean {
  return /^(fc\d*|predictions|probs|logits|conv_preds|classifier(\.\d+)?|heads?(\.(fc|head))?|head_dist)[./](kernel|weight|bias)$/.test(
    plainName(name),
  );
}

/** What training alone needs: torch's counters beside batch norms, DINOv2's token in place of hidden patches. */
export function isOfTraining(name: string): boolean {
  return name.endsWith('.num_batches_tracked') || name === 'mask_token';
}

/** Networks whose layers we call as their Caffe definition does. */
function sameNames(layer: string): SourceLayer[] {
  return [{ conv: layer }];
}

/** Index of each convolution in torchvision's `features`, pooling and ReLU counted. */
const torchAlexnetIndex: Readonly<Record<string, number>> = { conv1: 0, conv2: 3, conv3: 6, conv4: 8, conv5: 10 };

function torchAlexnet(layer: string): SourceLayer[] {
  return [{ conv: `features.${torchAlexnetIndex[layer]}` }];
}

/** `conv_dw_3` -> conv_dw_3 + conv_dw_3_bn. The kernel is plainly that since Keras 3. */
function kerasMobilenet(layer: string): SourceLayer[] {
  const name = { conv: layer, norm: `${layer}_bn` };
  return layer.startsWith('conv_dw') ? [{ ...name, kernel: 'depthwise_kernel' }, { conv: layer }] : [name];
}

/** `block3/conv2` -> features.3.conv.1.0 + .1.1; the projection at the end of a block has no pair of its own. */
function torchMobilenet(layer: string): SourceLayer[] {
  const pair = (prefix: string) => [{ conv: `${prefix}.0`, norm: `${prefix}.1` }];
  if (layer === 'stem') return pair('features.0');
  if (layer === 'out') return pair('features.18');
  const [, block, part = '3'] = /^block(\d+)(?:\/conv(\d))?$/.exec(layer) ?? [];
  const index = Number(part) - (block === '1' ? 2 : 1); // the first block has no expansion
  const prefix = `features.${block}.conv`;
  return part === '3' ? [{ conv: `${prefix}.${index}`, norm: `${prefix}.${index + 1}` }] : pair(`${prefix}.${index}`);
}

/** Torchvision's names, then timm's; the first stage has no expansion. `stage2/block1/excite` -> features.2.0.block.2.fc2, blocks.1.0.se.conv_expand. */
function torchEfficientnet(layer: string): SourceLayer[] {
  const pair = (conv: string, norm: string) => ({ conv, norm });
  if (layer === 'stem') return [pair('features.0.0', 'features.0.1'), pair('conv_stem', 'bn1')];
  if (layer === 'out') return [pair('features.8.0', 'features.8.1'), pair('conv_head', 'bn2')];
  const { stage, block, part } = efficientnetPart(layer);
  const torch = `features.${stage}.${block - 1}.block`;
  const timm = `blocks.${stage - 1}.${block - 1}`;
  if (part === 'squeeze2') return [{ conv: `${torch}.${stage === 1 ? 1 : 2}.fc1` }, { conv: `${timm}.se.conv_reduce` }];
  if (part === 'excite') return [{ conv: `${torch}.${stage === 1 ? 1 : 2}.fc2` }, { conv: `${timm}.se.conv_expand` }];
  const names = stage === 1 ? ['', 'conv_dw', 'conv_pw'] : ['conv_pw', 'conv_dw', 'conv_pwl'];
  const at = Number((part ?? 'conv3').slice(4)) - 1;
  const index = (at === 2 ? 3 : at) - (stage === 1 ? 1 : 0);
  return [
    pair(`${torch}.${index}.0`, `${torch}.${index}.1`),
    pair(`${timm}.${names[at]}`, `${timm}.bn${at + (stage === 1 ? 0 : 1)}`),
  ];
}

/** `block2/layer5/conv1` -> conv3_block5_1_conv + conv3_block5_1_bn. */
function kerasDensenet(layer: string): SourceLayer[] {
  if (layer === 'stem/conv') {
    return [
      { conv: 'conv1/conv', norm: 'conv1/bn' },
      { conv: 'conv1_conv', norm: 'conv1_bn' }, // Keras 3
    ];
  }
  if (layer === 'norm') return [{ norm: 'bn' }];
  const transition = /^transition(\d)\/(norm|conv)$/.exec(layer);
  if (transition) {
    const prefix = `pool${Number(transition[1]) + 1}`;
    return [{ conv: `${prefix}_conv`, norm: `${prefix}_bn` }];
  }
  const [, block, index, part] = /^block(\d)\/layer(\d+)\/(norm|conv1|conv2)$/.exec(layer) ?? [];
  const prefix = `conv${Number(block) + 1}_block${index}`;
  if (part === 'norm') return [{ norm: `${prefix}_0_bn` }];
  const number = part === 'conv1' ? 1 : 2;
  return [{ conv: `${prefix}_${number}_conv`, norm: `${prefix}_${number}_bn` }];
}

/** `block2/layer5/conv1` -> features.denseblock2.denselayer5.conv1 + .norm2; files before 2018 wrote conv.1, norm.2. */
function torchDensenet(layer: string): SourceLayer[] {
  if (layer === 'stem/conv') return [{ conv: 'features.conv0', norm: 'features.norm0' }];
  if (layer === 'norm') return [{ norm: 'features.norm5' }];
  const transition = /^transition(\d)\//.exec(layer);
  if (transition) {
    const prefix = `features.transition${transition[1]}`;
    return [{ conv: `${prefix}.conv`, norm: `${prefix}.norm` }];
  }
  const [, block, index, part] = /^block(\d)\/layer(\d+)\/(norm|conv1|conv2)$/.exec(layer) ?? [];
  const prefix = `features.denseblock${block}.denselayer${index}`;
  if (part === 'norm') return [{ norm: `${prefix}.norm1` }, { norm: `${prefix}.norm.1` }];
  if (part === 'conv2') return [{ conv: `${prefix}.conv2` }, { conv: `${prefix}.conv.2` }];
  return [
    { conv: `${prefix}.conv1`, norm: `${prefix}.norm2` },
    { conv: `${prefix}.conv.1`, norm: `${prefix}.norm.2` },
  ];
}

/**
 * `stage3/block6/conv2` -> res4f_branch2b + bn4f_branch2b (`numbered`: res4b5_branch2b): Caffe, and Keras up to 2.1 after it.
 * Caffe's Scale is part of the batch norm before it.
 */
function caffeResnet(numbered: boolean): LayerNames {
  return (layer) => {
    if (layer === 'conv1') return [{ conv: 'conv1', norm: 'bn_conv1' }];
    const [, stage, block, conv] = residualLayer.exec(layer) ?? [];
    const branch = conv === undefined ? '1' : `2${'abc'[Number(conv) - 1]}`;
    const suffix = `${Number(stage) + 1}${caffeBlock(Number(stage), Number(block), numbered)}_branch${branch}`;
    return [{ conv: `res${suffix}`, norm: `bn${suffix}` }];
  };
}

/** `stage3/block6/conv2` -> conv4_block6_2_conv + conv4_block6_2_bn: Keras since. */
function kerasResnet(layer: string): SourceLayer[] {
  if (layer === 'conv1') return [{ conv: 'conv1_conv', norm: 'conv1_bn' }];
  const [, stage, block, conv] = residualLayer.exec(layer) ?? [];
  const prefix = `conv${Number(stage) + 1}_block${block}_${conv ?? 0}`;
  return [{ conv: `${prefix}_conv`, norm: `${prefix}_bn` }];
}

/** `stage3/block6/conv2` -> layer3.5.conv2 + layer3.5.bn2. */
function torchResnet(layer: string): SourceLayer[] {
  if (layer === 'conv1') return [{ conv: 'conv1', norm: 'bn1' }];
  const [, stage, block, conv] = residualLayer.exec(layer) ?? [];
  const prefix = `layer${stage}.${Number(block) - 1}`;
  if (conv === undefined) return [{ conv: `${prefix}.downsample.0`, norm: `${prefix}.downsample.1` }];
  return [{ conv: `${prefix}.conv${conv}`, norm: `${prefix}.bn${conv}` }];
}

/** `conv5_3` -> block5_conv3. */
function kerasVgg(layer: string): SourceLayer[] {
  return [{ conv: layer.replace(/^conv(\d)_(\d)$/, 'block$1_conv$2') }];
}

/** `conv3_2` -> features.12: torchvision counts the ReLUs and poolings of the stages before too. */
function torchVgg(convsBefore: readonly number[]): LayerNames {
  return (layer) => {
    const [, stage, index] = /^conv(\d)_(\d)$/.exec(layer) ?? [];
    const before = convsBefore.slice(0, Number(stage) - 1).reduce((sum, convs) => sum + 2 * convs + 1, 0);
    return [{ conv: `features.${before + 2 * (Number(index) - 1)}` }];
  };
}
