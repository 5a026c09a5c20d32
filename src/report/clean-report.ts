/** @file The report of a cleaned collection: one HTML page with counts, components, graphs, boxes, matches, and what was left out and why. */
import { countBy, groupBy } from '../data/group-by.js';
import { htmlReport, type ReportBlock, type ReportSection } from './page.js';
import { thumbnail } from './thumbnail.js';
import { type Reason, reasons, reasonTexts } from '../cleaning/graph/choose-images.js';
import type { Cleaned } from '../cleaning/clean.js';
import { cleanAdvice, type CleanCounts } from '../cleaning/clean-advice.js';
import type { PhotographEdge } from '../cleaning/graph/collection-graph.js';
import { type Features, frameLength } from '../cleaning/features/features.js';
import { matchFeatures } from '../cleaning/matching/matching.js';
import { boxedPicture, graphDrawing, matchDrawing } from './clean-drawings.js';
import { verify } from '../cleaning/matching/verification.js';
import { append } from '../extremes.js';

export interface CleanReportOptions {
  featuresOf: (key: string) => Promise<Features>;
  minInliers: number;
  /** Landmarks that are shown with pictures, those with most photographs first. Default 40. */
  maxLandmarks?: number;
  /** Pictures of what is kept, and of what is left out, per landmark. Default 24 and 16. */
  maxKept?: number;
  maxRemoved?: number;
  /** Nodes of a drawn graph. Default 150. */
  maxNodes?: number;
}

const wantOfMatches: readonly Reason[] = ['no-features', 'no-match', 'other-component', 'too-few'];

/** What the advice is about. */
export function cleanCounts({ decisions, alternatives }: Cleaned): CleanCounts {
  const unmatched = decisions.filter(({ reason }) => reason !== undefined && wantOfMatches.includes(reason)).length;
  return { kept: decisions.filter(({ landmark }) => landmark !== undefined).length, unmatched, alternatives };
}

/** The page as one string. */
export async function cleanReport(cleaned: Cleaned, options: CleanReportOptions): Promise<string> {
  const { records } = cleaned;
  const nodesOf = groupBy(records.keys(), (node) => records[node].landmark);
  const landmarks = [...nodesOf].toSorted(([, x], [, y]) => y.length - x.length);
  const shown = landmarks.slice(0, options.maxLandmarks ?? 40);
  const sections: ReportSection[] = [overview(cleaned, landmarks)];
  if (cleaned.conflicts.length > 0) sections.push(await conflictSection(cleaned, options));
  for (const [landmark, nodes] of shown) sections.push(await landmarkSection(cleaned, landmark, nodes, options));
  if (shown.length < landmarks.length) {
    const text = `${landmarks.length - shown.length} more landmarks are in the table above and in the files beside this page.`;
    sections.push({ heading: 'More', blocks: [{ kind: 'text', text }] });
  }
  return htmlReport({ title: 'Cleaned photographs', sections });
}

function overview(cleaned: Cleaned, landmarks: readonly (readonly [string, readonly number[]])[]): ReportSection {
  const { records, decisions, graph, keptEdges, diffusion } = cleaned;
  const row = (name: string, nodes: readonly number[]) => {
    const counts = countBy(nodes, (node) => decisions[node].reason ?? 'kept');
    return [name, nodes.length, counts.get('kept') ?? 0, ...reasons.map((reason) => counts.get(reason) ?? 0)];
  };
  const kept = decisions.filter(({ landmark }) => landmark !== undefined).length;
  const { compared, unverified, overlays } = graph;
  return {
    heading: 'What was kept',
    blocks: [
      {
        kind: 'text',
        text:
          `${kept} of ${records.length} photographs. ${compared} pairs were compared: ${compared - unverified} verified, ${keptEdges.length} in the graphs of ` +
          `what is kept; from ${overlays} pairs a banner or mark was taken off that lies over both photographs.`,
      },
      {
        kind: 'table',
        columns: ['landmark', 'photographs', 'kept', ...reasons.map((reason) => reasonTexts[reason])],
        rows: [row('all', [...records.keys()]), ...landmarks.map(([landmark, nodes]) => row(landmark, nodes))],
      },
      ...cleanAdvice(cleaned.settings, cleanCounts(cleaned)).map((text): ReportBlock => ({ kind: 'text', text })),
      {
        kind: 'text',
        text:
          `Boxes: dashed red, the geometric median of the rectangles of verified matches; solid green, after at most ${diffusion.steps} steps of diffusion` +
          `${diffusion.converged ? '' : ' (not converged)'}.`,
      },
    ],
  };
}

