/**
 * @file AlexNet in two arithmetics. `alexnet` is Krizhevsky's of 2012 as Caffe computes it (bvlc_alexnet): half of the
 * filters of conv2, conv4 and conv5 see half of the channels each, responses are normalized across channels before
 * pool1 and pool2, pools round up, pixels are BGR minus the mean. `alexnet-tv` is torchvision's, of 2014: narrower, neither
 * groups nor normalization. Layers: `conv1` ... `conv5`, `norm1`, `norm2`, `pool1`, `pool2`, `pool5`. The default cut is
 * conv5 (stride 16: cirtorch); Tolias cuts at `pool5` (stride 32).
 */
import { type Architecture, imageInput, type Layer, type Padding, torchPreprocessing } from './architecture.js';
import { convLayer } from './conv-layer.js';

interface Flavour {
  /** Channels of conv1 ... conv5. */
  widths: readonly number[];
  groups: readonly number[];
  stemPad: Padding;
  poolPad: Padding;
  responseNorm: boolean;
}

export const alexnet: Architecture = {
  name: 'alexnet',
  layers: alexLayers({
    widths: [96, 256, 384, 384, 256],
    groups: [1, 2, 1, 2, 2],
    stemPad: 0,
    poolPad: 'ceil',
    responseNorm: true,
  }),
  defaultCut: 'conv5',
  normEpsilon: 1e-5, // there is no batch norm in it
  // The mean colour of Caffe's ilsvrc_2012_mean.
  preprocessing: { channels: 'bgr', scale: 1, mean: [104.00698793, 116.66876762, 122.67891434], std: [1, 1, 1] },
  aliases: new Map(),
};

export const alexnetTorchvision: Architecture = {
  name: 'alexnet-tv',
  layers: alexLayers({
    widths: [64, 192, 384, 256, 256],
    groups: [1, 1, 1, 1, 1],
    stemPad: 2,
    poolPad: 0,
    responseNorm: false,
  }),
  defaultCut: 'conv5',
  normEpsilon: 1e-5, // nor in this one
  preprocessing: torchPreprocessing,
  aliases: new Map([['features', 'pool5']]),
};

function alexLayers({ widths, groups, stemPad, poolPad, responseNorm }: Flavour): Layer[] {
  const layers: Layer[] = [];
  let input = imageInput;
  let channels = 3;
  for (const [i, width] of widths.entries()) {
    const stage = `conv${i + 1}`;
    const size = [11, 5, 3, 3, 3][i];
    layers.push(
      convLayer(stage, input, {
        stage,
        size,
        ...(i === 0 && { stride: 4, pad: stemPad }),
        from: channels,
        to: width,
        groups: groups[i],
        bias: true,
        norm: false,
        activation: 'relu',
      }),
    );
    input = stage;
    channels = width;
    if (responseNorm && i < 2) {
      const name = `norm${i + 1}`;
      // Caffe's alpha of 1e-4 multiplies the mean over the five channels.
      layers.push({
        op: 'responseNorm',
        name,
        inputs: [input],
        stage,
        radius: 2,
        bias: 1,
        alpha: 1e-4 / 5,
        beta: 0.75,
      });
      input = name;
    }
    if (i < 2 || i === 4) {
      const name = `pool${i + 1}`;
      layers.push({ op: 'maxPool', name, inputs: [input], stage, size: 3, stride: 2, pad: poolPad });
      input = name;
    }
  }
  return layers;
}
