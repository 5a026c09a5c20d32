/**
 * @file ResNet (He et al. 2016) in the arithmetics that published weights need. They differ in where the stride is, how the
 * stem pads, and the epsilon of the batch norms; weights of one give wrong maps, without any error, in another.
 *
 * | name | weights | stride 2 in | conv1 | pool1 | epsilon |
 * |---|---|---|---|---|---|
 * | resnet50 | Keras up to 2.1 (from Caffe), with conv biases | first 1x1 | "same" | 3x3/2 without padding | 1e-3 |
 * | resnet50-caffe, 101, 152 | Caffe (He, Gordo); conv1 of ResNet-50 has biases | first 1x1 | 3 | 3x3/2, rounded up | 1e-5 |
 * | resnet50-keras, 101, 152 | tf.keras applications, with conv biases | first 1x1 | 3 | 3x3/2, padding 1 | 1.001e-5 |
 * | resnet18-tv, 34, 50, 101, 152 | torchvision (v1.5) | 3x3 | 3 | 3x3/2, padding 1 | 1e-5 |
 *
 * Layers: `conv1`, `pool1`, `stage1/block1/conv1` ... `conv3`, `stage1/block1/shortcut`, `stage1/block1` (block output);
 * the blocks of ResNet-18 and 34 have two 3x3 convolutions, the first with the stride.
 */
import type { Preprocessing } from './meta.js';
import {
  type Architecture,
  caffePreprocessing,
  imageInput,
  type Layer,
  type Padding,
  torchPreprocessing,
} from './architecture.js';
import { convLayer } from './conv-layer.js';

interface Flavour {
  normEpsilon: number;
  preprocessing: Preprocessing;
  strideIn: 'first' | 'middle';
  stemPad: Padding;
  poolPad: Padding;
  bias: boolean;
  /** Caffe: conv1 of ResNet-50 alone has a bias. */
  stemBias?: boolean;
}

interface ResnetSize {
  blocksPerStage: readonly number[];
  /** Channels of a block's output over those of its inside: 1 for two 3x3, 4 for 1x1, 3x3, 1x1. */
  expansion: 1 | 4;
}

const oldKeras: Flavour = {
  normEpsilon: 1e-3,
  preprocessing: caffePreprocessing,
  strideIn: 'first',
  stemPad: 'same',
  poolPad: 0,
  bias: true,
};
const keras: Flavour = { ...oldKeras, normEpsilon: 1.001e-5, stemPad: 3, poolPad: 1 };
const caffe: Flavour = { ...oldKeras, normEpsilon: 1e-5, stemPad: 3, poolPad: 'ceil', bias: false };
const torchvision: Flavour = {
  normEpsilon: 1e-5,
  preprocessing: torchPreprocessing,
  strideIn: 'middle',
  stemPad: 3,
  poolPad: 1,
  bias: false,
};

const depth18: ResnetSize = { blocksPerStage: [2, 2, 2, 2], expansion: 1 };
const depth34: ResnetSize = { blocksPerStage: [3, 4, 6, 3], expansion: 1 };
const depth50: ResnetSize = { blocksPerStage: [3, 4, 6, 3], expansion: 4 };
const depth101: ResnetSize = { blocksPerStage: [3, 4, 23, 3], expansion: 4 };
const depth152: ResnetSize = { blocksPerStage: [3, 8, 36, 3], expansion: 4 };

export const resnets: readonly Architecture[] = [
  resnet('resnet50', depth50, oldKeras),
  resnet('resnet50-caffe', depth50, { ...caffe, stemBias: true }),
  resnet('resnet101-caffe', depth101, caffe),
  resnet('resnet152-caffe', depth152, caffe),
  resnet('resnet50-keras', depth50, keras),
  resnet('resnet101-keras', depth101, keras),
  resnet('resnet152-keras', depth152, keras),
  resnet('resnet18-tv', depth18, torchvision),
  resnet('resnet34-tv', depth34, torchvision),
  resnet('resnet50-tv', depth50, torchvision),
  resnet('resnet101-tv', depth101, torchvision),
  resnet('resnet152-tv', depth152, torchvision),
];

function resnet(name: string, size: ResnetSize, flavour: Flavour): Architecture {
  const { normEpsilon, preprocessing } = flavour;
  return {
    name,
    layers: resnetLayers(size, flavour),
    defaultCut: `stage4/block${size.blocksPerStage[3]}`,
    normEpsilon,
    preprocessing,
    aliases: aliases(size),
  };
}

function resnetLayers(
  { blocksPerStage, expansion }: ResnetSize,
  { strideIn, stemPad, poolPad, bias, stemBias = bias }: Flavour,
): Layer[] {
  const layers: Layer[] = [
    convLayer('conv1', imageInput, {
      stage: 'stem',
      size: 7,
      stride: 2,
      pad: stemPad,
      from: 3,
      to: 64,
      bias: stemBias,
    }),
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
      const strided = expansion === 1 || strideIn === 'first' ? 1 : 2;
      const wide = expansion * width;
      const sizes = expansion === 1 ? [3, 3] : [1, 3, 1];
      let branch = input;
      for (const [k, size] of sizes.entries()) {
        const last = k === sizes.length - 1;
        const from = k === 0 ? channels : width;
        const part = `${name}/conv${k + 1}`;
        layers.push(
          convLayer(part, branch, {
            stage,
            size,
            stride: k + 1 === strided ? stride : 1,
            from,
            to: last ? wide : width,
            bias,
            activation: last ? 'none' : 'relu',
          }),
        );
        branch = part;
      }
      let skip = input;
      if (stride > 1 || channels !== wide) {
        skip = `${name}/shortcut`;
        layers.push(
          convLayer(skip, input, { stage, size: 1, stride, from: channels, to: wide, bias, activation: 'none' }),
        );
      }
      layers.push({ op: 'add', name, inputs: [branch, skip], stage, activation: 'relu' });
      input = name;
      channels = wide;
    }
  }
  return layers;
}

/** `conv4`, `layer3`, `res4f`, `activation_40`, `conv4_block6_out`: the output of our `stage3/block6`, and so on. */
function aliases({ blocksPerStage, expansion }: ResnetSize): Map<string, string> {
  const names = new Map([
    ['activation_1', 'conv1'],
    ['max_pooling2d_1', 'pool1'],
    ['maxpool', 'pool1'],
    ['pool1_pool', 'pool1'],
  ]);
  let activation = 1; // Keras numbers its activation layers: one behind conv1, one per convolution of a block
  for (const [i, count] of blocksPerStage.entries()) {
    for (let j = 1; j <= count; j++) {
      const block = `stage${i + 1}/block${j}`;
      activation += expansion === 1 ? 2 : 3;
      names.set(`activation_${activation}`, block);
      names
        .set(`res${i + 2}${caffeBlock(i + 1, j, blocksPerStage[2] > 6)}`, block)
        .set(`conv${i + 2}_block${j}_out`, block);
    }
    const last = `stage${i + 1}/block${count}`;
    for (const alias of [`conv${i + 2}`, `layer${i + 1}`, `stage${i + 1}`]) names.set(alias, last);
  }
  return names;
}

/** Caffe's letter in res4a ... res4f; ResNet-101 and 152 number the blocks of stages 2 and 3: res4a, res4b1 ... res4b22. */
export function caffeBlock(stage: number, block: number, numbered: boolean): string {
  const inNumberedStage = stage === 2 || stage === 3;
  return numbered && inNumberedStage && block > 1 ? `b${block - 1}` : 'abcdef'[block - 1];
}
