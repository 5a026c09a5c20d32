/**
 * @file rmac-small: the project's own trunk, 0.63 M parameters (2.5 MB), 0.6 G multiply-adds at 320x240, stride 16, 256
 * channels. Plain 3x3 convolutions with one residual block per scale: every kernel is one the engine runs at full speed.
 * Its norms are per-channel scale and shift. From scratch (mean 0, variance 1) the last scale of each residual branch
 * starts at zero, so the trunk begins as a plain He network; scripts/train-trunk.ts trains it with batch statistics and
 * stores them as constants.
 */
import { type Architecture, imageInput, type Layer, torchPreprocessing } from './architecture.js';
import { convLayer } from './conv-layer.js';

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
  const layers: Layer[] = [
    convLayer('stem', imageInput, { stage: 'stem', size: 3, stride: 2, from: 3, to: stemWidth }),
  ];
  let input = 'stem';
  let channels = stemWidth;
  for (const [i, width] of widths.entries()) {
    const stage = `stage${i + 1}`;
    layers.push(
      convLayer(`${stage}/down`, input, { stage, size: 3, stride: 2, from: channels, to: width }),
      convLayer(`${stage}/conv1`, `${stage}/down`, { stage, size: 3, from: width, to: width }),
      convLayer(`${stage}/conv2`, `${stage}/conv1`, { stage, size: 3, from: width, to: width, activation: 'none' }),
      { op: 'add', name: stage, inputs: [`${stage}/conv2`, `${stage}/down`], stage, activation: 'relu' },
    );
    input = stage;
    channels = width;
  }
  layers.push(convLayer('out', input, { stage: 'stage3', size: 1, from: channels, to: outputWidth }));
  return layers;
}
