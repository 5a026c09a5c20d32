/**
 * @file VGG-16 and 19 (Simonyan and Zisserman 2015): 3x3 convolutions with bias. Layers: `conv1_1` ... `conv5_3` (or
 * `conv5_4`), `pool1` ... `pool5`. The default cut is the last convolution (stride 16: Gordo, cirtorch); Tolias cuts at
 * `pool5` (stride 32).
 */
import { type Architecture, caffePreprocessing, imageInput, type Layer } from './architecture.js';
import { convLayer } from './conv-layer.js';

const widths = [64, 128, 256, 512, 512];

export const vgg16 = vgg('vgg16', [2, 2, 3, 3, 3]);
export const vgg19 = vgg('vgg19', [2, 2, 4, 4, 4]);

function vgg(name: string, convsPerStage: readonly number[]): Architecture {
  return {
    name,
    layers: vggLayers(convsPerStage),
    defaultCut: `conv5_${convsPerStage[4]}`,
    normEpsilon: 1e-5, // there is no batch norm in it
    preprocessing: caffePreprocessing,
    aliases: aliases(convsPerStage),
  };
}

function vggLayers(convsPerStage: readonly number[]): Layer[] {
  const layers: Layer[] = [];
  let input = imageInput;
  let channels = 3;
  for (const [i, count] of convsPerStage.entries()) {
    const stage = `conv${i + 1}`;
    for (let j = 1; j <= count; j++) {
      const name = `${stage}_${j}`;
      layers.push(
        convLayer(name, input, {
          stage,
          size: 3,
          from: channels,
          to: widths[i],
          bias: true,
          norm: false,
          activation: 'relu',
        }),
      );
      input = name;
      channels = widths[i]!;
    }
    layers.push({ op: 'maxPool', name: `pool${i + 1}`, inputs: [input], stage, size: 2, stride: 2, pad: 0 });
    input = `pool${i + 1}`;
  }
  return layers;
}

/** Keras' block5_conv3 and block5_pool, torchvision's `features`. */
function aliases(convsPerStage: readonly number[]): Map<string, string> {
  const names = new Map([['features', 'pool5']]);
  for (const [i, count] of convsPerStage.entries()) {
    for (let j = 1; j <= count; j++) names.set(`block${i + 1}_conv${j}`, `conv${i + 1}_${j}`);
    names.set(`block${i + 1}_pool`, `pool${i + 1}`);
  }
  return names;
}
