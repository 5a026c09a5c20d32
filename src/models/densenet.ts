/**
 * @file DenseNet-121, 169 and 201 (Huang et al. 2017). Keras and torchvision compute the same apart from the batch norms' epsilon.
 * Layers: `stem/conv`, `stem/pool`, `block1/layer1/conv2`, ..., `block1`, `transition1`, ..., `block4`, `norm`.
 */
import { type Architecture, imageInput, type Layer, torchPreprocessing } from './architecture.js';
import { convLayer } from './conv-layer.js';

const growth = 32;
const bottleneck = 4 * growth;

export const densenet121 = densenet('densenet121', [6, 12, 24, 16]);
export const densenet169 = densenet('densenet169', [6, 12, 32, 32]);
export const densenet201 = densenet('densenet201', [6, 12, 48, 32]);

function densenet(name: string, layersPerBlock: readonly number[]): Architecture {
  return {
    name,
    layers: denseLayers(layersPerBlock),
    defaultCut: 'norm',
    normEpsilon: 1.001e-5,
    preprocessing: torchPreprocessing,
    aliases: aliases(layersPerBlock),
  };
}

function denseLayers(layersPerBlock: readonly number[]): Layer[] {
  const layers: Layer[] = [
    convLayer('stem/conv', imageInput, { stage: 'stem', size: 7, stride: 2, from: 3, to: 64 }),
    { op: 'maxPool', name: 'stem/pool', inputs: ['stem/conv'], stage: 'stem', size: 3, stride: 2, pad: 1 },
  ];
  let input = 'stem/pool';
  let channels = 64;
  for (const [i, count] of layersPerBlock.entries()) {
    const block = `block${i + 1}`;
    for (let j = 1; j <= count; j++) {
      const name = `${block}/layer${j}`;
      const output = j === count ? block : `${name}/out`;
      layers.push(
        { op: 'norm', name: `${name}/norm`, inputs: [input], stage: block, channels, activation: 'relu' },
        convLayer(`${name}/conv1`, `${name}/norm`, { stage: block, size: 1, from: channels, to: bottleneck }),
        convLayer(`${name}/conv2`, `${name}/conv1`, {
          stage: block,
          size: 3,
          from: bottleneck,
          to: growth,
          norm: false,
        }),
        { op: 'concat', name: output, inputs: [input, `${name}/conv2`], stage: block },
      );
      input = output;
      channels += growth;
    }
    if (i === layersPerBlock.length - 1) {
      layers.push({ op: 'norm', name: 'norm', inputs: [input], stage: block, channels, activation: 'relu' });
      break;
    }
    const transition = `transition${i + 1}`;
    layers.push(
      { op: 'norm', name: `${transition}/norm`, inputs: [input], stage: block, channels, activation: 'relu' },
      convLayer(`${transition}/conv`, `${transition}/norm`, {
        stage: block,
        size: 1,
        from: channels,
        to: channels / 2,
        norm: false,
      }),
      { op: 'avgPool', name: transition, inputs: [`${transition}/conv`], stage: block, size: 2, stride: 2, pad: 0 },
    );
    input = transition;
    channels /= 2;
  }
  return layers;
}

/** Layer names of Keras and torchvision for the maps people cut at. */
function aliases(layersPerBlock: readonly number[]): Map<string, string> {
  const names = new Map([
    ['relu', 'norm'],
    ['features', 'norm'],
    ['bn', 'norm'],
    ['pool1', 'stem/pool'],
  ]);
  for (const [i, count] of layersPerBlock.entries()) {
    names.set(`denseblock${i + 1}`, `block${i + 1}`).set(`features.denseblock${i + 1}`, `block${i + 1}`);
    for (let j = 1; j <= count; j++) {
      names.set(`conv${i + 2}_block${j}_concat`, j === count ? `block${i + 1}` : `block${i + 1}/layer${j}/out`);
    }
    if (i > 0) names.set(`pool${i + 1}_pool`, `transition${i}`).set(`features.transition${i}`, `transition${i}`);
  }
  return names;
}
