/** @file MS-RMAC (Li et al. 2017): R-MAC of every stage. */
import type { SystemSettings } from '../settings.js';
import type { Preset } from '../system.js';
import { plainSettings } from './plain.js';

const stages = { networks: { vgg16: ['pool5', 'pool4', 'pool3', 'pool2', 'pool1'] } };
const msSource = 'Li et al. 2017 (MS-RMAC, IEEE Signal Processing Letters 24)';
const msSettings: SystemSettings = { ...plainSettings, maps: [0, 1, 2, 3, 4], unit: false, distance: 'layers' };

export const msPresets: readonly Preset[] = [
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
