/**
 * @file EfficientNet-B0 to B3 (Tan and Le 2019) as torchvision computes it: the blocks of MobileNet v2 with x sigmoid(x) in place of
 * ReLU6, windows of 3 or 5 cells, and squeeze and excitation (Hu et al. 2018): channels weighted by what the mean of the map says.
 * TensorFlow's, and the `tf_` weights of timm, pad another way and have another epsilon.
 *
 * Layers: `stem`, `stage1/block1/conv2` (channel by channel), `stage1/block1/squeeze1` (mean), `squeeze2`, `excite`, `gated`,
 * `stage1/block1` (projection, no activation), `stage2/block1/conv1` (expansion) ... `stage2/block2/conv3`, `stage2/block2` (sum) ...
 * `out`.
 */
import { type Architecture, bicubicPreprocessing, imageInput, type Layer } from './architecture.js';
import { convLayer, type ConvOptions } from './conv-layer.js';

/** Of each stage: how much wider a block is inside, cells of its window, stride of the first block, channels, number of blocks. */
const stages = [
  [1, 3, 1, 16, 1],
  [6, 3, 2, 24, 2],
  [6, 5, 2, 40, 2],
  [6, 3, 2, 80, 3],
  [6, 5, 1, 112, 3],
  [6, 5, 2, 192, 4],
  [6, 3, 1, 320, 1],
] as const;

export const efficientnets: readonly Architecture[] = [
  efficientnet('efficientnet-b0-tv', { width: 1, depth: 1 }),
  efficientnet('efficientnet-b1-tv', { width: 1, depth: 1.1 }),
  efficientnet('efficientnet-b2-tv', { width: 1.1, depth: 1.2 }),
  efficientnet('efficientnet-b3-tv', { width: 1.2, depth: 1.4 }),
];

/** What the channels and the number of blocks of B0 are multiplied by. */
interface Multiple {
  width: number;
  depth: number;
}

function efficientnet(name: string, multiple: Multiple): Architecture {
  return {
    name,
    layers: efficientLayers(multiple),
    defaultCut: 'out',
    normEpsilon: 1e-5,
    preprocessing: bicubicPreprocessing,
    aliases: aliases(multiple),
  };
}

function conv(name: string, input: string, options: ConvOptions): Layer {
  return convLayer(name, input, { activation: 'silu', ...options });
}

/** The nearest multiple of 8, not more than a tenth below. */
function channelsTimes(channels: number, width: number): number {
  const exact = channels * width;
  const near = Math.floor((exact + 4) / 8) * 8;
  return near < 0.9 * exact ? near + 8 : near;
}

function blocksOf(stage: number, { depth }: Multiple): number {
  return Math.ceil(stages[stage - 1][4] * depth);
}

function efficientLayers(multiple: Multiple): Layer[] {
  let channels = channelsTimes(32, multiple.width);
  const layers = [conv('stem', imageInput, { stage: 'stem', size: 3, stride: 2, from: 3, to: channels })];
  let input = 'stem';
  for (const [i, [expansion, size, firstStride, base]] of stages.entries()) {
    const stage = `stage${i + 1}`;
    const to = channelsTimes(base, multiple.width);
    for (let j = 1; j <= blocksOf(i + 1, multiple); j++) {
      const name = `${stage}/block${j}`;
      const stride = j === 1 ? firstStride : 1;
      const width = expansion * channels;
      const squeezed = Math.floor(channels / 4);
      const residual = stride === 1 && channels === to;
      const projected = residual ? `${name}/conv3` : name;
      const whole = { stage, size: 1, norm: false, bias: true } as const;
      let inside = input;
      if (expansion > 1) {
        inside = `${name}/conv1`;
        layers.push(conv(inside, input, { stage, size: 1, from: channels, to: width }));
      }
      layers.push(
        conv(`${name}/conv2`, inside, { stage, size, stride, from: width, to: width, groups: width }),
        { op: 'mean', name: `${name}/squeeze1`, inputs: [`${name}/conv2`], stage },
        conv(`${name}/squeeze2`, `${name}/squeeze1`, { ...whole, from: width, to: squeezed }),
        conv(`${name}/excite`, `${name}/squeeze2`, { ...whole, from: squeezed, to: width, activation: 'sigmoid' }),
        { op: 'gate', name: `${name}/gated`, inputs: [`${name}/conv2`, `${name}/excite`], stage },
        conv(projected, `${name}/gated`, { stage, size: 1, from: width, to, activation: 'none' }),
      );
      if (residual) layers.push({ op: 'add', name, inputs: [projected, input], stage, activation: 'none' });
      input = name;
      channels = to;
    }
  }
  layers.push(conv('out', input, { stage: 'stage7', size: 1, from: channels, to: 4 * channels }));
  return layers;
}

/** `stage2/block1/conv2` in its parts; without the last one it is the projection of a block without sum. */
export function efficientnetPart(layer: string): { stage: number; block: number; part: string | undefined } {
  const [, stage, block, part] = /^stage(\d)\/block(\d+)(?:\/(\w+))?$/.exec(layer) ?? [];
  return { stage: Number(stage), block: Number(block), part };
}

/** Torchvision's `features.3`: the output of our third stage. */
function aliases(multiple: Multiple): Map<string, string> {
  const names = new Map([
    ['features', 'out'],
    ['features.0', 'stem'],
    ['features.8', 'out'],
  ]);
  for (let stage = 1; stage <= stages.length; stage++) {
    const last = `stage${stage}/block${blocksOf(stage, multiple)}`;
    for (const alias of [`features.${stage}`, `stage${stage}`]) names.set(alias, last);
  }
  return names;
}