async function landmarkSection(
  cleaned: Cleaned,
  landmark: string,
  nodes: readonly number[],
  options: CleanReportOptions,
): Promise<ReportSection> {
  const { records, decisions, keptEdges, facts } = cleaned;
  const { maxKept = 24, maxRemoved = 16 } = options;
  const degree = countBy(
    keptEdges.flatMap(({ a, b }) => [a, b]),
    (node) => node,
  );
  const blocks: ReportBlock[] = [];
  const kept = nodes.filter((node) => decisions[node].landmark !== undefined);
  const views = groupBy(kept, (node) => decisions[node].landmark ?? '');
  for (const [name, members] of views) {
    const order = members.toSorted((x, y) => (degree.get(y) ?? 0) - (degree.get(x) ?? 0) || x - y);
    const others = members.length > maxKept ? ` (${maxKept} shown)` : '';
    blocks.push({ kind: 'text', text: `${name}: ${members.length} photographs${others}, the best connected first.` });
    const drawings = [];
    for (const node of order.slice(0, maxKept)) {
      drawings.push(await photographDrawing(cleaned, node, `${records[node].id}, ${degree.get(node) ?? 0} edges`));
    }
    blocks.push({ kind: 'drawings', drawings });
  }
  append(blocks, graphBlocks(cleaned, nodes, options));

  const own = new Set(nodes);
  const edges = keptEdges.filter(({ a, b }) => own.has(a) && own.has(b)).toSorted((x, y) => x.inliers - y.inliers);
  const samples = [edges.at(-1), edges.at(Math.floor(edges.length / 2)), edges.at(0)];
  const drawings = [];
  for (const edge of new Set(samples)) if (edge !== undefined) drawings.push(await edgeDrawing(cleaned, edge, options));
  if (drawings.length > 0) {
    blocks.push({ kind: 'text', text: 'Matches of the strongest, a middle and the weakest edge:' });
    blocks.push({ kind: 'drawings', drawings });
  }

  const removed = groupBy(
    nodes.filter((node) => decisions[node].reason !== undefined),
    (node) => decisions[node].reason as Reason,
  );
  for (const reason of reasons) {
    const members = removed.get(reason);
    if (members === undefined) continue;
    const others = members.length > maxRemoved ? ` (${maxRemoved} shown)` : '';
    blocks.push({ kind: 'text', text: `Left out, ${reasonTexts[reason]}: ${members.length}${others}.` });
    const list = [];
    for (const node of members.slice(0, maxRemoved)) {
      const { detail } = decisions[node];
      const caption = `${records[node].id}${detail === undefined ? '' : `: ${detail}`}`;
      if (facts[node].error === undefined) list.push(await photographDrawing(cleaned, node, caption));
      else blocks.push({ kind: 'text', text: caption });
    }
    if (list.length > 0) blocks.push({ kind: 'drawings', drawings: list });
  }
  return { heading: landmark, blocks };
}

