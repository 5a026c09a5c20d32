/**
 * @file A network's layers in blocks for recomputation in the backward pass (Chen et al. 2016, "Training Deep Nets with
 * Sublinear Memory Cost", section 3): only what passes from block to block is stored, and one block at a time is run again.
 *
 * A block ends where a single map passes on: behind a residual block, a dense layer, a transition, any layer of a chain.
 * Which of these places to use is their algorithm 3: fill each block up to a budget, and search the budget. Sizes are cells
 * times channels per pixel of the image, so the blocks are the same for every image.
 */
import { imageInput, type Layer } from './architecture.js';
import { largest } from '../extremes.js';

/** Consecutive layers that need nothing from before but one map. */
export interface Block {
  /** Name of that map: a layer's, or `image`. */
  input: string;
  layers: readonly Layer[];
}

/** Budgets tried, from the largest possible block down to the smallest, in equal ratios. */
const budgets = 64;
/** Fewer blocks are fewer graphs to compile for every image shape: worth so much memory. */
const tolerance = 1.05;

/**
 * The blocks of `layers`, which start from the map `input`, that need the least memory: the stored maps and one block's outputs. `sizes`:
 * numbers in the output of every layer and of `input`, in any unit.
 */
export function recomputationBlocks(
  layers: readonly Layer[],
  { input = imageInput, sizes }: { input?: string; sizes: ReadonlyMap<string, number> },
): Block[] {
  if (layers.length === 0) return [];
  const ends = blockEnds(layers);
  const before = [0]; // before[i]: size of the outputs of the first i layers
  for (const { name } of layers) before.push(before.at(-1)! + sizes.get(name)!);
  const total = before.at(-1)!;
  let best: Division | undefined;
  for (let i = 0; i < budgets; i++) {
    const division = divide(total * (largest(sizes.values()) / total) ** (i / (budgets - 1)));
    const better =
      best === undefined || division.peak * (division.ends.length > best.ends.length ? tolerance : 1) < best.peak;
    if (better) best = division;
  }
  return best!.ends.map((end, i) => {
    const start = i === 0 ? 0 : best!.ends[i - 1];
    return { input: start === 0 ? input : layers[start - 1].name, layers: layers.slice(start, end) };
  });

  /** Blocks as large as fit beside the maps stored so far, and what they need at most. */
  function divide(budget: number): Division {
    const chosen: number[] = [];
    let stored = sizes.get(input)!;
    let peak = 0;
    for (let start = 0; start < layers.length; ) {
      const fitting = ends.filter((end) => end > start && stored + before[end] - before[start] <= budget);
      const end = fitting.at(-1) ?? ends.find((candidate) => candidate > start)!;
      peak = Math.max(peak, stored + before[end] - before[start]);
      stored += sizes.get(layers[end - 1].name)!;
      chosen.push(end);
      start = end;
    }
    return { ends: chosen, peak };
  }
}

interface Division {
  /** Number of layers up to the end of each block. */
  ends: number[];
  peak: number;
}

/** How many leading layers there may be before a cut: all later ones read nothing before the last of them. */
function blockEnds(layers: readonly Layer[]): number[] {
  const position = new Map(layers.map(({ name }, i) => [name, i]));
  const ends: number[] = [layers.length];
  let earliest = Number.POSITIVE_INFINITY; // position that the layers from i on read
  for (let i = layers.length - 1; i > 0; i--) {
    for (const input of layers[i].inputs) earliest = Math.min(earliest, position.get(input) ?? -1);
    if (earliest >= i - 1) ends.unshift(i);
  }
  return ends;
}
