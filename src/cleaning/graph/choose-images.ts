/**
 * @file From a match graph to a decision about every photograph: kept under which label, or left out and why. Pure; nodes are positions
 * in the list of photographs.
 */
import { countBy, groupBy } from '../../data/group-by.js';
import { connectedComponents, type Edge, pruneEdges } from './match-graph.js';

export interface Photograph {
  id: string;
  landmark: string;
  group?: string;
}

/** Why a photograph is left out; where several apply, the first. */
export const reasons = [
  /** The file cannot be decoded, or is no photograph. */
  'broken',
  /** A copy of one that is kept, or of one that is decided on in its place. */
  'near-duplicate',
  /** In the component of a photograph that matches, or copies, an excluded one. */
  'excluded',
  /** Hardly any local features: a blank wall, a blurred or tiny image. */
  'no-features',
  /** Not connected to any other photograph of its landmark. */
  'no-match',
  /** Connected, but not to the largest component. */
  'other-component',
  /** The landmark's component is smaller than asked for. */
  'too-few',
] as const;
export type Reason = (typeof reasons)[number];

/** Each reason in the words of reports and the terminal. */
export const reasonTexts: Record<Reason, string> = {
  broken: 'broken files',
  'near-duplicate': 'copies of one that is kept',
  excluded: 'overlap with the excluded set',
  'no-features': 'hardly any local features',
  'no-match': 'matches no other photograph',
  'other-component': 'in a smaller component',
  'too-few': 'too few are left of the landmark',
};

export interface Decision {
  /** The label under which it is kept. */
  landmark?: string;
  group?: string;
  /** Why it is left out. */
  reason?: Reason;
  /** More about it: an id, an error. */
  detail?: string;
  /** Number of its component in its landmark, 0 the largest; undefined for what was left out before. */
  component?: number;
}

/** Two photographs of different labels that show one thing. */
export interface Conflict {
  a: number;
  b: number;
  kind: 'match' | 'near-duplicate';
  inliers: number;
}

export interface ChooseOptions {
  /** Edges with fewer inliers are pruned. Default 15. */
  minInliers?: number;
  /** Smallest component that is kept. Default 3. */
  minImages?: number;
  /** Keep the largest component of a landmark, or all of them as views of their own. Default 'largest'. */
  profiles?: 'largest' | 'all';
  /** Join labels that verified edges connect, instead of reporting conflicts. Default false. */
  mergeOverlapping?: boolean;
  /** Leave out all but one of a set of near-duplicates. Default true. */
  dropDuplicates?: boolean;
  /** Labels mean nothing: components of all photographs become landmarks. Default false. */
  unlabelled?: boolean;
}

export interface GraphFacts {
  photographs: readonly Photograph[];
  /** Photographs that could not be described: what is wrong. */
  broken: ReadonlyMap<number, string>;
  /** Photographs with too few features to be matched. */
  featureless: ReadonlySet<number>;
  /** Verified pairs, within labels and across. */
  edges: readonly Edge[];
  /** Sets of copies, the one to keep first. */
  duplicates: readonly (readonly number[])[];
  /** Photographs that match or copy an excluded one, and its id. */
  excluded: ReadonlyMap<number, string>;
}

export interface Choice {
  /** One for every photograph. */
  decisions: Decision[];
  conflicts: Conflict[];
}

