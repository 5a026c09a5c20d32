/** @file The files of a cleaned collection, exchanged together; `clean.jsonl` comes last and says that the rest is there. */
import { join } from 'node:path';
import { writeFileSet } from '../data/files.js';
import { linkImages } from '../data/image-link.js';
import { type Box, type ImageRecord, manifestText } from '../data/manifest.js';
import type { BoxPx } from './boxes/boxes.js';
import type { Cleaned } from './clean.js';

/** Paths in the output folder. */
export function cleanFiles(folder: string) {
  return {
    clean: join(folder, 'clean.jsonl'),
    graph: join(folder, 'graph.jsonl'),
    boxes: join(folder, 'boxes.jsonl'),
    removed: join(folder, 'removed.jsonl'),
    conflicts: join(folder, 'conflicts.jsonl'),
    report: join(folder, 'report.html'),
  };
}

/**
 * Writes the results; an older report goes where there is no new one:
 *   graph.jsonl      every verified pair {"a","b","inliers","matches","overlay"?,"affine","kept"}; affine maps a's px to b's
 *   boxes.jsonl      {"id","initial","box","edges"} of every kept photograph, [yMin, xMin, yMax, xMax) px
 *   removed.jsonl    {"id","landmark","reason","detail"?} of every other one
 *   conflicts.jsonl  {"a","b","landmarks","kind","inliers"} of kept photographs of different labels that show one thing
 *   clean.jsonl      the manifest, with boxes
 * `imageRoot`: the folder that holds all photographs, linked into `folder` where they lie elsewhere.
 */
export async function writeCleaned(
  folder: string,
  imageRoot: string,
  cleaned: Cleaned,
  report?: string,
): Promise<void> {
  const files = cleanFiles(folder);
  const linked = await linkImages(folder, imageRoot, keptRecords(cleaned));
  await writeFileSet(
    [
      [files.graph, lines(graphLines(cleaned))],
      [files.boxes, lines(boxLines(cleaned))],
      [files.removed, lines(removedLines(cleaned))],
      [files.conflicts, lines(conflictLines(cleaned))],
      [files.report, report],
      [files.clean, manifestText(files.clean, linked.records)],
    ],
    { overwrite: true },
  );
}

/** The kept photographs under their labels, with their boxes. */
export function keptRecords({ records, decisions, boxes }: Cleaned): ImageRecord[] {
  return records.flatMap(({ id, path, fields }, node): ImageRecord[] => {
    const { landmark, group } = decisions[node];
    if (landmark === undefined) return [];
    const box = boxes[node];
    return [
      {
        id,
        path,
        landmark,
        ...(group !== undefined && { group }),
        ...(box && { box: fileBox(box) }),
        ...(fields && { fields }),
      },
    ];
  });
}

/** As files have it, whole px. */
function fileBox([yMin, xMin, yMax, xMax]: BoxPx): Box {
  const [x, y] = [Math.floor(xMin), Math.floor(yMin)];
  return { x, y, width: Math.max(1, Math.ceil(xMax) - x), height: Math.max(1, Math.ceil(yMax) - y) };
}

function graphLines({ records, graph, keptEdges }: Cleaned): object[] {
  const kept = new Set(keptEdges);
  return graph.edges.flatMap((edge) => {
    const { a, b, inliers, matches, overlay, aToB } = edge;
    if (b >= records.length) return []; // an excluded photograph: it is in removed.jsonl
    const [p, q, tx, r, s, ty] = aToB;
    return {
      a: records[a].id,
      b: records[b].id,
      inliers,
      matches,
      ...(overlay > 0 && { overlay }),
      affine: [
        [p, q, tx],
        [r, s, ty],
      ],
      kept: kept.has(edge),
    };
  });
}

function boxLines({ records, initial, boxes, keptEdges }: Cleaned): object[] {
  const edges = new Map<number, number>();
  for (const { a, b } of keptEdges) for (const node of [a, b]) edges.set(node, (edges.get(node) ?? 0) + 1);
  const rounded = (box: BoxPx) => box.map((value) => Math.round(value * 100) / 100);
  return records.flatMap(({ id }, node) => {
    const [first, last] = [initial[node], boxes[node]];
    if (first === undefined || last === undefined) return [];
    return { id, initial: rounded(first), box: rounded(last), edges: edges.get(node) ?? 0 };
  });
}

function removedLines({ records, decisions }: Cleaned): object[] {
  return records.flatMap(({ id, landmark }, node) => {
    const { reason, detail, component } = decisions[node];
    return reason === undefined ? [] : { id, landmark, reason, detail, component };
  });
}

function conflictLines({ records, decisions, conflicts }: Cleaned): object[] {
  return conflicts.map(({ a, b, kind, inliers }) => ({
    a: records[a].id,
    b: records[b].id,
    landmarks: [decisions[a].landmark, decisions[b].landmark],
    kind,
    inliers,
  }));
}

function lines(objects: readonly object[]): string {
  return objects.map((object) => `${JSON.stringify(object)}\n`).join('');
}
