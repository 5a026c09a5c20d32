import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../src/errors.js';
import { architectureNamed } from '../../src/models/architectures.js';
import { networkLayers, stageMaps } from '../../src/systems/network-layers.js';
import { presets } from '../../src/systems/presets.js';
import { settingsText } from './settings-text.js';
import { parseSystemName } from '../../src/systems/system-name.js';

const layersOf = (name: string, architecture: string, cut = architectureNamed(architecture).defaultCut) => {
  const { preset, network } = parseSystemName(name);
  return networkLayers(preset, { architecture, cut }, network).layers;
};

describe('parseSystemName', () => {
  test('preset, preset@network, and preset-network for a network of the paper', () => {
    expect(parseSystemName('rmac-plus')).toEqual({ preset: presets.get('rmac-plus') });
    expect(parseSystemName('rmac-plus@densenet121').network).toBe('densenet121');
    expect(parseSystemName('gordo-vgg16')).toEqual({ preset: presets.get('gordo'), network: 'vgg16' });
    expect(parseSystemName('os-rmac-resnet50')).toEqual({ preset: presets.get('os-rmac'), network: 'resnet50' });
    expect(parseSystemName('tolias-vgg16')).toEqual({ preset: presets.get('tolias-rmac'), network: 'vgg16' });
  });

  test('anything else is bad usage that says what there is', () => {
    expect(() => parseSystemName('rmac-pluss')).toThrow(/Unknown preset "rmac-pluss"\. Known: tolias-mac, /);
    expect(() => parseSystemName('rmac-plus@resnet')).toThrow(/Unknown network "resnet"\. Known: alexnet, /);
    for (const text of ['', '@vgg16', 'rmac-plus@', 'a@b@c', 'os-rmac-vgg16'])
      expect(() => parseSystemName(text)).toThrow(UsageError);
  });
});

describe('networkLayers', () => {
  test("a network of the paper gives the paper's layers, whichever arithmetic", () => {
    expect(layersOf('rmac-plus', 'resnet50-tv')).toEqual(['stage4/block1']);
    expect(layersOf('os-rmac', 'resnet50-keras')).toEqual(['stage4/block3', 'stage3/block6']);
    expect(layersOf('tolias-rmac', 'vgg16')).toEqual(['pool5']); // has no weights of its own: a cut at conv5_3 reaches it
    expect(layersOf('gordo', 'vgg16', 'pool5')).toEqual(['conv5_3']);
  });

  test('another network gives its last map and those of the stages before', () => {
    expect(layersOf('os-rmac@densenet121', 'densenet121')).toEqual(['norm', 'transition3/norm']);
    expect(layersOf('ms-rmac', 'resnet18-tv')).toEqual([
      'stage4/block2',
      'stage3/block2',
      'stage2/block2',
      'stage1/block2',
      'pool1',
    ]);
  });

  test('a cut in the name, and weights that end before the layers of the paper', () => {
    const conv4 = ['stage3/block6', 'stage2/block4'];
    expect(layersOf('os-rmac@resnet50-conv4', 'resnet50')).toEqual(conv4);
    expect(layersOf('os-rmac', 'resnet50', 'stage3/block6')).toEqual(conv4);
    expect(() => layersOf('os-rmac@resnet50-conv5', 'resnet50', 'stage3/block6')).toThrow(/weights end at stage3/);
  });

  test('weights of another network than the name says win', () => {
    expect(layersOf('os-rmac@vgg16', 'densenet121')).toEqual(['norm', 'transition3/norm']);
  });

  test('a network with too few stages is refused', () => {
    expect(() => layersOf('ms-rmac', 'rmac-small')).toThrow(/needs maps of 5 stages; rmac-small up to out has 4/);
  });

  test('maps of a dense network hold no negative values: all end in ReLU', () => {
    for (const name of stageMaps('densenet169', 'norm').slice(0, -1)) {
      const layer = architectureNamed('densenet169').layers.find((l) => l.name === name);
      expect(layer).toMatchObject({ op: 'norm', activation: 'relu' });
    }
  });
});

test('every preset names its source, its networks have the maps it uses, and its main side comes first', () => {
  for (const { name, source, networks, settings } of presets.values()) {
    expect(source, name).not.toBe('');
    for (const [family, layers] of Object.entries(networks)) {
      expect(layers.length, `${name}@${family}`).toBeGreaterThan(Math.max(...settings.maps));
    }
    expect(settings.mapWeights?.length ?? settings.maps.length, name).toBe(settings.maps.length);
    if (settings.fit !== undefined && settings.fit.kind !== 'pfa') expect(settings.maps, name).toEqual([0]);
  }
});

test('docs/systems.md has every preset as it is', () => {
  const docs = readFileSync(new URL('../../docs/systems.md', import.meta.url), 'utf8');
  for (const { name, source, settings } of presets.values()) {
    expect(docs).toContain(`\n| \`${name}\` | ${source} | `);
    expect(docs).toContain(` | ${settingsText(settings)} |\n`);
  }
});
