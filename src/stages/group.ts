/**
 * @file Which photographs show the same thing, without labels: the nearest by descriptor and by local features are compared keypoint by
 * keypoint, and verified pairs make groups. What was computed is kept in the folder, so that the same call continues.
 */
import { dirname, join } from 'node:path';
import { CleanStages } from '../cleaning/clean-stages.js';
import { defaultMinInliers } from '../cleaning/clean.js';
import { aggregateCollection } from '../cleaning/features/aggregate-collection.js';
import type { PhotographFacts } from '../cleaning/features/describe-photographs.js';
import { collectionGraph } from '../cleaning/graph/collection-graph.js';
import { similarPairs } from '../cleaning/matching/similar-pairs.js';
import type { CollectionRecord } from '../collection/collection-record.js';
import { openStore } from '../collection/open-store.js';
import type { CollectionStore } from '../collection/vector-store.js';
import { photographPath } from '../collection/index-folder.js';
import { photographGroups, type PhotographGroups } from '../collection/photograph-groups.js';
import { groupBy } from '../data/group-by.js';
import { assertWritable, writeFileSet } from '../data/files.js';
import { linkImages } from '../data/image-link.js';
import { pathInside } from '../data/image-path.js';
import { type ImageRecord, manifestText } from '../data/manifest.js';
import { InputError } from '../errors.js';
import { groupsReport } from '../report/groups-report.js';
import { cleaningView } from './clean.js';
import { type StageContext, silentView } from './context.js';
import { buildIndex, type IndexBuildOptions } from './index-update.js';

/** What is grouped, by which model, how strictly, and where to. */
export interface GroupStageOptions extends Omit<IndexBuildOptions, 'name'> {
  /** Folder of the results; `index/` in it is an index of the photographs. */
  out: string;
  /** Nearest photographs by descriptor that each is compared with, and half as many by local features. Default 20. */
  neighbours?: number;
  /** Keypoints on one affine map that make a pair. Default 15. */
  minInliers?: number;
  /** Share of the cells that a verified pair has in common with the best pairs of both photographs, where it connects them; 0: every pair does. Default 0.3. */
  overlap?: number;
  /** Write report.html. Default true. */
  report?: boolean;
}

/** Paths of what `group` writes. */
export interface GroupFiles {
  /**
   * A manifest to train on: photographs that are in a group, its name as their landmark, copies left out. Groups that verified pairs connect have
   * one "group", so that none is a negative of the other.
   */
  manifest: string;
  /** Every photograph: id, path, group, number of photographs in it, copy_of, site. */
  table: string;
  /** JSON lines {"id","of"}: copies, and what they are copies of. */
  copies: string;
  report: string;
}

/** What belongs together. */
export interface GroupStageResult {
  out: string;
  files: GroupFiles;
  photographs: number;
  /** Groups of at least two photographs that are no copies, and the photographs in them. */
  groups: number;
  grouped: number;
  copies: number;
  /** Pairs that were compared, and those that were verified. */
  pairs: { compared: number; verified: number };
  /** Photographs that could not be used. */
  failures: { id: string; error: string }[];
  seconds: number;
}

/** @throws InputError where results are there already, no photograph can be used, or on the signal. */
export async function group(options: GroupStageOptions, context: StageContext = {}): Promise<GroupStageResult> {
  const { out, neighbours = 20, minInliers = defaultMinInliers, overlap = 0.3, overwrite = false } = options;
  const { view = silentView, signal } = context;
  const startedAt = performance.now();
  const files = groupFiles(out);
  assertWritable(files.manifest, { overwrite });
  const index = join(out, 'index');
  const { failures } = await buildIndex({ ...options, name: 'photographs', out: index }, context);
  const store = await openStore(index, { vectors: true, threads: options.threads });
  const photographs = [...store.records()];
  const records = photographs.map(
    ({ id, path }): ImageRecord => ({ id, path: photographPath(index, path), landmark: '' }),
  );
  const stages = await CleanStages.open({
    folder: out,
    workers: options.threads,
    overwrite,
    signal,
    view: cleaningView(view),
  });
  try {
    const facts = await stages.describe(records);
    const byDescriptor = await nearestPairs(store, neighbours, context);
    const byFeatures = await nearestByFeatures(stages, facts, Math.ceil(neighbours / 2));
    const pairs = uniquePairs([...byDescriptor, ...byFeatures]);
    await stages.compare(pairs, facts, 'compare across');
    const graph = collectionGraph(facts, pairs, stages.log);
    const found = photographGroups(records.length, graph, { minInliers, overlap });
    const names = numberedNames('group', found.groups);
    const sites = siteNames(found);
    const grouped = records.flatMap((record, node): ImageRecord[] => {
      const landmark = names.get(node);
      return landmark === undefined || found.copyOf.has(node)
        ? []
        : [{ ...record, landmark, group: sites.get(node), fields: fieldsOf(photographs[node]) }];
    });
    const linked = await linkImages(out, commonFolder(records), grouped);
    const page = options.report === false ? undefined : await groupsReport(records, found);
    const copies = [...found.copyOf].map(([node, of]) => ({ id: records[node].id, of: records[of].id }));
    await writeFileSet(
      [
        [files.table, tableText(records, found, names, sites)],
        [files.copies, copies.map((copy) => `${JSON.stringify(copy)}\n`).join('')],
        [files.report, page],
        [files.manifest, manifestText(files.manifest, linked.records)],
      ],
      { overwrite: true },
    );
    const broken = facts.flatMap(({ error }, node) => (error === undefined ? [] : [{ id: records[node].id, error }]));
    return {
      out,
      files,
      photographs: records.length,
      groups: found.groups.length,
      grouped: grouped.length,
      copies: copies.length,
      pairs: { compared: graph.compared, verified: graph.edges.filter(({ inliers }) => inliers >= minInliers).length },
      failures: [...failures, ...broken],
      seconds: (performance.now() - startedAt) / 1000,
    };
  } finally {
    await stages.close();
    await store.close();
  }
}

