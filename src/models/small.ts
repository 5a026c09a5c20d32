/**
 * @file rmac-small: the project's own trunk, 0.63 M parameters (2.5 MB), 0.6 G multiply-adds at 320x240, stride 16, 256
 * channels. Plain 3x3 convolutions with one residual block per scale: every kernel is one the engine runs at full speed.
 * Its norms are per-channel scale and shift. From scratch (mean 0, variance 1) the last scale of each residual branch
 * starts at zero, so the trunk begins as a plain He network; scripts/train-trunk.ts trains it with batch statistics and
 * stores them as constants.
 */
import { type Architecture, imageInput, type Layer, torchPreprocessing } from './architecture.js';

const widths = [48, 80, 128];
const stemWidth = 32;
const outputWidth = 256;

export const rmacSmall: Architecture = {
  name: 'rmac-small',
  layers: smallLayers(),
  defaultCut: 'out',
  normEpsilon: 1e-5,
  preprocessing: torchPreprocessing,
  aliases: new Map(),
};

function smallLayers(): Layer[] {
  const conv = (
    name: string,
    input: string,
    {
      stage,
      size = 3,
      stride = 1,
      from,
      to,
      relu = true,
    }: { stage: string; size?: number; stride?: number; from: number; to: number; relu?: boolean },
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
    bias: false,
    norm: true,
    relu,
  });
  const layers = [conv('stem', imageInput, { stage: 'stem', stride: 2, from: 3, to: stemWidth })];
  let input = 'stem';
  let channels = stemWidth;
  for (const [i, width] of widths.entries()) {
    const stage = `stage${i + 1}`;
    layers.push(
      conv(`${stage}/down`, input, { stage, stride: 2, from: channels, to: width }),
      conv(`${stage}/conv1`, `${stage}/down`, { stage, from: width, to: width }),
      conv(`${stage}/conv2`, `${stage}/conv1`, { stage, from: width, to: width, relu: false }),
      { op: 'add', name: stage, inputs: [`${stage}/conv2`, `${stage}/down`], stage, relu: true },
    );
    input = stage;
    channels = width;
  }
  layers.push(conv('out', input, { stage: 'stage3', size: 1, from: channels, to: outputWidth }));
  return layers;
}