/** The landmark's graph of verified pairs above the threshold; photographs without one are not drawn. */
function graphBlocks(
  { records, decisions, graph }: Cleaned,
  nodes: readonly number[],
  { minInliers, maxNodes = 150 }: CleanReportOptions,
): ReportBlock[] {
  const own = new Set(nodes);
  const edges = graph.edges.filter(({ a, b, inliers }) => own.has(a) && own.has(b) && inliers >= minInliers);
  const connected = [...new Set(edges.flatMap(({ a, b }) => [a, b]))].toSorted((x, y) => x - y);
  if (connected.length === 0) return [];
  const drawn = connected.slice(0, maxNodes);
  const position = new Map(drawn.map((node, i) => [node, i]));
  const local = edges.flatMap(({ a, b, inliers }) => {
    const [x, y] = [position.get(a), position.get(b)];
    return x === undefined || y === undefined ? [] : [{ a: x, b: y, inliers }];
  });
  const dots = drawn.map((node) => ({ name: records[node].id, kept: decisions[node].landmark !== undefined }));
  const more = drawn.length < connected.length ? `, ${drawn.length} of ${connected.length} connected photographs` : '';
  const caption = `match graph${more}: green is kept, red is left out, ${nodes.length - connected.length} without an edge not drawn`;
  return [{ kind: 'drawings', drawings: [{ svg: graphDrawing(dots, local), caption }] }];
}

async function conflictSection(cleaned: Cleaned, options: CleanReportOptions): Promise<ReportSection> {
  const { records, decisions, conflicts, graph } = cleaned;
  const edgeOf = new Map(graph.edges.map((edge) => [`${edge.a} ${edge.b}`, edge]));
  const pairs = groupBy(conflicts, ({ a, b }) =>
    [decisions[a].landmark ?? '', decisions[b].landmark ?? ''].toSorted((x, y) => (x < y ? -1 : 1)).join(' and '),
  );
  const drawings = [];
  for (const list of [...pairs.values()].slice(0, 12)) {
    const strongest = list.toSorted((x, y) => y.inliers - x.inliers)[0];
    const edge = edgeOf.get(`${strongest.a} ${strongest.b}`);
    if (edge !== undefined) drawings.push(await edgeDrawing(cleaned, edge, options));
  }
  return {
    heading: 'One thing under two labels',
    blocks: [
      {
        kind: 'text',
        text: "These labels share a group, so that their photographs are never taken for each other's negatives.",
      },
      {
        kind: 'table',
        columns: ['labels', 'pairs', 'strongest', 'inliers'],
        rows: [...pairs].map(([labels, list]) => {
          const { a, b, inliers } = list.toSorted((x, y) => y.inliers - x.inliers)[0];
          return [labels, list.length, `${records[a].id} - ${records[b].id}`, inliers];
        }),
      },
      { kind: 'drawings', drawings },
    ],
  };
}

async function photographDrawing({ records, facts, initial, boxes }: Cleaned, node: number, caption: string) {
  const fact = facts[node];
  const size = fact.error === undefined ? fact : { width: 4, height: 3 };
  const image = await thumbnail(records[node].path);
  return { svg: boxedPicture(image, size, { initial: initial[node], final: boxes[node] }), caption };
}

async function edgeDrawing({ records, facts }: Cleaned, edge: PhotographEdge, { featuresOf }: CleanReportOptions) {
  const [one, other] = [facts[edge.a], facts[edge.b]];
  const caption = `${records[edge.a].id} - ${records[edge.b].id}: ${edge.inliers} inliers of ${edge.matches} matches`;
  if (one.error !== undefined || other.error !== undefined) throw new Error(`An edge of a broken file: ${caption}.`);
  // as they were compared: from the smaller key
  const forward = one.image < other.image;
  const [first, second] = [await featuresOf(one.image), await featuresOf(other.image)];
  const [a, b] = forward ? [first, second] : [second, first];
  const { inliers } = verify(a, b, matchFeatures(a, b));
  const points = (features: Features, side: 0 | 1) =>
    Array.from({ length: inliers.length }, (_, i) => {
      const feature = inliers[2 * Math.floor(i / 2) + side];
      return features.frames[feature * frameLength + (i % 2)];
    });
  const [pointsA, pointsB] = forward ? [points(a, 0), points(b, 1)] : [points(b, 1), points(a, 0)];
  const picture = async (node: number) => thumbnail(records[node].path, { longestPx: 320 });
  return {
    svg: matchDrawing(
      { image: await picture(edge.a), size: one, points: pointsA },
      { image: await picture(edge.b), size: other, points: pointsB },
    ),
    caption,
  };
}
