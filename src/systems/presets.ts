/**
 * @file The published systems by name. Where a paper leaves something open or its implementations differ, the value here is a
 * choice, and docs/systems.md says so.
 */
import type { PfaFit, RegionPooling, SlidingPooling, SystemSettings } from './settings.js';
import type { Preset } from './system.js';

const rigidGrid: RegionPooling = {
  kind: 'regions',
  of: 'max',
  grid: 'tolias',
  plane: 'map',
  levels: 3,
  wholeImage: false,
  precision: 'f64',
};
const pca = { kind: 'pca', dimension: 'all' } as const;

const plain: SystemSettings = {
  sides: [1024],
  upscale: false,
  queryCrop: 'image',
  maps: [0],
  fusion: 'late',
  mapResize: 'half-pixel',
  pooling: rigidGrid,
  unit: true,
  database: 'vector',
  distance: 'dot',
  epsilon: 1e-6,
};

const tolias = { networks: { vgg16: ['pool5'], alexnet: ['pool5'] } };
const toliasSource = 'Tolias, Sicre, Jegou 2016 (arXiv 1511.05879)';

function toliasGrid(levels: number): Preset {
  const name = levels === 3 ? 'tolias-rmac' : `tolias-rmac-l${levels}`;
  return {
    name,
    summary: `R-MAC, L = ${levels}, regions PCA-whitened`,
    source: `${toliasSource}, section 3.2`,
    ...tolias,
    settings: { ...plain, pooling: { ...rigidGrid, levels }, fit: pca },
  };
}

const toliasPresets: Preset[] = [
  {
    name: 'tolias-mac',
    summary: 'maximum of each channel',
    source: `${toliasSource}, section 3.1`,
    ...tolias,
    settings: { ...plain, pooling: { kind: 'mac' } },
  },
  {
    name: 'tolias-mac-whitened',
    summary: 'MAC, PCA-whitened',
    source: `${toliasSource}, section 3.1`,
    ...tolias,
    settings: { ...plain, pooling: { kind: 'mac' }, fit: pca },
  },
  {
    name: 'tolias-rmac-plain',
    summary: 'R-MAC, L = 3, no whitening',
    source: `${toliasSource}, section 3.2`,
    ...tolias,
    settings: plain,
  },
  ...[1, 2, 3, 4].map(toliasGrid),
  {
    name: 'spoc',
    summary: 'sum of each channel',
    source: 'Babenko, Lempitsky 2015 (SPoC), without centre prior; the sum-pooled row beside MAC',
    ...tolias,
    settings: { ...plain, pooling: { kind: 'sum', centrePrior: false } },
  },
  {
    name: 'spoc-whitened',
    summary: 'SPoC, PCA-whitened',
    source: 'Babenko, Lempitsky 2015 (SPoC), without centre prior',
    ...tolias,
    settings: { ...plain, pooling: { kind: 'sum', centrePrior: false }, fit: pca },
  },
  {
    name: 'spoc-centre',
    summary: 'sum under a Gaussian at the centre, PCA-whitened to 256 values',
    source: 'Babenko, Lempitsky 2015 (SPoC), equations 4 and 5',
    ...tolias,
    settings: { ...plain, pooling: { kind: 'sum', centrePrior: true }, fit: { kind: 'pca', dimension: 256 } },
  },
  {
    name: 'r-spoc',
    summary: 'the regions of R-MAC summed in place of maxima, PCA-whitened',
    source: 'variant: grid and whitening of Tolias et al., pooling of Babenko and Lempitsky',
    ...tolias,
    settings: { ...plain, pooling: { ...rigidGrid, of: 'sum' }, fit: pca },
  },
];

const plus = { networks: { resnet50: ['stage4/block1'], vgg16: ['pool5'] } };
const plusSource = 'Magliani, Prati 2018 (arXiv 1806.08565)';
const plusSettings: SystemSettings = {
  ...plain,
  sides: [1024, 768, 1280],
  upscale: true,
  queryCrop: 'map',
  fusion: 'list',
  pooling: { ...rigidGrid, grid: 'rmac-plus' },
  fit: { kind: 'zca', floor: 'sound' },
  distance: 'euclidean',
};
const publishedPlus: SystemSettings = {
  ...plusSettings,
  queryCrop: 'map-published',
  fit: { kind: 'zca', floor: 'published' },
  epsilon: 1e-30,
};

const plusPresets: Preset[] = [
  {
    name: 'rmac-plus-baseline',
    summary: 'R-MAC as the rows R-MAC of its table, one resolution, ZCA-whitened',
    source: `${plusSource}, rows R-MAC (VGG-16, ResNet-50)`,
    ...plus,
    settings: { ...plusSettings, sides: [1024], pooling: rigidGrid },
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
    source: 'the code published with it',
    ...plus,
    settings: { ...publishedPlus, database: 'regions', expansion: { results: 8, scale: 'published' } },
  },
];