/** Decides. Every photograph is kept or has a reason. */
export function chooseImages(facts: GraphFacts, options: ChooseOptions = {}): Choice {
  const { minInliers = 15, minImages = 3, profiles = 'largest', mergeOverlapping = false } = options;
  const { dropDuplicates = true, unlabelled = false } = options;
  const { photographs } = facts;
  const decisions: Decision[] = photographs.map(() => ({}));
  const edges = pruneEdges(facts.edges, minInliers);
  const labelOf = (node: number) => (unlabelled ? '' : photographs[node].landmark);

  for (const [node, detail] of facts.broken) decisions[node] = { reason: 'broken', detail };
  if (dropDuplicates) leaveOutCopies(facts, edges, labelOf, decisions);

  // Components within every label, of what is left.
  const usable = (node: number) => decisions[node].reason === undefined;
  const inner = edges.filter(({ a, b }) => labelOf(a) === labelOf(b) && usable(a) && usable(b));
  const nodesOf = groupBy(
    [...photographs.keys()].filter((node) => usable(node)),
    labelOf,
  );
  const edgesOf = groupBy(inner, ({ a }) => labelOf(a));
  for (const [label, nodes] of nodesOf) {
    const position = new Map(nodes.map((node, i) => [node, i]));
    const local = (edgesOf.get(label) ?? []).map(({ a, b, inliers }) => ({
      a: position.get(a) as number,
      b: position.get(b) as number,
      inliers,
    }));
    const components = connectedComponents(nodes.length, local).map((list) => list.map((i) => nodes[i]));
    const open = excludeComponents(components, facts.excluded, decisions);
    open.forEach((component, number) => {
      for (const node of component) {
        decisions[node] = decide(component, number, facts.featureless.has(node), { minImages, profiles, unlabelled });
      }
    });
    nameKept(open, label, photographs, decisions, { profiles, unlabelled });
  }

  const conflicts = findConflicts(facts, edges, decisions);
  if (conflicts.length > 0) {
    if (mergeOverlapping) mergeLabels(conflicts, decisions);
    else shareGroups(conflicts, decisions);
  }
  return { decisions, conflicts: mergeOverlapping ? [] : conflicts };
}

/** Of every set of copies within a label the best connected one stays (an enlarged copy has lost its details), of equal ones the first. */
function leaveOutCopies(
  { photographs, duplicates, excluded }: GraphFacts,
  edges: readonly Edge[],
  labelOf: (node: number) => string,
  decisions: Decision[],
): void {
  const degree = countBy(
    edges.filter(({ a, b }) => labelOf(a) === labelOf(b)).flatMap(({ a, b }) => [a, b]),
    (node) => node,
  );
  for (const set of duplicates) {
    for (const unsorted of groupBy(set, labelOf).values()) {
      const copies = unsorted.toSorted((x, y) => (degree.get(y) ?? 0) - (degree.get(x) ?? 0)); // stable
      // A copy that is known to overlap the excluded set must not hide behind one that is not.
      const kept = copies.find((node) => excluded.has(node)) ?? copies[0];
      for (const node of copies) {
        if (node !== kept) decisions[node] = { reason: 'near-duplicate', detail: photographs[kept].id };
      }
    }
  }
}

/** Components without an excluded photograph; those of the others are left out. */
function excludeComponents(
  components: number[][],
  excluded: ReadonlyMap<number, string>,
  decisions: Decision[],
): number[][] {
  return components.filter((component) => {
    const culprit = component.find((node) => excluded.has(node));
    if (culprit === undefined) return true;
    for (const node of component) {
      decisions[node] = { reason: 'excluded', detail: excluded.get(node) ?? excluded.get(culprit) };
    }
    return false;
  });
}

function decide(
  component: readonly number[],
  number: number,
  featureless: boolean,
  { minImages, profiles, unlabelled }: { minImages: number; profiles: 'largest' | 'all'; unlabelled: boolean },
): Decision {
  if (component.length === 1 && minImages > 1) {
    return { reason: featureless ? 'no-features' : 'no-match', component: number };
  }
  const wanted = number === 0 || profiles === 'all' || unlabelled;
  if (!wanted) return { reason: 'other-component', component: number };
  if (component.length < minImages) {
    return { reason: 'too-few', detail: `${component.length} of at least ${minImages}`, component: number };
  }
  return { component: number };
}

