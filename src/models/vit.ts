/**
 * @file Vision transformers (Dosovitskiy et al. 2021), small and base: ImageNet's with patches of 16 px, DINOv2's (Oquab et al. 2024) with
 * patches of 14 px, layer scale, and registers (Darcet et al. 2024) in the -reg ones. Positions are resized to any image as
 * DINOv2's program does; px beyond whole patches are left out.
 *
 * Layers: `embed/patches`, `embed` ..., `block1/norm1`, `block1/qkv`, `block1/attention`, `block1/out`, `block1/sum`, `block1/norm2`,
 * `block1/dense1`, `block1/dense2`, `block1/tokens` (the sum), `block1` (the patches of it) ... `norm` (the patches of the last layer norm),
 * `class` (its class token: a map of one cell).
 */
import { append } from '../extremes.js';
import { type Architecture, bicubicPreprocessing, imageInput, type Layer, torchPreprocessing } from './architecture.js';
import { convLayer } from './conv-layer.js';
import { perceptronLayers } from './perceptron-layers.js';

interface VitSize {
  channels: number;
  heads: number;
}

interface VitFlavour {
  /** Side of a patch, px. */
  patch: number;
  /** Patches along a side of the images that the weights were trained with. */
  grid: number;
  /** Layer scale. */
  scaled: boolean;
  registers: number;
}

const small: VitSize = { channels: 384, heads: 6 };
const base: VitSize = { channels: 768, heads: 12 };
const imagenet: VitFlavour = { patch: 16, grid: 14, scaled: false, registers: 0 };
const dinov2: VitFlavour = { patch: 14, grid: 37, scaled: true, registers: 0 };
const withRegisters: VitFlavour = { ...dinov2, registers: 4 };
const blocks = 12;
const epsilon = 1e-6;

export const visionTransformers: readonly Architecture[] = [
  vit('vit-s16', small, imagenet),
  vit('vit-b16', base, imagenet),
  vit('dinov2-s14', small, dinov2),
  vit('dinov2-b14', base, dinov2),
  vit('dinov2-s14-reg', small, withRegisters),
  vit('dinov2-b14-reg', base, withRegisters),
];

function vit(name: string, size: VitSize, flavour: VitFlavour): Architecture {
  return {
    name,
    layers: vitLayers(size, flavour),
    defaultCut: 'norm',
    classToken: 'class',
    normEpsilon: 1e-5, // there is no batch norm in it
    preprocessing: name === 'vit-b16' ? torchPreprocessing : bicubicPreprocessing, // torchvision's is bilinear
    aliases: new Map([
      ['encoder.ln', 'norm'],
      ...Array.from({ length: blocks }, (_, i) => [`blocks.${i}`, `block${i + 1}`] as const),
    ]),
  };
}

function vitLayers({ channels, heads }: VitSize, { patch, grid, scaled, registers }: VitFlavour): Layer[] {
  const stem = { stage: 'embed', size: patch, stride: patch, pad: 0, from: 3, to: channels, bias: true, norm: false };
  const layers: Layer[] = [
    convLayer('embed/patches', imageInput, stem),
    { op: 'tokens', name: 'embed', inputs: ['embed/patches'], stage: 'embed', channels, grid, registers },
  ];
  let input = 'embed';
  for (let i = 1; i <= blocks; i++) {
    const stage = `block${i}`;
    const [norm, qkv, attention, out, scale, sum, tokens] = [
      'norm1',
      'qkv',
      'attention',
      'out',
      'scale1',
      'sum',
      'tokens',
    ].map((part) => `${stage}/${part}`);
    const dense = { op: 'dense', stage, inChannels: channels, activation: 'none' } as const;
    layers.push(
      { op: 'layerNorm', name: norm, inputs: [input], stage, channels, epsilon },
      { ...dense, name: qkv, inputs: [norm], outChannels: 3 * channels },
      { op: 'attention', name: attention, inputs: [qkv], stage, channels, heads, tokens: 1 + registers },
      { ...dense, name: out, inputs: [attention], outChannels: channels },
    );
    if (scaled) layers.push({ op: 'scale', name: scale, inputs: [out], stage, channels });
    layers.push({ op: 'add', name: sum, inputs: [scaled ? scale : out, input], stage, activation: 'none' });
    append(
      layers,
      perceptronLayers(stage, sum, { stage, channels, scaled, addTo: sum, epsilon, sum: tokens, number: '2' }),
    );
    layers.push({ op: 'patches', name: stage, inputs: [tokens], stage });
    input = tokens;
  }
  const stage = `block${blocks}`;
  layers.push(
    { op: 'layerNorm', name: 'norm/tokens', inputs: [input], stage, channels, epsilon },
    { op: 'patches', name: 'norm', inputs: ['norm/tokens'], stage },
    { op: 'classToken', name: 'class', inputs: ['norm/tokens'], stage },
  );
  return layers;
}
