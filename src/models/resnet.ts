/**
 * @file ResNet-50 (He et al. 2016) in the three arithmetics that published weights need. They differ in where the stride
 * is, how the stem pads, and the epsilon of the batch norms; weights of one give wrong maps, without any error, in another.
 *
 * | name | weights | stride 2 in | conv1 | pool1 | epsilon |
 * |---|---|---|---|---|---|
 * | resnet50 | Keras up to 2.1 (from Caffe), with conv biases | first 1x1 | "same" | 3x3/2 without padding | 1e-3 |
 * | resnet50-keras | tf.keras applications, with conv biases | first 1x1 | 3 | 3x3/2, padding 1 | 1.001e-5 |
 * | resnet50-tv | torchvision (v1.5) | 3x3 | 3 | 3x3/2, padding 1 | 1e-5 |
 *
 * Layers: `conv1`, `pool1`, `stage1/block1/conv1` ... `conv3`, `stage1/block1/shortcut`, `stage1/block1` (block output).
 */
import {
  type Architecture,
  caffePreprocessing,
  imageInput,
  type Layer,
  type Padding,
  torchPreprocessing,
} from './architecture.js';

interface Flavour {
  strideIn: 'first' | 'middle';
  stemPad: Padding;
  poolPad: Padding;
  bias: boolean;
}

const blocksPerStage = [3, 4, 6, 3];

export const resnet50: Architecture = {
  name: 'resnet50',
  layers: resnetLayers({ strideIn: 'first', stemPad: 'same', poolPad: 0, bias: true }),
  defaultCut: 'stage4/block3',
  normEpsilon: 1e-3,
  preprocessing: caffePreprocessing,
  aliases: aliases(),
};

export const resnet50Keras: Architecture = {
  name: 'resnet50-keras',
  layers: resnetLayers({ strideIn: 'first', stemPad: 3, poolPad: 1, bias: true }),
  defaultCut: 'stage4/block3',
  normEpsilon: 1.001e-5,
  preprocessing: caffePreprocessing,
  aliases: aliases(),
};

export const resnet50Torchvision: Architecture = {
  name: 'resnet50-tv',
  layers: resnetLayers({ strideIn: 'middle', stemPad: 3, poolPad: 1, bias: false }),
  defaultCut: 'stage4/block3',
  normEpsilon: 1e-5,
  preprocessing: torchPreprocessing,
  aliases: aliases(),
};

function resnetLayers({ strideIn, stemPad, poolPad, bias }: Flavour): Layer[] {
  const conv = (
    name: string,
    input: string,
    {
      stage,
      size,
      stride = 1,
      from,
      to,
      relu,
    }: { stage: string; size: number; stride?: number; from: number; to: number; relu: boolean },
  ): Layer => ({
    op: 'conv',
    name,
    inputs: [input],
    stage,
    size,
    stride,
    pad: (size - 1) / 2,
    inChannels: from,
    outChannels: to,
    bias,
    norm: true,
    relu,
  });
  const layers: Layer[] = [
    {
      op: 'conv',
      name: 'conv1',
      inputs: [imageInput],
      stage: 'stem',
      size: 7,
      stride: 2,
      pad: stemPad,
      inChannels: 3,
      outChannels: 64,
      bias,
      norm: true,
      relu: true,
    },
    { op: 'maxPool', name: 'pool1', inputs: ['conv1'], stage: 'stem', size: 3, stride: 2, pad: poolPad },
  ];
  let input = 'pool1';
  let channels = 64;
  for (const [i, count] of blocksPerStage.entries()) {
    const stage = `stage${i + 1}`;
    const width = 64 * 2 ** i;
    for (let j = 1; j <= count; j++) {
      const name = `${stage}/block${j}`;
      const stride = j === 1 && i > 0 ? 2 : 1;
      const [first, middle] = strideIn === 'first' ? [stride, 1] : [1, stride];
      layers.push(
        conv(`${name}/conv1`, input, { stage, size: 1, stride: first, from: channels, to: width, relu: true }),
        conv(`${name}/conv2`, `${name}/conv1`, { stage, size: 3, stride: middle, from: width, to: width, relu: true }),
        conv(`${name}/conv3`, `${name}/conv2`, { stage, size: 1, from: width, to: 4 * width, relu: false }),
      );
      let skip = input;
      if (j === 1) {
        skip = `${name}/shortcut`;
        layers.push(conv(skip, input, { stage, size: 1, stride, from: channels, to: 4 * width, relu: false }));
      }
      layers.push({ op: 'add', name, inputs: [`${name}/conv3`, skip], stage });
      input = name;
      channels = 4 * width;
    }
  }
  return layers;
}

/** `conv4`, `layer3`, `res4f`, `activation_40`, `conv4_block6_out`: the output of our `stage3/block6`, and so on. */
function aliases(): Map<string, string> {
  const names = new Map([
    ['activation_1', 'conv1'],
    ['max_pooling2d_1', 'pool1'],
    ['maxpool', 'pool1'],
    ['pool1_pool', 'pool1'],
  ]);
  let activation = 1; // Keras numbers its activation layers: one behind conv1, three per block
  for (const [i, count] of blocksPerStage.entries()) {
    for (let j = 1; j <= count; j++) {
      const block = `stage${i + 1}/block${j}`;
      activation += 3;
      names.set(`activation_${activation}`, block);
      names.set(`res${i + 2}${'abcdef'[j - 1]}`, block).set(`conv${i + 2}_block${j}_out`, block);
    }
    const last = `stage${i + 1}/block${count}`;
    for (const alias of [`conv${i + 2}`, `layer${i + 1}`, `stage${i + 1}`]) names.set(alias, last);
  }
  return names;
}
