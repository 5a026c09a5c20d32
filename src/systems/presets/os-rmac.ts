/** @file OS-RMAC: its ablation and its rows with feature selection and class activation masks. */
import type { SlidingPooling, SystemSettings } from '../settings.js';
import type { PfaFit } from '../../linear/principal-features.js';
import type { Preset } from '../system.js';
import { plainSettings } from './plain.js';

const slidingPooling: SlidingPooling = { kind: 'sliding', levels: 3, stride: 0.4 };
const pfa = (dimension: number, absolute = true): PfaFit => ({
  kind: 'pfa',
  dimension,
  eigenvectors: 'below-dimension',
  absolute,
  seed: 0,
});
const fused: SystemSettings = {
  ...plainSettings,
  sides: [800, 550, 1050],
  upscale: true,
  fusion: 'early',
  pooling: slidingPooling,
  unit: false,
  distance: 'manhattan',
};
const osRmac = { networks: { resnet50: ['stage4/block3', 'stage3/block6'] } };
const osSource = 'OS-RMAC (multi-resolution, multi-layer, PFA, CAM)';
const mask = { threshold: 0.9 };

export const osPresets: readonly Preset[] = [
  {
    name: 'os-rmac-baseline',
    summary: 'sliding windows on the last map at 800 px',
    source: `${osSource}, ablation: baseline`,
    ...osRmac,
    settings: { ...fused, sides: [800] },
  },
  {
    name: 'os-rmac-resolutions',
    summary: 'the same at 550, 800 and 1050 px, the three vectors added (late fusion)',
    source: `${osSource}, ablation: M-R, as Gordo et al.`,
    ...osRmac,
    settings: { ...fused, fusion: 'late', unit: true },
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
      {
        name: `os-rmac-signed${suffix}`,
        summary: 'as without CAM, the selection clusters signed entries of the eigenvectors',
        source: `${osSource}, feature selection as its text has it, ${place}`,
        ...osRmac,
        settings: { ...settings, fit: pfa(dimension, false) },
      },
    ];
  }),
];
