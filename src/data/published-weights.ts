/**
 * @file Where published weights lie, by name. torchvision puts the first digits of the sha256 into its file names, Keras
 * lists the md5 in its source; the others publish no checksum and are downloaded unverified.
 */
import { UsageError } from '../errors.js';
import { architectures } from '../models/architectures.js';
import type { Checksum } from './download.js';

export interface PublishedWeights {
  name: string;
  /** For `weights import --arch`. */
  architecture: string;
  url: string;
  /** Only a browser can fetch it: the page asks for a confirmation. */
  manual?: boolean;
  checksum?: Checksum;
  licence: string;
}

const torchvisionLicence = 'BSD-3-Clause (torchvision); trained on ImageNet, whose terms apply';
const cirtorchLicence = 'MIT (cnnimageretrieval-pytorch)';
const dirtorchLicence = 'BSD-3-Clause (deep-image-retrieval)';

function torchvision(name: string, architecture: string, file: string): PublishedWeights {
  const digits = /-([0-9a-f]{8})\.pth$/.exec(file)![1];
  const url = `https://download.pytorch.org/models/${file}`;
  return { name, architecture, url, checksum: { algorithm: 'sha256', digits }, licence: torchvisionLicence };
}

/** DINO and DINOv2: without labels; no checksums are published. */
function meta(name: string, path: string, architecture = name): PublishedWeights {
  const url = `https://dl.fbaipublicfiles.com/${path}`;
  return { name, architecture, url, licence: 'Apache-2.0 (Meta)' };
}

interface KerasFile {
  name: string;
  architecture: string;
  url: string;
  md5: string;
  licence: string;
}

function keras({ md5, url, ...rest }: KerasFile): PublishedWeights {
  return {
    ...rest,
    url: `${url}_weights_tf_dim_ordering_tf_kernels_notop.h5`,
    checksum: { algorithm: 'md5', digits: md5 },
  };
}

function cirtorch(name: string, architecture: string, path: string): PublishedWeights {
  return {
    name,
    architecture,
    url: `http://cmp.felk.cvut.cz/cnnimageretrieval/data/networks/${path}`,
    licence: cirtorchLicence,
  };
}

const kerasApplications = 'https://storage.googleapis.com/tensorflow/keras-applications';

