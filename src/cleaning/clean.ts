/**
 * @file Cleaning a collection (Gordo et al. 2016, section 4): describe, compare, decide, draw boxes. What was computed goes to a log and
 * a cache first, so that the same call continues after a kill; what is decided follows from them alone.
 */
import type { ImageRecord } from '../data/manifest.js';
import { groupBy } from '../data/group-by.js';
import { InputError } from '../errors.js';
import { shardOf } from '../retrieval/descriptor-folder.js';
import { aggregateCollection } from './features/aggregate-collection.js';
import { diffuseBoxes, type DiffusionOptions, initialBoxes } from './boxes/box-diffusion.js';
import type { BoxPx } from './boxes/boxes.js';
import { type Alternative, type CleanSettings, otherSettings } from './clean-advice.js';
import { type Choice, type ChooseOptions, chooseImages } from './graph/choose-images.js';
import type { CleanStages } from './clean-stages.js';
import { type CollectionGraph, collectionGraph, type PhotographEdge } from './graph/collection-graph.js';
import { pairsWithin } from './matching/compare-photographs.js';
import type { PhotographFacts } from './features/describe-photographs.js';
import { type GlobalDescriptors, similarPairs } from './matching/similar-pairs.js';

export interface CleanOptions extends ChooseOptions {
  /** Photographs that nothing that is kept may overlap. */
  exclude?: readonly ImageRecord[];
  /** Candidates per photograph among other labels, and among excluded photographs. Default 5; 0 compares none. */
  neighbours?: number;
  /** Candidates per photograph of a collection without labels. Default 20. */
  unlabelledNeighbours?: number;
  /** To pre-select candidates by: rows of the photographs, then of the excluded ones. Default: aggregated local features. */
  descriptors?: GlobalDescriptors;
  /** Of the sample that aggregated features are learned on. Default 1. */
  seed?: number;
  diffusion?: DiffusionOptions;
}

export interface Cleaned extends Choice {
  records: readonly ImageRecord[];
  facts: PhotographFacts[];
  graph: CollectionGraph;
  /** Edges between photographs that are kept under one label: what boxes travel along. */
  keptEdges: PhotographEdge[];
  /** Per photograph; undefined for one that is left out or has no edge. */
  initial: (BoxPx | undefined)[];
  boxes: (BoxPx | undefined)[];
  diffusion: { steps: number; converged: boolean };
  settings: CleanSettings;
  /** What other settings would keep. */
  alternatives: Alternative[];
}

/** Fewest inliers of an edge that is kept. */
export const defaultMinInliers = 15;

const kept = ({ decisions }: Choice) => decisions.filter(({ landmark }) => landmark !== undefined).length;

/** Cleans `records`. @throws InputError for a full disk, on the stages' signal, or where no photograph can be used. */
export async function cleanCollection(
  records: readonly ImageRecord[],
  stages: CleanStages,
  options: CleanOptions = {},
): Promise<Cleaned> {
  const { exclude = [], unlabelled = false, minInliers = defaultMinInliers } = options;
  const count = records.length;
  const facts = await stages.describe([...records, ...exclude]);
  const own = facts.slice(0, count);
  if (own.every(({ error }) => error !== undefined)) {
    throw new InputError(
      `None of the ${count} photographs can be used; the first: ${records[0].path}: ${own[0].error}`,
    );
  }
  const pairs = unlabelled ? [] : [...pairsWithin(records.map(({ landmark }) => landmark))];
  await stages.compare(pairs, facts, 'compare');
  const candidates = await candidatePairs(records, facts, stages, options);
  await stages.compare(candidates, facts, 'compare across');

  const graph = collectionGraph(facts, withCopies([...pairs, ...candidates], facts), stages.log);
  const inside = ({ b }: { b: number }) => b < count;
  const { minImages, profiles, ...others } = options;
  const choose = (settings: CleanSettings) => {
    const compared = {
      photographs: records,
      broken: new Map(own.flatMap(({ error }, node) => (error === undefined ? [] : [[node, error]]))),
      featureless: new Set(
        own.flatMap((fact, node) => (fact.error === undefined && fact.keypoints < settings.minInliers ? [node] : [])),
      ),
      edges: graph.edges.filter(inside),
      duplicates: graph.duplicates.map((set) => set.filter((node) => node < count)).filter(({ length }) => length > 1),
      excluded: overlapping(graph, exclude, count, settings.minInliers),
    };
    return chooseImages(compared, { ...others, ...settings });
  };
  const settings = { minInliers, minImages: minImages ?? 3, profiles: profiles ?? 'largest' };
  const choice = choose(settings);

  const { decisions } = choice;
  const label = (node: number) => decisions[node].landmark;
  const keptEdges = graph.edges.filter(
    (edge) =>
      inside(edge) && edge.inliers >= minInliers && label(edge.a) !== undefined && label(edge.a) === label(edge.b),
  );
  const sizes = own.map((fact) => (fact.error === undefined ? fact : { width: 1, height: 1 }));
  const initial = initialBoxes(sizes, keptEdges);
  const { boxes, steps, converged } = diffuseBoxes(sizes, keptEdges, initial, options.diffusion);
  const alternatives = otherSettings(settings).map((other): Alternative => ({ ...other, kept: kept(choose(other)) }));
  return {
    records,
    facts: own,
    graph,
    ...choice,
    settings,
    alternatives,
    keptEdges,
    initial,
    boxes,
    diffusion: { steps, converged },
  };
}

