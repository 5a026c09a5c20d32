/** @file Gordo et al. before training, and at test time: the grid in pixels, sides, levels, late fusion. */
import type { RegionPooling, SystemSettings } from '../settings.js';
import type { Preset } from '../system.js';
import { pca, plainSettings, rigidPooling } from './plain.js';

const gordo = {
  networks: { resnet101: ['stage4/block3'], resnet50: ['stage4/block3'], vgg16: ['conv5_3'] },
};
const gordoSource = 'Gordo et al. 2017 (arXiv 1610.07940) and the code published with it';
const gordoSettings: SystemSettings = {
  ...plainSettings,
  sides: [800],
  upscale: true,
  pooling: { ...rigidPooling, plane: 'image', levels: 2, precision: 'f32' },
  fit: pca,
  epsilon: 1e-8,
};
const gordoLevels3 = { ...gordoSettings.pooling, levels: 3 } as RegionPooling;

export const gordoPresets: readonly Preset[] = [
  {
    name: 'gordo',
    summary: 'grid in pixels with Caffe ROI pooling, side 800, L = 2, PCA',
    source: gordoSource,
    ...gordo,
    settings: gordoSettings,
  },
  {
    name: 'gordo-l3',
    summary: 'the same with L = 3',
    source: gordoSource,
    ...gordo,
    settings: { ...gordoSettings, pooling: gordoLevels3 },
  },
  {
    name: 'gordo-1024',
    summary: 'side 1024, L = 2',
    source: gordoSource,
    ...gordo,
    settings: { ...gordoSettings, sides: [1024] },
  },
  {
    name: 'gordo-eccv',
    summary: 'side 724, L = 3',
    source: 'Gordo et al. 2016 (arXiv 1604.01325), table 1',
    networks: { vgg16: ['conv5_3'], resnet50: ['stage4/block3'] },
    settings: { ...gordoSettings, sides: [724], pooling: gordoLevels3 },
  },
  {
    name: 'gordo-eccv-1024',
    summary: 'side 1024, L = 3',
    source: 'Gordo et al. 2016 (arXiv 1604.01325), table 4',
    networks: { vgg16: ['conv5_3'], resnet50: ['stage4/block3'] },
    settings: { ...gordoSettings, sides: [1024], pooling: gordoLevels3 },
  },
  {
    name: 'gordo-multires',
    summary: 'sum of the descriptors at 550, 800 and 1050 px, L = 2',
    source: `${gordoSource}, multi-resolution`,
    ...gordo,
    settings: { ...gordoSettings, sides: [800, 550, 1050] },
  },
];
