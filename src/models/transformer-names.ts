/** @file Names of the weights of ConvNeXt and vision transformers: torchvision's, timm's, and those of the authors' own programs. */
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

/** DINO's, DINOv2's and timm's: `block3/dense1` -> blocks.2.mlp.fc1. */
export function dinoVit(layer: string): SourceLayer[] {
  if (layer === 'embed') {
    return ['register_tokens', 'reg_token'].map((registers) => ({
      tensors: {
        class: { name: 'cls_token', ones: [2, 0] },
        position: { name: 'pos_embed', ones: [1, 0] },
        registers: { name: registers, ones: [1, 0] },
      },
    }));
  }
  if (layer === 'embed/patches') return [both('patch_embed.proj')];
  if (layer === 'norm/tokens') return [both('norm')];
  const [, block, part] = /^block(\d+)\/(\w+)$/.exec(layer) ?? [];
  const parts: Readonly<Record<string, string>> = {
    norm1: 'norm1',
    qkv: 'attn.qkv',
    out: 'attn.proj',
    norm2: 'norm2',
    dense1: 'mlp.fc1',
    dense2: 'mlp.fc2',
  };
  const prefix = `blocks.${Number(block) - 1}`;
  const scale = /^scale(\d)$/.exec(part ?? '')?.[1];
  if (scale !== undefined) return [{ tensors: { gamma: { name: `${prefix}.ls${scale}.gamma` } } }];
  return [both(`${prefix}.${parts[part ?? '']}`)];
}

/** Torchvision's: `block3/dense1` -> encoder.layers.encoder_layer_2.mlp.0 (mlp.linear_1 before 0.14); and DINO's. */
export function torchVit(layer: string): SourceLayer[] {
  return [...torchvisionVit(layer), ...dinoVit(layer)];
}

function torchvisionVit(layer: string): SourceLayer[] {
  if (layer === 'embed') {
    return [
      {
        tensors: {
          class: { name: 'class_token', ones: [2, 0] },
          position: { name: 'encoder.pos_embedding', ones: [1, 0] },
        },
      },
    ];
  }
  if (layer === 'embed/patches') return [both('conv_proj')];
  if (layer === 'norm/tokens') return [both('encoder.ln')];
  const [, block, part] = /^block(\d+)\/(\w+)$/.exec(layer) ?? [];
  const prefix = `encoder.layers.encoder_layer_${Number(block) - 1}`;
  const attention = `${prefix}.self_attention`;
  switch (part) {
    case 'qkv':
      return [
        { tensors: { kernel: { name: `${attention}.in_proj_weight` }, bias: { name: `${attention}.in_proj_bias` } } },
      ];
    case 'out':
      return [both(`${attention}.out_proj`)];
    case 'dense1':
      return [both(`${prefix}.mlp.0`), both(`${prefix}.mlp.linear_1`)];
    case 'dense2':
      return [both(`${prefix}.mlp.3`), both(`${prefix}.mlp.linear_2`)];
    default:
      return [both(`${prefix}.${part === 'norm1' ? 'ln_1' : 'ln_2'}`)];
  }
}
