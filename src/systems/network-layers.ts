/** @file Which layers of a network a system's maps are: the paper's, or the last map and those of the stages before it. */
import { UsageError } from '../errors.js';
import { cutTrunk, parametersOf, resolveLayer } from '../models/architecture.js';
import { architectureNamed, architectures } from '../models/architectures.js';
import type { Preset, SystemNetwork } from './system.js';
import { largest } from '../extremes.js';

/** `resnet50-tv` -> `resnet50`: networks of one family differ in arithmetic, their layers have the same names. */
export function familyOf(architecture: string): string {
  return architecture.replace(/-(tv|keras|caffe)$/, '');
}

/**
 * `resnet50` (any of its arithmetics), `resnet50-tv`, `resnet50-conv4` (cut at a layer, by our name or another framework's).
 * Throws `UsageError` for any other text.
 */
export function architectureFamily(network: string): { family: string; cut?: string } {
  // the longest first: resnet50-tv is no cut of resnet50
  for (const name of [...architectures.keys()].toSorted((a, b) => b.length - a.length)) {
    if (network === name) return { family: familyOf(name) };
    if (!network.startsWith(`${name}-`)) continue;
    const cut = network.slice(name.length + 1);
    return { family: familyOf(name), cut: resolveLayer(architectureNamed(name), cut) };
  }
  const known = [...new Set([...architectures.keys()].map(familyOf))];
  throw new UsageError(
    `Unknown network "${network}". Known: ${known.join(', ')}, and a layer behind them (resnet50-conv4).`,
  );
}

/**
 * The layers of a preset on weights that reach up to `cut`. A network of the preset's paper gives the layers of the paper,
 * where the weights reach them and `requested` asks for no other cut. On any other the first map is the last of the weights.
 */
export function networkLayers(
  preset: Preset,
  { architecture, cut }: { architecture: string; cut: string },
  requested?: string,
): SystemNetwork {
  const { family, cut: requestedCut } =
    requested === undefined ? { family: familyOf(architecture) } : architectureFamily(requested);
  const sameFamily = family === familyOf(architecture); // else the weights win
  const known = architectureNamed(architecture);
  const asked = sameFamily ? requestedCut : undefined;
  const reached = reachedLayers(architecture, cut);
  if (asked !== undefined && !reached.has(asked)) {
    throw new UsageError(`The weights end at ${cut} of ${architecture}; ${requested} needs them up to ${asked}.`);
  }
  const published = asked === undefined ? preset.networks[familyOf(architecture)] : undefined;
  const stages = stageMaps(architecture, asked ?? cut);
  const count = largest(preset.settings.maps) + 1;
  const layers = published !== undefined && reached.has(published[0]) && published.length >= count ? published : stages;
  if (layers.length < count) {
    throw new UsageError(
      `${preset.name} needs maps of ${count} stages; ${architecture} up to ${asked ?? cut} has ${layers.length}: ${layers.join(', ')}.`,
    );
  }
  return { architecture: known.name, layers: layers.slice(0, count) };
}

/** Layers whose weights are there: all that the cut needs, and what lies behind it without weights of its own (pool5 of VGG). */
function reachedLayers(architecture: string, cut: string): Set<string> {
  const { layers } = architectureNamed(architecture);
  const reached = new Set(cutTrunk(architectureNamed(architecture), cut).layers.map(({ name }) => name));
  for (const layer of layers) {
    const weightless = parametersOf([layer]).length === 0;
    if (weightless && layer.inputs.every((input) => reached.has(input))) reached.add(layer.name);
  }
  return reached;
}

/**
 * The last map of each stage up to `cut`, last first. Of a dense block it is the normalised one, which the next transition reads, as
 * the last map of the whole network is: maps between them also hold negative values.
 */
export function stageMaps(architecture: string, cut: string): string[] {
  const trunk = cutTrunk(architectureNamed(architecture), cut);
  if (trunk.layers.some(({ op }) => op === 'tokens')) return [trunk.cut]; // stages pass on more than a map
  const maps = trunk.stages.map((stage) => {
    const transition = trunk.layers.find(
      (layer) => layer.stage === stage && layer.op === 'norm' && layer.name.startsWith('transition'),
    );
    return transition?.name ?? trunk.layers.findLast((layer) => layer.stage === stage)!.name;
  });
  return [trunk.cut, ...maps.slice(0, -1).toReversed()];
}
