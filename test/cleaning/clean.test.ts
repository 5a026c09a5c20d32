import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { boxOverlap, type BoxPx } from '../../src/cleaning/boxes/boxes.js';
import { cleanCollection, type CleanOptions, type Cleaned, cleanShard } from '../../src/cleaning/clean.js';
import { CleanStages, type StageOptions } from '../../src/cleaning/clean-stages.js';
import { type ImageRecord, readManifest } from '../../src/data/manifest.js';
import { addBanner, makeTrouble, type NoisyCollection, smallCollection } from './noisy-collection.js';

const root = mkdtempSync(join(tmpdir(), 'rmac-clean-'));
let collection: NoisyCollection;
let records: ImageRecord[];
afterAll(() => rmSync(root, { recursive: true, force: true }));
beforeAll(async () => {
  collection = await smallCollection(join(root, 'set'));
  records = await readManifest(collection.manifest);
}, 120_000);

async function clean(
  list: readonly ImageRecord[],
  options: CleanOptions = {},
  stage: Partial<StageOptions> = {},
): Promise<Cleaned> {
  const stages = await CleanStages.open({ folder: join(root, 'work'), workers: 1, ...stage });
  try {
    return await cleanCollection(list, stages, options);
  } finally {
    await stages.close();
  }
}

const decisionOf = ({ records: list, decisions }: Cleaned, id: string) =>
  decisions[list.findIndex((record) => record.id === id)];
const added = (path: string, landmark: string): ImageRecord => ({ id: `added/${basename(path)}`, path, landmark });
const right = (landmark: string) => collection.truth.filter((line) => line.landmark === landmark && !line.wrong);

test('right photographs stay, wrong ones go, boxes come close to the true ones', async () => {
  const cleaned = await clean(records);
  let kept = 0;
  const overlaps = { initial: 0, final: 0 };
  for (const { id, wrong, box } of collection.truth) {
    const node = records.findIndex((record) => record.id === id);
    if (wrong) expect(cleaned.decisions[node].landmark, id).toBeUndefined();
    else if (cleaned.decisions[node].landmark !== undefined && box !== undefined) {
      kept++;
      const truth: BoxPx = [box.y, box.x, box.y + box.height, box.x + box.width];
      overlaps.initial += boxOverlap(cleaned.initial[node] as BoxPx, truth);
      overlaps.final += boxOverlap(cleaned.boxes[node] as BoxPx, truth);
    }
  }
  expect(kept).toBeGreaterThanOrEqual(12); // of 14
  expect(overlaps.final / kept).toBeGreaterThan(0.6);
  expect(overlaps.final).toBeGreaterThan(overlaps.initial);
}, 120_000);

test('trouble of every kind is counted and nothing is lost', async () => {
  const landmark = records[0].landmark;
  const photo = records.find(({ id }) => id === right(landmark)[0].id) as ImageRecord;
  const files = await makeTrouble(root, photo.path);
  const list = [...records, ...Object.values(files).map((path) => added(path, landmark))];
  const cleaned = await clean(list);
  const reasonOf = (name: string) => decisionOf(cleaned, `added/${name}`).reason;
  expect({
    cut: reasonOf('cut.jpg'),
    text: reasonOf('text.jpg'),
    tiny: reasonOf('tiny.png'),
    missing: reasonOf('missing.jpg'),
    blank: reasonOf('blank.jpg'),
    blank2: reasonOf('blank-2.jpg'),
    checks12: reasonOf('checks-12.png'),
    checks17: reasonOf('checks-17.png'),
  }).toEqual({
    cut: 'broken',
    text: 'broken',
    tiny: 'broken',
    missing: 'broken',
    blank: 'no-features',
    blank2: 'no-features',
    checks12: expect.stringMatching(/no-match|no-features|other-component/),
    checks17: expect.stringMatching(/no-match|no-features|other-component/),
  });
  // One of the copies stays, the best connected.
  const copies = ['grey.png', 'turned.jpg', 'identical.jpg', 'huge.jpg'].map(reasonOf);
  const reasons = [...copies, decisionOf(cleaned, photo.id).reason];
  expect(reasons.filter((reason) => reason === 'near-duplicate')).toHaveLength(4);
  expect(reasons.filter((reason) => reason === undefined)).toHaveLength(1);
  expect(decisionOf(cleaned, 'added/missing.jpg').detail).toBe('no such image file.');
  expect(decisionOf(cleaned, 'added/cut.jpg').detail).toMatch(/broken image/);
  for (const { landmark: label, reason } of cleaned.decisions)
    expect((label === undefined) !== (reason === undefined)).toBe(true);

  // With all copies kept, a photograph stored on its side has the box of its upright original, in upright px.
  const all = await clean(list, { dropDuplicates: false });
  const boxOf = (id: string) => all.boxes[all.records.findIndex((record) => record.id === id)] as BoxPx;
  expect(boxOverlap(boxOf('added/turned.jpg'), boxOf(photo.id))).toBeGreaterThan(0.85);
  const huge = boxOf('added/huge.jpg');
  const { width } = all.facts[list.findIndex(({ id }) => id === photo.id)] as { width: number };
  const scaled = huge.map((value) => (value * width) / 1200) as unknown as BoxPx;
  expect(boxOverlap(scaled, boxOf(photo.id))).toBeGreaterThan(0.7);
}, 240_000);

