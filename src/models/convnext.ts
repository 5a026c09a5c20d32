/**
 * @file ConvNeXt-T and S (Liu et al. 2022): windows of 7 channel by channel, layer norm, and two dense layers around GELU, scaled
 * channel by channel and added. All frameworks compute the same.
 *
 * Layers: `stem/conv`, `stem` (its layer norm), `stage1/block1/conv1`, `norm`, `dense1`, `dense2`, `scale`, `stage1/block1` (sum) ...
 * `stage2/down/norm`, `stage2/down`, `stage2/block1` ... `stage4/block3`, `norm`: the layer norm that classifiers have behind the mean of
 * all cells, here of every cell.
 */
import { append } from '../extremes.js';
import { type Architecture, imageInput, type Layer, torchPreprocessing } from './architecture.js';
import { convLayer, type ConvOptions } from './conv-layer.js';
import { perceptronLayers } from './perceptron-layers.js';

const widths = [96, 192, 384, 768];
const epsilon = 1e-6;

export const convnexts: readonly Architecture[] = [
  convnext('convnext-tiny', [3, 3, 9, 3]),
  convnext('convnext-small', [3, 3, 27, 3]),
];

function convnext(name: string, blocksPerStage: readonly number[]): Architecture {
  return {
    name,
    layers: convnextLayers(blocksPerStage),
    defaultCut: `stage4/block${blocksPerStage[3]}`,
    normEpsilon: 1e-5, // there is no batch norm in it
    preprocessing: torchPreprocessing,
    aliases: aliases(blocksPerStage),
  };
}

/** With bias, without norm. */
function conv(name: string, input: string, options: ConvOptions): Layer {
  return convLayer(name, input, { bias: true, norm: false, ...options });
}

function convnextLayers(blocksPerStage: readonly number[]): Layer[] {
  const layers: Layer[] = [
    conv('stem/conv', imageInput, { stage: 'stem', size: 4, stride: 4, pad: 0, from: 3, to: widths[0] }),
    { op: 'layerNorm', name: 'stem', inputs: ['stem/conv'], stage: 'stem', channels: widths[0], epsilon },
  ];
  let input = 'stem';
  for (const [i, count] of blocksPerStage.entries()) {
    const stage = `stage${i + 1}`;
    const channels = widths[i];
    if (i > 0) {
      const down = `${stage}/down`;
      const from = widths[i - 1];
      layers.push(
        { op: 'layerNorm', name: `${down}/norm`, inputs: [input], stage, channels: from, epsilon },
        conv(down, `${down}/norm`, { stage, size: 2, stride: 2, pad: 0, from, to: channels }),
      );
      input = down;
    }
    for (let j = 1; j <= count; j++) {
      const name = `${stage}/block${j}`;
      layers.push(conv(`${name}/conv1`, input, { stage, size: 7, from: channels, to: channels, groups: channels }));
      append(
        layers,
        perceptronLayers(name, `${name}/conv1`, { stage, channels, scaled: true, addTo: input, epsilon, sum: name }),
      );
      input = name;
    }
  }
  layers.push({ op: 'layerNorm', name: 'norm', inputs: [input], stage: 'stage4', channels: widths[3], epsilon });
  return layers;
}

/** Torchvision's `features.3`, timm's `stages.1`: the output of our `stage2`. */
function aliases(blocksPerStage: readonly number[]): Map<string, string> {
  const names = new Map([['features.0', 'stem']]);
  for (const [i, count] of blocksPerStage.entries()) {
    const last = `stage${i + 1}/block${count}`;
    for (const alias of [`features.${2 * i + 1}`, `stages.${i}`, `stage${i + 1}`]) names.set(alias, last);
  }
  return names.set('features', `stage4/block${blocksPerStage[3]}`);
}