/** Those that a network here can take. */
export const publishedWeights: ReadonlyMap<string, PublishedWeights> = new Map(
  [
    torchvision('alexnet-tv', 'alexnet-tv', 'alexnet-owt-7be5be79.pth'),
    torchvision('convnext-tiny', 'convnext-tiny', 'convnext_tiny-983f1562.pth'),
    torchvision('convnext-small', 'convnext-small', 'convnext_small-0c510722.pth'),
    torchvision('densenet121-tv', 'densenet121', 'densenet121-a639ec97.pth'),
    torchvision('densenet169-tv', 'densenet169', 'densenet169-b2777c0a.pth'),
    torchvision('densenet201-tv', 'densenet201', 'densenet201-c1103571.pth'),
    meta('dinov2-s14', 'dinov2/dinov2_vits14/dinov2_vits14_pretrain.pth'),
    meta('dinov2-b14', 'dinov2/dinov2_vitb14/dinov2_vitb14_pretrain.pth'),
    meta('dinov2-s14-reg', 'dinov2/dinov2_vits14/dinov2_vits14_reg4_pretrain.pth'),
    meta('dinov2-b14-reg', 'dinov2/dinov2_vitb14/dinov2_vitb14_reg4_pretrain.pth'),
    meta('vit-s16-dino', 'dino/dino_deitsmall16_pretrain/dino_deitsmall16_pretrain.pth', 'vit-s16'),
    meta('vit-b16-dino', 'dino/dino_vitbase16_pretrain/dino_vitbase16_pretrain.pth', 'vit-b16'),
    torchvision('efficientnet-b0-tv', 'efficientnet-b0-tv', 'efficientnet_b0_rwightman-7f5810bc.pth'),
    torchvision('efficientnet-b1-tv', 'efficientnet-b1-tv', 'efficientnet_b1-c27df63c.pth'),
    torchvision('efficientnet-b2-tv', 'efficientnet-b2-tv', 'efficientnet_b2_rwightman-c35c1473.pth'),
    torchvision('efficientnet-b3-tv', 'efficientnet-b3-tv', 'efficientnet_b3_rwightman-b3899882.pth'),
    torchvision('mobilenet-v2-tv', 'mobilenet-v2-tv', 'mobilenet_v2-b0353104.pth'),
    torchvision('resnet18-tv', 'resnet18-tv', 'resnet18-f37072fd.pth'),
    torchvision('resnet34-tv', 'resnet34-tv', 'resnet34-b627a593.pth'),
    torchvision('resnet50-tv', 'resnet50-tv', 'resnet50-0676ba61.pth'),
    torchvision('resnet101-tv', 'resnet101-tv', 'resnet101-63fe2227.pth'),
    torchvision('resnet152-tv', 'resnet152-tv', 'resnet152-394f9c45.pth'),
    torchvision('vit-b16-tv', 'vit-b16', 'vit_b_16-c867db91.pth'),
    torchvision('vgg16-tv', 'vgg16', 'vgg16-397923af.pth'),
    torchvision('vgg19-tv', 'vgg19', 'vgg19-dcbb9e9d.pth'),
    keras({
      name: 'vgg16-keras',
      architecture: 'vgg16',
      url: `${kerasApplications}/vgg16/vgg16`,
      md5: '6d6bbae143d832006294945121d1f1fc',
      licence: 'CC BY 4.0 (VGG, Oxford)',
    }),
    keras({
      name: 'resnet50-keras',
      architecture: 'resnet50-keras',
      url: `${kerasApplications}/resnet/resnet50`,
      md5: '4d473c1dd8becc155b73f8504c6f6626',
      licence: 'MIT (He et al.)',
    }),
    keras({
      name: 'resnet50',
      architecture: 'resnet50',
      url: 'https://github.com/fchollet/deep-learning-models/releases/download/v0.2/resnet50',
      md5: 'a268eb855778b3df3c7506639542a6af',
      licence: 'MIT (He et al.)',
    }),
    keras({
      name: 'densenet121-keras',
      architecture: 'densenet121',
      url: `${kerasApplications}/densenet/densenet121`,
      md5: '30ee3e1110167f948a6b9946edeeb738',
      licence: 'BSD-3-Clause (Huang et al.)',
    }),
    cirtorch('cirtorch-gl18-resnet50-gem-w', 'resnet50-tv', 'gl18/gl18-tl-resnet50-gem-w-83fdc30.pth'),
    cirtorch('cirtorch-gl18-resnet101-gem-w', 'resnet101-tv', 'gl18/gl18-tl-resnet101-gem-w-a4d43db.pth'),
    cirtorch('cirtorch-gl18-resnet152-gem-w', 'resnet152-tv', 'gl18/gl18-tl-resnet152-gem-w-21278d5.pth'),
    cirtorch(
      'cirtorch-sfm120k-resnet101-gem-w',
      'resnet101-tv',
      'retrieval-SfM-120k/rSfM120k-tl-resnet101-gem-w-a155e54.pth',
    ),
    {
      name: 'dirtorch-resnet101-ap-gem',
      architecture: 'resnet101-tv',
      url: 'https://drive.google.com/open?id=1mi50tG6oXY1eE9yJnmGCPdTmlIjG7mr0',
      manual: true,
      licence: dirtorchLicence,
    },
  ]
    .filter(({ architecture }) => architectures.has(architecture))
    .map((weights) => [weights.name, weights]),
);

/** Throws `UsageError` listing the known names. */
export function publishedWeightsNamed(name: string): PublishedWeights {
  const weights = publishedWeights.get(name);
  if (weights === undefined) {
    throw new UsageError(
      `Unknown weights "${name}". Known: ${[...publishedWeights.keys()].join(', ')}; as a table: rmac weights download list.`,
    );
  }
  return weights;
}