const slidingWindows: SlidingPooling = { kind: 'sliding', levels: 3, stride: 0.4 };
const pfa = (dimension: number): PfaFit => ({
  kind: 'pfa',
  dimension,
  eigenvectors: 'below-dimension',
  absolute: true,
  seed: 0,
});
const fused: SystemSettings = {
  ...plain,
  sides: [800, 550, 1050],
  upscale: true,
  fusion: 'early',
  pooling: slidingWindows,
  unit: false,
  distance: 'manhattan',
};
const osRmac = { networks: { resnet50: ['stage4/block3', 'stage3/block6'] } };
const osSource = 'OS-RMAC';
const mask = { threshold: 0.9 };

const osPresets: Preset[] = [
  {
    name: 'os-rmac-baseline',
    summary: 'R-MAC at one side of 800 px',
    source: `${osSource}, ablation: baseline`,
    ...osRmac,
    settings: { ...fused, sides: [800], pooling: rigidGrid },
  },
  {
    name: 'os-rmac-resolutions',
    summary: 'R-MAC of the sum of the maps at 550, 800 and 1050 px',
    source: `${osSource}, ablation: multi-resolution`,
    ...osRmac,
    settings: { ...fused, pooling: rigidGrid },
  },
  {
    name: 'os-rmac-last',
    summary: 'sliding windows on the summed last maps',
    source: `${osSource}, ablation: multi-resolution, layer j`,
    ...osRmac,
    settings: fused,
  },
  {
    name: 'os-rmac-before-last',
    summary: 'sliding windows on the summed maps of the stage before the last',
    source: `${osSource}, ablation: multi-resolution, layer j - 1`,
    ...osRmac,
    settings: { ...fused, maps: [1] },
  },
  {
    name: 'os-rmac-both',
    summary: 'both of these joined',
    source: `${osSource}, ablation: multi-resolution, layers j and j - 1`,
    ...osRmac,
    settings: { ...fused, maps: [0, 1] },
  },
  ...[768, 320, 384].flatMap((dimension, i): Preset[] => {
    const suffix = ['', '-oxford', '-paris'][i];
    const place = ['Holidays and UKB', 'Oxford', 'Paris'][i];
    const distance = i === 0 ? 'manhattan' : 'euclidean';
    const settings: SystemSettings = { ...fused, maps: [0, 1], fit: pfa(dimension), distance };
    return [
      {
        name: `os-rmac${suffix}`,
        summary: `both layers, ${dimension} values kept by principal feature analysis`,
        source: `${osSource}, feature selection, ${place}`,
        ...osRmac,
        settings,
      },
      {
        name: `os-rmac-cam${suffix}`,
        summary: 'the same and a local vector under the class activation mask, the nearer of the two counts',
        source: `${osSource}, feature selection and CAM, ${place}`,
        ...osRmac,
        settings: { ...settings, mask },
      },
    ];
  }),
];

const stages = { networks: { vgg16: ['pool5', 'pool4', 'pool3', 'pool2', 'pool1'] } };
const msSource = 'Li et al. 2017 (MS-RMAC, IEEE Signal Processing Letters 24)';
const msSettings: SystemSettings = { ...plain, maps: [0, 1, 2, 3, 4], unit: false, distance: 'layers' };

const msPresets: Preset[] = [
  {
    name: 'ms-rmac',
    summary: 'R-MAC of five stages, mean of their distances',
    source: `${msSource}, equal weights`,
    ...stages,
    settings: msSettings,
  },
  {
    name: 'ms-rmac-weighted',
    summary: 'R-MAC of five stages, distances weighted 5 to 1 from the last stage on',
    source: `${msSource}; its weights are learned by a hedge on the test queries and not known, these stand for them`,
    ...stages,
    settings: { ...msSettings, mapWeights: [5, 4, 3, 2, 1] },
  },
];

const gordo = {
  networks: { resnet101: ['stage4/block3'], resnet50: ['stage4/block3'], vgg16: ['conv5_3'] },
};
const gordoSource = 'Gordo et al. 2017 (arXiv 1610.07940) and the code published with it';
const gordoSettings: SystemSettings = {
  ...plain,
  sides: [800],
  upscale: true,
  pooling: { ...rigidGrid, plane: 'image', levels: 2, precision: 'f32' },
  fit: pca,
  epsilon: 1e-8,
};
const gordoLevels3 = { ...gordoSettings.pooling, levels: 3 } as RegionPooling;

const gordoPresets: Preset[] = [
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
    name: 'gordo-multires',
    summary: 'sum of the descriptors at 550, 800 and 1050 px, L = 2',
    source: `${gordoSource}, multi-resolution`,
    ...gordo,
    settings: { ...gordoSettings, sides: [800, 550, 1050] },
  },
];

export const presets: ReadonlyMap<string, Preset> = new Map(
  [...toliasPresets, ...plusPresets, ...osPresets, ...msPresets, ...gordoPresets].map((preset) => [
    preset.name,
    preset,
  ]),
);