/** Paths in the folder of the results. */
export function groupFiles(out: string): GroupFiles {
  return {
    manifest: join(out, 'groups.jsonl'),
    table: join(out, 'groups.csv'),
    copies: join(out, 'copies.jsonl'),
    report: join(out, 'report.html'),
  };
}

/** Each photograph with its nearest, as positions in the store. */
async function nearestPairs(
  store: CollectionStore,
  neighbours: number,
  { view = silentView, signal }: StageContext,
): Promise<[number, number][]> {
  const ids = store.ids();
  const position = new Map(ids.map((id, node) => [id, node]));
  const pairs: [number, number][] = [];
  const progress = view.progress('neighbours', ids.length);
  try {
    for (const [node, id] of ids.entries()) {
      if (signal?.aborted) throw new InputError(`Interrupted after the neighbours of ${node} photographs.`);
      const { data } = await store.vectors([id]);
      for (const found of await store.search(data, { count: neighbours + 1 })) {
        const other = position.get(found.id)!;
        if (other !== node) pairs.push([Math.min(node, other), Math.max(node, other)]);
      }
      progress.update(node + 1);
    }
  } finally {
    progress.stop();
  }
  return pairs;
}

/** Each photograph with those whose local features are most alike: descriptors of whole pictures pass over what is turned or slanted. */
async function nearestByFeatures(
  stages: CleanStages,
  facts: readonly PhotographFacts[],
  neighbours: number,
): Promise<[number, number][]> {
  const keys = facts.map((fact) => (fact.error === undefined ? fact.image : undefined));
  stages.view.start('pre-select', keys.length, 0);
  const rows = await aggregateCollection(keys, (key) => stages.featuresOf(key), {
    onProgress: (done) => stages.view.update(done),
  });
  stages.view.stop();
  return similarPairs(rows, { neighbours, allowed: () => true });
}

/** Each pair once, in order. */
function uniquePairs(pairs: readonly [number, number][]): [number, number][] {
  const unique = new Map(pairs.map((pair) => [pair.join(' '), pair]));
  return [...unique.values()].toSorted(([a, b], [c, d]) => a - c || b - d);
}

/** "<word>-0001" and so on, by photograph. */
function numberedNames(word: string, groups: readonly number[][]): Map<number, string> {
  const digits = Math.max(4, String(groups.length).length);
  return new Map(
    groups.flatMap((nodes, g) =>
      nodes.map((node): [number, string] => [node, `${word}-${String(g + 1).padStart(digits, '0')}`]),
    ),
  );
}

/** "site-0001" and so on, by photograph, for groups that are connected with another one. */
function siteNames({ groups, sites }: PhotographGroups): Map<number, string> {
  const connected = [...groupBy(groups, ([first]) => sites[first]).values()].filter((list) => list.length > 1);
  return numberedNames(
    'site',
    connected.map((list) => list.flat()),
  );
}

function fieldsOf({ object, title, rights, link, accession, columns }: CollectionRecord) {
  const named = { object, title, rights, link, accession };
  return { ...columns, ...Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined)) };
}

/** The nearest folder that all photographs lie below. */
function commonFolder(records: readonly ImageRecord[]): string {
  let folder = dirname(records[0].path);
  for (const { path } of records) {
    while (pathInside(folder, path) === undefined && dirname(folder) !== folder) folder = dirname(folder);
  }
  return folder;
}

function tableText(
  records: readonly ImageRecord[],
  { groups, copyOf }: PhotographGroups,
  names: ReadonlyMap<number, string>,
  siteOf: ReadonlyMap<number, string>,
): string {
  const sizes = new Map(groups.flatMap((nodes) => nodes.map((node) => [node, nodes.length])));
  const rows = records.map(({ id, path }, node) => {
    const of = copyOf.get(node);
    return [
      id,
      path,
      names.get(node) ?? '',
      `${sizes.get(node) ?? ''}`,
      of === undefined ? '' : records[of].id,
      siteOf.get(node) ?? '',
    ];
  });
  return [['id', 'path', 'group', 'photographs', 'copy_of', 'site'], ...rows]
    .map((cells) => `${cells.map(csvCell).join(',')}\n`)
    .join('');
}

function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