/**
 * One machine's part of the work: the pairs within labels are divided; without labels the photographs are. A run over everything
 * finds the parts in the log, adds what is between them and decides.
 */
export async function cleanShard(
  records: readonly ImageRecord[],
  stages: CleanStages,
  { shard, unlabelled = false }: { shard: { index: number; count: number }; unlabelled?: boolean },
): Promise<{ photographs: number; pairs: number }> {
  const all = unlabelled ? [] : [...pairsWithin(records.map(({ landmark }) => landmark))];
  const part = shardOf(all, shard);
  const nodes = unlabelled ? shardOf([...records.keys()], shard) : [...new Set(part.flat())].toSorted((x, y) => x - y);
  const position = new Map(nodes.map((node, i) => [node, i]));
  const facts = await stages.describe(nodes.map((node) => records[node]));
  const local = part.map(([a, b]): [number, number] => [position.get(a) as number, position.get(b) as number]);
  await stages.compare(local, facts, 'compare');
  return { photographs: nodes.length, pairs: part.length };
}

/** Pairs across labels, with excluded photographs, or of a collection without labels. */
async function candidatePairs(
  records: readonly ImageRecord[],
  facts: readonly PhotographFacts[],
  stages: CleanStages,
  { neighbours = 5, unlabelledNeighbours = 20, unlabelled = false, descriptors, seed }: CleanOptions,
): Promise<[number, number][]> {
  const count = records.length;
  const wanted = unlabelled ? unlabelledNeighbours : neighbours;
  const across = new Set(records.map(({ landmark }) => landmark)).size > 1;
  if (wanted === 0 || (!unlabelled && !across && facts.length === count)) return [];
  const keys = facts.map((fact) => (fact.error === undefined ? fact.image : undefined));
  stages.view.start('pre-select', keys.length, 0);
  const rows =
    descriptors ??
    (await aggregateCollection(keys, (key) => stages.featuresOf(key), {
      seed,
      onProgress: (done) => stages.view.update(done),
    }));
  const pairs = similarPairs(rows, {
    neighbours: wanted,
    allowed: (a, b) => a < count && b < count && (unlabelled || records[a].landmark !== records[b].landmark),
  });
  const overlaps =
    facts.length === count
      ? []
      : similarPairs(rows, { neighbours: wanted, allowed: (a, b) => a < count !== b < count });
  stages.view.stop();
  return [...pairs, ...overlaps];
}

/** Photographs with a verified edge to an excluded one, or a copy of one: the excluded one's id. */
function overlapping(
  { edges, duplicates }: CollectionGraph,
  exclude: readonly ImageRecord[],
  count: number,
  minInliers: number,
): Map<number, string> {
  const found = new Map<number, string>();
  for (const { a, b, inliers } of edges) {
    if (a < count && b >= count && inliers >= minInliers && !found.has(a)) found.set(a, exclude[b - count].id);
  }
  for (const set of duplicates) {
    const excluded = set.find((node) => node >= count);
    if (excluded === undefined) continue;
    for (const node of set) if (node < count && !found.has(node)) found.set(node, exclude[excluded - count].id);
  }
  return found;
}

/** The pairs, each once, and those of files equal to one of a pair: what holds for a file holds for its copy. */
function withCopies(
  pairs: readonly (readonly [number, number])[],
  facts: readonly PhotographFacts[],
): [number, number][] {
  const nodes = groupBy(facts.keys(), (node) => {
    const fact = facts[node];
    return fact.error === undefined ? fact.image : `broken ${node}`;
  });
  const alike = new Map<number, number[]>();
  for (const copies of nodes.values()) for (const node of copies) alike.set(node, copies);
  const seen = new Set<number>();
  return pairs.flatMap(([a, b]) =>
    (alike.get(a) as number[]).flatMap((x) =>
      (alike.get(b) as number[]).flatMap((y): [number, number][] => {
        const key = Math.min(x, y) * facts.length + Math.max(x, y);
        if (x === y || seen.has(key)) return [];
        seen.add(key);
        return [[x, y]];
      }),
    ),
  );
}
