/** @file MAC and R-MAC of Tolias, Sicre and Jegou 2016, and the sum-pooled descriptors of Babenko and Lempitsky 2015 beside them. */
import type { Preset } from '../system.js';
import { pca, plainSettings, rigidPooling } from './plain.js';

const tolias = { networks: { vgg16: ['pool5'], alexnet: ['pool5'] } };
const toliasSource = 'Tolias, Sicre, Jegou 2016 (arXiv 1511.05879)';

function toliasGrid(levels: number): Preset {
  const name = levels === 3 ? 'tolias-rmac' : `tolias-rmac-l${levels}`;
  return {
    name,
    summary: `R-MAC, L = ${levels}, regions PCA-whitened`,
    source: `${toliasSource}, section 3.2`,
    ...tolias,
    settings: { ...plainSettings, pooling: { ...rigidPooling, levels }, fit: pca },
  };
}

export const toliasPresets: readonly Preset[] = [
  {
    name: 'tolias-mac',
    summary: 'maximum of each channel',
    source: `${toliasSource}, section 3.1`,
    ...tolias,
    settings: { ...plainSettings, pooling: { kind: 'mac' } },
  },
  {
    name: 'tolias-mac-whitened',
    summary: 'MAC, PCA-whitened',
    source: `${toliasSource}, section 3.1`,
    ...tolias,
    settings: { ...plainSettings, pooling: { kind: 'mac' }, fit: pca },
  },
  {
    name: 'tolias-rmac-plain',
    summary: 'R-MAC, L = 3, no whitening',
    source: `${toliasSource}, section 3.2`,
    ...tolias,
    settings: plainSettings,
  },
  ...[1, 2, 3, 4].map(toliasGrid),
  {
    name: 'spoc',
    summary: 'sum of each channel',
    source: 'Babenko, Lempitsky 2015 (SPoC), without centre prior; the sum-pooled row beside MAC',
    ...tolias,
    settings: { ...plainSettings, pooling: { kind: 'sum', centrePrior: false } },
  },
  {
    name: 'spoc-whitened',
    summary: 'SPoC, PCA-whitened',
    source: 'Babenko, Lempitsky 2015 (SPoC), without centre prior',
    ...tolias,
    settings: { ...plainSettings, pooling: { kind: 'sum', centrePrior: false }, fit: pca },
  },
  {
    name: 'spoc-centre',
    summary: 'sum under a Gaussian at the centre, PCA-whitened to 256 values',
    source: 'Babenko, Lempitsky 2015 (SPoC), equations 4 and 5',
    ...tolias,
    settings: { ...plainSettings, pooling: { kind: 'sum', centrePrior: true }, fit: { kind: 'pca', dimension: 256 } },
  },
  {
    name: 'r-spoc',
    summary: 'the regions of R-MAC summed in place of maxima, PCA-whitened',
    source: 'variant: grid and whitening of Tolias et al., pooling of Babenko and Lempitsky',
    ...tolias,
    settings: { ...plainSettings, pooling: { ...rigidPooling, of: 'sum' }, fit: pca },
  },
];
