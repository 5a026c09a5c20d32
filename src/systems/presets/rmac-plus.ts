/** @file R-MAC+ (Magliani and Prati 2018): the rows of its table, its query expansion, and its code as published. */
import type { SystemSettings } from '../settings.js';
import type { Preset } from '../system.js';
import { plainSettings, rigidPooling } from './plain.js';

const plus = { networks: { resnet50: ['stage4/block1'], vgg16: ['pool5'] } };
const plusSource = 'Magliani, Prati 2018 (arXiv 1806.08565)';
const plusSettings: SystemSettings = {
  ...plainSettings,
  sides: [1024, 768, 1280],
  upscale: true,
  queryCrop: 'map',
  fusion: 'list',
  pooling: { ...rigidPooling, grid: 'rmac-plus' },
  fit: { kind: 'zca', floor: 'sound' },
  distance: 'euclidean',
};
const publishedPlus: SystemSettings = {
  ...plusSettings,
  queryCrop: 'map-published',
  fit: { kind: 'zca', floor: 'published' },
  epsilon: 1e-30,
};

export const plusPresets: readonly Preset[] = [
  {
    name: 'rmac-plus-baseline',
    summary: 'R-MAC as the rows R-MAC of its table, one resolution, ZCA-whitened',
    source: `${plusSource}, rows R-MAC (VGG-16, ResNet-50)`,
    ...plus,
    settings: { ...plusSettings, sides: [1024], pooling: rigidPooling },
  },
  {
    name: 'rmac-plus',
    summary: '15 regions at three resolutions in one list, ZCA-whitened',
    source: `${plusSource}, row M-R RMAC+`,
    ...plus,
    settings: plusSettings,
  },
  {
    name: 'rmac-plus-db-regions',
    summary: 'R-MAC+, the database keeps its 45 regions, the nearest one counts',
    source: `${plusSource}, row M-R RMAC+ with db regions`,
    ...plus,
    settings: { ...plusSettings, database: 'regions' },
  },
  ...[8, 6, 1].map((results, i) => ({
    name: ['rmac-plus-qe', 'rmac-plus-qe-paris', 'rmac-plus-qe-holidays'][i],
    summary: `R-MAC+ with db regions, the query expanded by the best regions of ${results} result${results > 1 ? 's' : ''}`,
    source: `${plusSource}, query expansion of its code for ${['Oxford', 'Paris', 'Holidays'][i]}`,
    ...plus,
    settings: {
      ...plusSettings,
      database: 'regions' as const,
      expansion: { results, scale: 'sound' as const },
    },
  })),
  {
    name: 'rmac-plus-published',
    summary: 'R-MAC+ with db regions and expansion, with the slips of the published code',
    source: `${plusSource}, the code published with it`,
    ...plus,
    settings: { ...publishedPlus, database: 'regions', expansion: { results: 8, scale: 'published' } },
  },
];
