/**
 * @file MobileNet (Howard et al. 2017) as Keras computes it, and MobileNet v2 (Sandler et al. 2018) as torchvision does: 3x3
 * convolutions channel by channel between 1x1 convolutions, ReLU up to 6. Keras pads a stride of 2 behind only.
 *
 * Layers of `mobilenet`, with Keras' names: `conv1`, `conv_dw_1`, `conv_pw_1` ... `conv_pw_13`.
 * Layers of `mobilenet-v2-tv`: `stem`, `block1/conv2`, `block1`, `block2/conv1` (expansion), `block2/conv2` (channel by
 * channel), `block2` (projection, no ReLU), `block3/conv1` ... `conv3`, `block3` (sum) ... `block17`, `out`.
 */
import { type Architecture, imageInput, type Layer, torchPreprocessing } from './architecture.js';
import { convLayer, type ConvOptions } from './conv-layer.js';

/** With ReLU up to 6, unless `options` say otherwise. */
function conv(name: string, input: string, options: ConvOptions): Layer {
  return convLayer(name, input, { activation: 'relu6', ...options });
}

export const mobilenet: Architecture = {
  name: 'mobilenet',
  layers: mobileLayers(),
  defaultCut: 'conv_pw_13',
  normEpsilon: 1e-3,
  preprocessing: { channels: 'rgb', scale: 1 / 127.5, mean: [1, 1, 1], std: [1, 1, 1] }, // [-1, 1]
  aliases: new Map(mobileLayers().map(({ name }) => [`${name}_relu`, name])),
};

function mobileLayers(): Layer[] {
  const behind = [0, 1] as const;
  const layers = [conv('conv1', imageInput, { stage: 'stem', size: 3, stride: 2, pad: behind, from: 3, to: 32 })];
  // Output channels of the pairs; where they double, the pair is strided (not the first, which the stem has halved).
  const widths = [64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024];
  let stageNumber = 1;
  let input = 'conv1';
  let channels = 32;
  for (const [i, to] of widths.entries()) {
    const strided = i > 0 && to > channels;
    if (strided) stageNumber++;
    const stage = `stage${stageNumber}`;
    const [depthwise, pointwise] = [`conv_dw_${i + 1}`, `conv_pw_${i + 1}`];
    layers.push(
      conv(depthwise, input, {
        stage,
        size: 3,
        ...(strided && { stride: 2, pad: behind }),
        from: channels,
        to: channels,
        groups: channels,
      }),
      conv(pointwise, depthwise, { stage, size: 1, from: channels, to }),
    );
    input = pointwise;
    channels = to;
  }
  return layers;
}

/** Of each stage: how much wider a block is inside, its output channels, number of blocks, stride of the first. */
const invertedStages = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

export const mobilenetV2: Architecture = {
  name: 'mobilenet-v2-tv',
  layers: invertedLayers(),
  defaultCut: 'out',
  normEpsilon: 1e-5,
  preprocessing: torchPreprocessing,
  aliases: new Map([
    ['features', 'out'],
    ['features.0', 'stem'],
    ...Array.from({ length: 17 }, (_, i) => [`features.${i + 1}`, `block${i + 1}`] as const),
    ['features.18', 'out'],
  ]),
};

function invertedLayers(): Layer[] {
  const layers = [conv('stem', imageInput, { stage: 'stem', size: 3, stride: 2, from: 3, to: 32 })];
  let input = 'stem';
  let channels = 32;
  let block = 1;
  for (const [i, [expansion, to, count, firstStride]] of invertedStages.entries()) {
    const stage = `stage${i + 1}`;
    for (let j = 0; j < count; j++) {
      const name = `block${block++}`;
      const stride = j === 0 ? firstStride : 1;
      const width = expansion * channels;
      const residual = stride === 1 && channels === to;
      let expanded = input;
      if (expansion > 1) {
        expanded = `${name}/conv1`;
        layers.push(conv(expanded, input, { stage, size: 1, from: channels, to: width }));
      }
      const projected = residual ? `${name}/conv3` : name;
      layers.push(
        conv(`${name}/conv2`, expanded, { stage, size: 3, stride, from: width, to: width, groups: width }),
        conv(projected, `${name}/conv2`, { stage, size: 1, from: width, to, activation: 'none' }),
      );
      if (residual) layers.push({ op: 'add', name, inputs: [projected, input], stage, activation: 'none' });
      input = name;
      channels = to;
    }
  }
  layers.push(conv('out', input, { stage: 'stage7', size: 1, from: channels, to: 1280 }));
  return layers;
}