/** Labels and groups of what is kept. */
function nameKept(
  components: readonly (readonly number[])[],
  label: string,
  photographs: readonly Photograph[],
  decisions: Decision[],
  { profiles, unlabelled }: { profiles: 'largest' | 'all'; unlabelled: boolean },
): void {
  const digits = String(components.length).length;
  components.forEach((component, number) => {
    for (const node of component) {
      if (decisions[node].reason !== undefined) continue;
      const { group } = photographs[node];
      if (unlabelled) {
        decisions[node].landmark = `object-${String(number + 1).padStart(Math.max(4, digits), '0')}`;
      } else if (profiles === 'all') {
        decisions[node].landmark = `${label}/${number + 1}`;
        decisions[node].group = group ?? label; // views of one landmark are never each other's negatives
      } else {
        decisions[node].landmark = label;
        if (group !== undefined) decisions[node].group = group;
      }
    }
  });
}

function findConflicts(facts: GraphFacts, edges: readonly Edge[], decisions: readonly Decision[]): Conflict[] {
  const apart = (a: number, b: number) =>
    decisions[a].landmark !== undefined &&
    decisions[b].landmark !== undefined &&
    decisions[a].landmark !== decisions[b].landmark &&
    facts.photographs[a].landmark !== facts.photographs[b].landmark;
  const conflicts: Conflict[] = [];
  for (const { a, b, inliers } of edges) if (apart(a, b)) conflicts.push({ a, b, kind: 'match', inliers });
  const known = new Set(conflicts.map(({ a, b }) => `${Math.min(a, b)} ${Math.max(a, b)}`));
  for (const set of facts.duplicates) {
    for (const [i, a] of set.entries()) {
      for (const b of set.slice(i + 1)) {
        if (apart(a, b) && !known.has(`${Math.min(a, b)} ${Math.max(a, b)}`)) {
          conflicts.push({ a, b, kind: 'near-duplicate', inliers: 0 });
        }
      }
    }
  }
  return conflicts
    .map((conflict) => {
      const { a, b } = conflict;
      return a < b ? conflict : { ...conflict, a: b, b: a };
    })
    .toSorted((x, y) => x.a - y.a || x.b - y.b);
}

/** Labels joined by conflicts; each set sorted by its number of kept photographs, the largest first. */
function linkedLabels(conflicts: readonly Conflict[], decisions: readonly Decision[]): string[][] {
  const sizes = new Map<string, number>();
  for (const { landmark } of decisions) if (landmark !== undefined) sizes.set(landmark, (sizes.get(landmark) ?? 0) + 1);
  const labels = [...sizes.keys()];
  const number = new Map(labels.map((label, i) => [label, i]));
  const edges = conflicts.map(({ a, b, inliers }) => ({
    a: number.get(decisions[a].landmark ?? '') as number,
    b: number.get(decisions[b].landmark ?? '') as number,
    inliers,
  }));
  return connectedComponents(labels.length, edges)
    .filter((set) => set.length > 1)
    .map((set) => set.map((i) => labels[i]).toSorted((x, y) => (sizes.get(y) ?? 0) - (sizes.get(x) ?? 0)));
}

/** Linked labels become the largest of them. */
function mergeLabels(conflicts: readonly Conflict[], decisions: Decision[]): void {
  const target = new Map<string, string>();
  for (const set of linkedLabels(conflicts, decisions)) for (const label of set) target.set(label, set[0]);
  for (const decision of decisions) {
    if (decision.landmark !== undefined) decision.landmark = target.get(decision.landmark) ?? decision.landmark;
  }
}

/** Linked labels, and the groups they had, get one group: the first they had, else the name of the largest label. */
function shareGroups(conflicts: readonly Conflict[], decisions: Decision[]): void {
  for (const set of linkedLabels(conflicts, decisions)) {
    const labels = new Set(set);
    const members = decisions.filter(({ landmark }) => landmark !== undefined && labels.has(landmark));
    const groups = new Set(members.flatMap(({ group }) => group ?? []));
    const [name = set[0]] = groups;
    for (const decision of decisions) {
      const { landmark, group } = decision;
      if (landmark === undefined) continue;
      if (labels.has(landmark) || (group !== undefined && groups.has(group))) decision.group = name;
    }
  }
}
