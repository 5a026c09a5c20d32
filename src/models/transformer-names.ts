/** @file Names of the weights of ConvNeXt: torchvision's, timm's, and those of the authors' own programs. */
import type { SourceLayer } from './source-layer.js';

/** A layer by one name, whatever it holds. */
const both = (name: string): SourceLayer => ({ conv: name, norm: name });

/** `stage2/block1/dense1` -> features.3.0.block.3, stages.1.blocks.0.mlp.fc1, stages.1.0.pwconv1. */
export function torchConvnext(layer: string): SourceLayer[] {
  if (layer === 'stem/conv') return ['features.0.0', 'stem.0', 'downsample_layers.0.0'].map(both);
  if (layer === 'stem') return ['features.0.1', 'stem.1', 'downsample_layers.0.1'].map(both);
  if (layer === 'norm') return ['classifier.0', 'head.norm', 'norm'].map(both);
  const [, stage, block, part] = /^stage(\d)\/(?:block(\d+)|down)(?:\/(\w+))?$/.exec(layer) ?? [];
  const i = Number(stage) - 1;
  if (block === undefined) {
    const at = part === 'norm' ? 0 : 1;
    return [`features.${2 * i}.${at}`, `stages.${i}.downsample.${at}`, `downsample_layers.${i}.${at}`].map(both);
  }
  const j = Number(block) - 1;
  const [torch, timm, authors] = [`features.${2 * i + 1}.${j}`, `stages.${i}.blocks.${j}`, `stages.${i}.${j}`];
  if (part === 'scale') {
    return [
      { tensors: { gamma: { name: `${torch}.layer_scale`, ones: [0, 2] } } },
      { tensors: { gamma: { name: `${timm}.gamma` } } },
      { tensors: { gamma: { name: `${authors}.gamma` } } },
    ];
  }
  const parts: Readonly<Record<string, readonly [number, string, string]>> = {
    conv1: [0, 'conv_dw', 'dwconv'],
    norm: [2, 'norm', 'norm'],
    dense1: [3, 'mlp.fc1', 'pwconv1'],
    dense2: [5, 'mlp.fc2', 'pwconv2'],
  };
  const [index, inTimm, inAuthors] = parts[part ?? ''] ?? [];
  return [`${torch}.block.${index}`, `${timm}.${inTimm}`, `${authors}.${inAuthors}`].map(both);
}
