/**
 * @file VGG-16 (Simonyan and Zisserman 2015), thirteen 3x3 convolutions with bias. Layers: `conv1_1` ... `conv5_3`,
 * `pool1` ... `pool5`. The default cut is conv5_3 (stride 16: Gordo, cirtorch); Tolias cuts at `pool5` (stride 32).
 */
import { type Architecture, caffePreprocessing, imageInput, type Layer } from './architecture.js';

const convsPerStage = [2, 2, 3, 3, 3];
const widths = [64, 128, 256, 512, 512];

export const vgg16: Architecture = {
  name: 'vgg16',
  layers: vggLayers(),
  defaultCut: 'conv5_3',
  normEpsilon: 1e-5, // there is no batch norm in it
  preprocessing: caffePreprocessing,
  aliases: aliases(),
};

function vggLayers(): Layer[] {
  const layers: Layer[] = [];
  let input = imageInput;
  let channels = 3;
  for (const [i, count] of convsPerStage.entries()) {
    const stage = `conv${i + 1}`;
    for (let j = 1; j <= count; j++) {
      const name = `${stage}_${j}`;
      layers.push({
        op: 'conv',
        name,
        inputs: [input],
        stage,
        size: 3,
        stride: 1,
        pad: 1,
        inChannels: channels,
        outChannels: widths[i],
        bias: true,
        norm: false,
        relu: true,
      });
      input = name;
      channels = widths[i]!;
    }
    layers.push({ op: 'maxPool', name: `pool${i + 1}`, inputs: [input], stage, size: 2, stride: 2, pad: 0 });
    input = `pool${i + 1}`;
  }
  return layers;
}

/** Keras' block5_conv3 and block5_pool, torchvision's `features`. */
function aliases(): Map<string, string> {
  const names = new Map([['features', 'pool5']]);
  for (const [i, count] of convsPerStage.entries()) {
    for (let j = 1; j <= count; j++) names.set(`block${i + 1}_conv${j}`, `conv${i + 1}_${j}`);
    names.set(`block${i + 1}_pool`, `pool${i + 1}`);
  }
  return names;
}
