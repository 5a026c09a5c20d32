/** @file `<preset>@<network>`: what a system is called on a command line. */
import { UsageError } from '../errors.js';
import { architectureFamily } from './network-layers.js';
import { presets } from './presets.js';
import type { Preset } from './system.js';

export interface SystemName {
  preset: Preset;
  /** As `network-layers.ts` takes it; absent where the name has none. */
  network?: string;
}

/** Shorter names. */
const aliases: ReadonlyMap<string, string> = new Map([['tolias', 'tolias-rmac']]);

/**
 * Reads `rmac-plus`, `rmac-plus@densenet121` or, for a network of the preset's paper, `rmac-plus-vgg16`. Throws `UsageError` listing
 * what there is.
 */
export function parseSystemName(text: string): SystemName {
  const [name, network, ...rest] = text.split('@');
  if (rest.length > 0 || name === '' || network === '') {
    throw new UsageError(`Expected PRESET or PRESET@NETWORK, such as rmac-plus@densenet121, got "${text}".`);
  }
  const preset = presetNamed(name);
  if (preset !== undefined) return network === undefined ? { preset } : { preset, network: checkNetwork(network) };
  if (network === undefined) {
    for (const candidate of presets.values()) {
      for (const family of Object.keys(candidate.networks)) {
        const names = [candidate.name, ...[...aliases].filter(([, to]) => to === candidate.name).map(([from]) => from)];
        if (names.some((known) => `${known}-${family}` === name)) return { preset: candidate, network: family };
      }
    }
  }
  throw new UsageError(`Unknown preset "${name}". Known: ${[...presets.keys()].join(', ')}.`);
}

function presetNamed(name: string): Preset | undefined {
  return presets.get(aliases.get(name) ?? name);
}

function checkNetwork(network: string): string {
  architectureFamily(network); // throws
  return network;
}
