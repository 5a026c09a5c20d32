/**
 * @file How good cleaning and boxes are, where the truth is known. Prints one JSON object.
 *
 *   tsx scripts/cleaning-figures.ts generated GENERATED CLEANED     a `rmac data synthesize` collection and what `rmac clean` made of it
 *   tsx scripts/cleaning-figures.ts real REFERENCE.tsv CLEANED [BOXES.json]
 *
 * GENERATED has truth.jsonl: which images are wrong and the landmark's box. REFERENCE.tsv: file, landmark, ..., component15 (0 = largest) of
 * another implementation's match graph. BOXES.json: [{"id" or "image", "box": {"x","y","width","height"}}], drawn by hand.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { boxOverlap, type BoxPx } from '../src/cleaning/boxes/boxes.js';
import { countBy, groupBy } from '../src/data/group-by.js';

interface FileBox {
  x: number;
  y: number;
  width: number;
  height: number;
}
interface BoxLine {
  id: string;
  initial: BoxPx;
  box: BoxPx;
}

const [kind, source, cleaned, boxFile] = process.argv.slice(2);
if ((kind !== 'generated' && kind !== 'real') || cleaned === undefined) {
  process.stderr.write(
    'usage: cleaning-figures.ts generated GENERATED CLEANED | real REFERENCE.tsv CLEANED [BOXES.json]\n',
  );
  process.exit(2);
}
const kept = new Map(
  readLines<{ id: string; landmark: string }>(join(cleaned, 'clean.jsonl')).map((line) => [line.id, line]),
);
const removed = readLines<{ id: string; reason: string }>(join(cleaned, 'removed.jsonl'));
const boxes = new Map(readLines<BoxLine>(join(cleaned, 'boxes.jsonl')).map((line) => [line.id, line]));
const figures = kind === 'generated' ? generated() : real();
process.stdout.write(`${JSON.stringify({ kind, kept: kept.size, ...figures }, null, 1)}\n`);

function generated() {
  const truth = readLines<{
    id: string;
    landmark: string;
    wrong: boolean;
    kind?: string;
    framing?: string;
    box?: FileBox;
  }>(join(source, 'truth.jsonl'));
  const right = truth.filter(({ wrong }) => !wrong);
  const wrong = truth.filter((line) => line.wrong);
  const reasons = new Map(removed.map(({ id, reason }) => [id, reason]));
  const lost = right.filter(({ id }) => !kept.has(id));
  return {
    wrongRejected: share(wrong, ({ id }) => !kept.has(id)),
    wrongKept: wrong.flatMap(({ id, kind: what }) => (kept.has(id) ? [`${id} ${what}`] : [])),
    rightKept: share(right, ({ id }) => kept.has(id)),
    rightLostBy: Object.fromEntries(countBy(lost, ({ id }) => reasons.get(id) ?? '')),
    rightLostByFraming: Object.fromEntries(countBy(lost, ({ framing }) => framing ?? '')),
    rightByFraming: Object.fromEntries(countBy(right, ({ framing }) => framing ?? '')),
    boxes: overlaps(new Map(right.flatMap(({ id, box }) => (box === undefined ? [] : [[id, box]])))),
  };
}

function real() {
  const reference = readFileSync(source, 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'));
  const largest = reference.filter((columns) => columns[5] === '0');
  const copies = new Set(removed.flatMap(({ id, reason }) => (reason === 'near-duplicate' ? [id] : [])));
  const idOf = (columns: readonly string[]) => columns[0].replace(/\.jpg$/, '');
  const covered = (columns: readonly string[]) => kept.has(idOf(columns)) || copies.has(idOf(columns));
  const small = (columns: readonly string[]) => Math.max(Number(columns[2]), Number(columns[3])) < 400;
  return {
    largestCovered: share(largest, covered),
    smallCovered: share(largest.filter(small), covered),
    ofThemCopies: largest.filter((columns) => copies.has(idOf(columns))).length,
    keptBeyond: [...kept.keys()].filter((id) => !largest.some((columns) => idOf(columns) === id)).length,
    perLandmark: Object.fromEntries(
      [...groupBy(largest, (columns) => columns[1])].map(([landmark, list]) => [landmark, share(list, covered)]),
    ),
    ...(boxFile !== undefined && { boxes: overlaps(readTruthBoxes(boxFile)) }),
  };
}

function readTruthBoxes(file: string): Map<string, FileBox> {
  const value = JSON.parse(readFileSync(file, 'utf8')) as unknown;
  const list = (Array.isArray(value) ? value : (value as { boxes: unknown }).boxes) as {
    id?: string;
    image?: string;
    box: FileBox;
  }[];
  return new Map(list.map(({ id, image = '', box }) => [id ?? image.replace(/\.jpg$/, ''), box]));
}

/** Intersection over union with the true boxes, of the photographs that have both. */
function overlaps(truth: ReadonlyMap<string, FileBox>) {
  const values = { initial: [] as number[], final: [] as number[] };
  for (const [id, { x, y, width, height }] of truth) {
    const line = boxes.get(id);
    if (line === undefined) continue;
    const box: BoxPx = [y, x, y + height, x + width];
    values.initial.push(boxOverlap(line.initial, box));
    values.final.push(boxOverlap(line.box, box));
  }
  const better = values.final.filter((value, i) => value > values.initial[i]).length;
  return {
    measured: values.final.length,
    of: truth.size,
    initial: summary(values.initial),
    final: summary(values.final),
    better,
  };
}

function summary(values: readonly number[]) {
  const sorted = values.toSorted((a, b) => a - b);
  const rounded = (value: number) => Math.round(value * 1000) / 1000;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    median: rounded(sorted[Math.floor(sorted.length / 2)]),
    mean: rounded(mean),
    atLeastHalf: rounded(values.filter((value) => value >= 0.5).length / values.length),
  };
}

function share<T>(items: readonly T[], test: (item: T) => boolean): string {
  const count = items.filter(test).length;
  return `${count}/${items.length} = ${((100 * count) / Math.max(1, items.length)).toFixed(1)} %`;
}

function readLines<T>(file: string): T[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}