test('a banner over unrelated photographs makes no edge, and leaves those of the same thing', async () => {
  const landmarks = [...new Set(records.map(({ landmark }) => landmark))];
  const list: ImageRecord[] = [];
  for (const [i, landmark] of landmarks.entries()) {
    for (const [k, { id }] of right(landmark).slice(0, 4).entries()) {
      const record = records.find((one) => one.id === id) as ImageRecord;
      const path = join(root, `banner-${i}-${k}.jpg`);
      await addBanner(record.path, path);
      list.push({ id: `${i}-${k}`, path, landmark });
    }
  }
  const cleaned = await clean(list, { neighbours: 8, minImages: 2 });
  expect(cleaned.graph.overlays).toBeGreaterThanOrEqual(6); // of 16 pairs across, verified by the banner alone
  expect(cleaned.conflicts).toEqual([]);
  const across = cleaned.graph.edges.filter(({ a, b, inliers }) => a < 4 !== b < 4 && inliers >= 15);
  expect(across).toEqual([]);
  expect(cleaned.decisions.filter(({ landmark }) => landmark !== undefined).length).toBeGreaterThanOrEqual(6);
}, 240_000);

test('photographs of one thing under two labels are found and share a group; or are joined', async () => {
  const [one, other] = [...new Set(records.map(({ landmark }) => landmark))];
  // half of a landmark's photographs under another name
  const moved = new Set(
    right(one)
      .filter((_, i) => i % 2 === 1)
      .map(({ id }) => id),
  );
  const list = records.map((record) => (moved.has(record.id) ? { ...record, landmark: 'alias' } : record));
  const cleaned = await clean(list, { minImages: 2 });
  expect(cleaned.conflicts.length).toBeGreaterThan(0);
  const groupOf = (label: string) =>
    new Set(cleaned.decisions.filter(({ landmark }) => landmark === label).map(({ group }) => group));
  expect(groupOf(one)).toEqual(groupOf('alias'));
  expect(groupOf(other)).toEqual(new Set([undefined]));
  const merged = await clean(list, { minImages: 2, mergeOverlapping: true });
  expect(new Set(merged.decisions.flatMap(({ landmark }) => landmark ?? []))).toEqual(
    new Set([other, merged.decisions[list.findIndex(({ id }) => moved.has(id))].landmark]),
  );
}, 240_000);

test('what overlaps an excluded manifest goes with its component', async () => {
  const [one, other] = [...new Set(records.map(({ landmark }) => landmark))];
  const query = records.find(({ id }) => id === right(one)[1].id) as ImageRecord;
  const list = records.filter(({ id }) => id !== query.id);
  const { decisions } = await clean(list, { exclude: [{ ...query, id: 'query', landmark: 'evaluation' }] });
  const labels = new Set(decisions.flatMap(({ landmark }) => landmark ?? []));
  expect(labels).toEqual(new Set([other]));
  expect(decisions.filter(({ reason }) => reason === 'excluded').length).toBeGreaterThanOrEqual(5);
  expect(decisions.find(({ reason }) => reason === 'excluded')?.detail).toBe('query');
}, 240_000);

test('without labels the landmarks are found from scratch', async () => {
  const cleaned = await clean(
    records.map((record) => ({ ...record, landmark: record.id })),
    { unlabelled: true },
  );
  const found = new Map<string, Set<string>>();
  for (const [node, { landmark }] of cleaned.decisions.entries()) {
    if (landmark !== undefined) found.set(landmark, (found.get(landmark) ?? new Set()).add(records[node].landmark));
  }
  expect(found.size).toBe(2);
  for (const labels of found.values()) expect(labels.size).toBe(1);
}, 240_000);

test('shards, a small cache and the order of the manifest do not change the result', async () => {
  const whole = await clean(records);
  const folder = join(root, 'shards');
  for (const index of [1, 2, 3]) {
    const shard = { index, count: 3 };
    const stages = await CleanStages.open({ folder, workers: 1, shard, cacheBytes: 1_000_000 });
    await cleanShard(records, stages, { shard });
    await stages.close();
  }
  const merged = await clean(records, {}, { folder, cacheBytes: 1_000_000 });
  expect(merged).toEqual(whole);
  const order = records.toReversed();
  const reversed = await clean(order);
  for (const [node, { id }] of order.entries()) {
    expect(reversed.decisions[node].landmark).toBe(decisionOf(whole, id).landmark);
  }
}, 240_000);

test('nothing usable, and an interruption, are one line each', async () => {
  const broken = [added(join(root, 'nowhere.jpg'), 'a')];
  await expect(clean(broken)).rejects.toThrow('None of the 1 photographs can be used');
  const controller = new AbortController();
  controller.abort();
  await expect(clean(records, {}, { folder: join(root, 'stopped'), signal: controller.signal })).rejects.toThrow(
    /Interrupted/,
  );
}, 120_000);
