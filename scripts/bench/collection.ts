/**
 * @file `npm run bench:collection [-- search|add|covers|products|landmarks]`: collections as rmac index and rmac search keep them. Prints JSON lines.
 *   search   one query in 100,000 x 512 against usearch's exactSearch, and in 1,000,000 x 512 in a process of its own with its peak memory
 *   add      1,000 vectors added to 100,000 x 512, with the threshold that is learned afterwards
 *   covers   covers filmed by telephones against their clean pictures: the first result, by descriptor and with --rerank sift
 *   products, landmarks   queries about what is in the collection and about what is not, by the threshold that it taught
 * The last three need photographs and weights (RMAC_SHARED) and describe for minutes: by DenseNet-121 off the shelf, or by --model.
 * Indexes are kept in --work (default: a temporary folder).
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { CollectionRecord } from '../../src/collection/collection-record.js';
import { EmbeddedStore } from '../../src/collection/embedded-store.js';
import { evidenceOf, type Shown } from '../../src/collection/evidence.js';
import { surelyAgreeing } from '../../src/collection/keypoint-look.js';
import { learnThreshold } from '../../src/collection/learn-threshold.js';
import { presenceOf } from '../../src/collection/presence.js';
import { smallest } from '../../src/extremes.js';
import { readGroundTruth } from '../../src/retrieval/ground-truth.js';
import { buildIndex } from '../../src/stages/index-update.js';
import { openCollection } from '../../src/stages/search.js';
import { importModel } from '../../src/stages/weights-import.js';
import { clock, median, noise, print, rounded } from './process.js';

interface Usearch {
  exactSearch(
    data: Float32Array,
    queries: Float32Array,
    dimension: number,
    count: number,
    metric: 'ip',
    threads: number,
  ): { keys: BigUint64Array };
}

const dimension = 512;
const cores = availableParallelism();
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { work: { type: 'string' }, model: { type: 'string' } },
});
const parts = positionals.length === 0 ? ['search', 'add', 'covers', 'products', 'landmarks'] : positionals;
const temporary = mkdtempSync(join(tmpdir(), 'rmac-bench-collection-'));
const work = values.work ?? temporary;

/** Unit rows of noise in blocks. */
async function* noiseRows(count: number, seed: number) {
  const next = noise(seed);
  const step = 10_000;
  for (let first = 0; first < count; first += step) {
    const data = new Float32Array(Math.min(step, count - first) * dimension);
    for (let start = 0; start < data.length; start += dimension) {
      let sum = 0;
      for (let i = start; i < start + dimension; i++) {
        data[i] = next() - 0.5;
        sum += data[i] * data[i];
      }
      for (let i = start; i < start + dimension; i++) data[i] /= Math.sqrt(sum);
    }
    yield { dimension, data };
  }
}

function records(count: number, first = 0): CollectionRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    id: `photograph-${first + i}`,
    path: `photographs/${first + i}.jpg`,
    bytes: 100_000,
    modified: 1.7e12,
    sha256: (first + i).toString(16).padStart(64, '0'),
    object: `object-${(first + i) >> 2}`,
    title: `Title of photograph ${first + i}`,
    columns: { town: `town-${i % 100}` },
  }));
}

async function madeIndex(name: string, count: number): Promise<string> {
  const folder = join(work, name);
  if (existsSync(join(folder, 'collection.json'))) return folder;
  const model = { file: 'model-0.safetensors', sha256: '0', dimension };
  const store = EmbeddedStore.begin(folder, { name, model, describing: {}, next: 1 });
  await store.change({ records: records(count), rows: noiseRows(count, 3) });
  return folder;
}

/** In a process of its own: opens the index and searches. */
async function searchMillion(folder: string): Promise<void> {
  const opening = clock();
  const store = await EmbeddedStore.open(folder, { vectors: true, threads: 2 });
  const opened = opening();
  const times: ReturnType<typeof opening>[] = [];
  for await (const { data } of noiseRows(30, 7)) {
    for (let q = 0; q < data.length; q += dimension) {
      const elapsed = clock();
      await store.search(data.subarray(q, q + dimension), { count: 20 });
      times.push(elapsed());
    }
  }
  const of = (name: 'ms' | 'cpuMs') => times.slice(5).map((time) => time[name]);
  print({
    search: `1 in ${store.size} x ${dimension} float16`,
    cores,
    threads: 2,
    ms: rounded(median(of('ms')), 1),
    leastMs: rounded(smallest(of('ms')), 1),
    cpuMs: rounded(median(of('cpuMs')), 1),
    openMs: Math.round(opened.ms),
    peakMB: Math.round(process.resourceUsage().maxRSS / 1000),
    node: process.version,
  });
  await store.close();
}

/** One query in 100,000 x 512, ours and usearch's exactSearch on float32 in turns. */
async function againstUsearch(): Promise<void> {
  const usearch = createRequire(import.meta.url)('usearch') as Usearch;
  const count = 100_000;
  const folder = await madeIndex('hundred-thousand', count);
  const store = await EmbeddedStore.open(folder, { vectors: true, threads: 2 });
  const data = new Float32Array(count * dimension);
  let at = 0;
  for await (const rows of noiseRows(count, 3)) {
    data.set(rows.data, at);
    at += rows.data.length;
  }
  const times: Record<'ours' | 'peer', { ms: number; cpuMs: number }[]> = { ours: [], peer: [] };
  let different = 0;
  for await (const { data: queries } of noiseRows(50, 7)) {
    for (let q = 0; q < queries.length; q += dimension) {
      const query = queries.slice(q, q + dimension);
      let elapsed = clock();
      const found = await store.search(query, { count: 10 });
      times.ours.push(elapsed());
      elapsed = clock();
      const { keys } = usearch.exactSearch(data, query, dimension, 10, 'ip', 2);
      times.peer.push(elapsed());
      // Neighbours whose similarities round alike in float16 may change places at the end of the list.
      const ids = new Set([...keys].map((key) => `photograph-${key}`));
      different += found.filter(({ id }) => !ids.has(id)).length;
    }
  }
  const of = (name: 'ours' | 'peer', what: 'ms' | 'cpuMs') => median(times[name].slice(5).map((time) => time[what]));
  print({
    search: `1 in ${count} x ${dimension}`,
    threads: 2,
    ours: { ms: rounded(of('ours', 'ms'), 2), cpuMs: rounded(of('ours', 'cpuMs'), 2) },
    peer: { name: 'usearch exactSearch', ms: rounded(of('peer', 'ms'), 2), cpuMs: rounded(of('peer', 'cpuMs'), 2) },
    ratio: rounded(of('ours', 'ms') / of('peer', 'ms'), 2),
    cpuRatio: rounded(of('ours', 'cpuMs') / of('peer', 'cpuMs'), 2),
    different: `${different} of ${10 * times.ours.length}`,
  });
  await store.close();
}

async function add(): Promise<void> {
  const folder = await madeIndex('hundred-thousand', 100_000);
  const elapsed = clock();
  const store = await EmbeddedStore.open(folder);
  await store.change({ records: records(1000, 100_000), rows: noiseRows(1000, 5) });
  const { ms } = elapsed();
  await store.setThreshold(await learnThreshold(store));
  await store.close();
  const all = elapsed();
  print({
    add: '1,000 to 100,000 x 512',
    ms: Math.round(ms),
    withThresholdMs: Math.round(all.ms),
    cpuMs: Math.round(all.cpuMs),
    cores,
  });
  rmSync(folder, { recursive: true });
}

/** The folder of real photographs; undefined, with a message, where it is absent. */
function photographs(): string | undefined {
  const folder = join(process.env.RMAC_SHARED ?? resolve(import.meta.dirname, '../../../shared'), 'data');
  if (existsSync(folder)) return folder;
  print({ skipped: 'photographs and weights not found (set RMAC_SHARED)' });
  return undefined;
}

async function densenet(data: string): Promise<string> {
  const out = join(work, 'densenet121.safetensors');
  const file = join(data, 'weights/densenet121.safetensors');
  if (!existsSync(out)) await importModel({ file, arch: 'densenet121', out });
  return out;
}

async function covers(data: string, model: string): Promise<void> {
  const index = join(work, 'covers');
  const source = join(data, 'covers/manifest-references.jsonl');
  await buildIndex({ source, model, out: index, size: 256, snap: 16 });
  const { queries } = await readGroundTruth(join(data, 'covers/groundtruth.json'));
  const collection = await openCollection(index);
  for (const rerank of [undefined, 'sift'] as const) {
    let right = 0;
    let found = 0;
    let foundWithout = 0;
    const ms: number[] = [];
    const cpuMs: number[] = [];
    for (const { image, positives } of queries) {
      const elapsed = clock();
      const answer = await collection.search({ image }, { count: 100, rerank });
      const time = elapsed();
      ms.push(time.ms);
      cpuMs.push(time.cpuMs);
      if (positives.includes(answer.objects[0].results[0].item.id)) right++;
      if (answer.found) found++;
      const others = answer.objects
        .flatMap(({ results }) => results)
        .filter(({ item }) => !positives.includes(item.id));
      if (others.some(({ agreeing = 0 }) => agreeing >= surelyAgreeing)) foundWithout++;
    }
    print({
      covers: rerank ?? 'descriptor alone',
      queries: queries.length,
      precisionAt1: rounded(right / queries.length, 4),
      answered: rounded(found / queries.length, 4),
      answeredWithoutItsCover: rounded(foundWithout / queries.length, 4),
      // the first ones describe the collection's keypoints
      ms: Math.round(median(ms)),
      mostMs: Math.round(ms.slice(1).toSorted((a, b) => b - a)[0]),
      cpuMs: Math.round(median(cpuMs)),
      cores,
    });
  }
  collection.dispose();
}

/** A photograph that is asked about, and whether another one shows the same. */
interface Query {
  vector: Float32Array;
  object: string;
  isPositive: (id: string) => boolean;
  /** Its own record, where it is in the collection. */
  without?: CollectionRecord;
}

/** Photographs of an index, as queries about what shows the same object. */
async function queriesOf(index: string): Promise<Query[]> {
  const store = await EmbeddedStore.open(index, { vectors: true });
  const queries: Query[] = [];
  for (const { id, object = '' } of store.records()) {
    const { data } = await store.vectors([id]);
    queries.push({ vector: data, object, isPositive: (other) => other.startsWith(`${object}/`) });
  }
  await store.close();
  return queries;
}

/**
 * By the threshold that the collection taught: which `queries` are answered, with their object there (those whose first result is
 * right) and with it taken out, and which `strangers`, whose objects were never there.
 */
async function absent(name: string, store: EmbeddedStore, queries: readonly Query[], strangers: readonly Query[] = []) {
  const {
    presence,
    similarity = Number.POSITIVE_INFINITY,
    photographs: averaged = 1,
    how,
  } = await learnThreshold(store);
  const judged = { plain: [[], [], []] as number[][], learned: [[], [], []] as number[][] };
  const judge = async ({ vector, without }: Query, kind: number, isAnswer?: (photograph: Shown) => boolean) => {
    const ranked = (count: number) => store.search(vector, { count });
    const evidence = await evidenceOf(store, vector, { ranked, isAnswer, without });
    if (evidence === undefined) return;
    judged.plain[kind].push(averaged === 1 ? evidence.nearest : evidence.several);
    if (presence !== undefined) judged.learned[kind].push(presenceOf(evidence, presence));
  };
  for (const query of queries) {
    const [first] = (await store.search(query.vector, { count: 2 })).filter(({ id }) => id !== query.without?.id);
    if (query.isPositive(first.id)) await judge(query, 0);
    await judge(query, 1, (record) => (record.columns.group ?? record.object) !== query.object);
  }
  for (const query of strangers) await judge(query, 2);
  const figures = (kinds: number[][], threshold: number) => {
    const reaching = (all: readonly number[], limit: number) =>
      all.length === 0 ? undefined : rounded(all.filter((each) => each >= limit).length / all.length, 3);
    const [there, gone, never] = kinds;
    const limit = there.toSorted((x, y) => x - y)[Math.floor(0.05 * there.length)];
    return {
      learned: { kept: reaching(there, threshold), gone: reaching(gone, threshold), never: reaching(never, threshold) },
      at95: { gone: reaching(gone, limit), never: reaching(never, limit) },
      area: {
        gone: rounded(areaOf(there, gone), 3),
        never: never.length === 0 ? undefined : rounded(areaOf(there, never), 3),
      },
    };
  };
  print({
    absent: name,
    photographs: store.size,
    queries: judged.plain.map((each) => each.length),
    similarity: { averaged, ...figures(judged.plain, similarity) },
    probability: presence && figures(judged.learned, presence.threshold),
    how,
  });
  await store.close();
}

/** Under the ROC curve: how often what is there has more than what is not. */
function areaOf(there: readonly number[], gone: readonly number[]): number {
  let won = 0;
  for (const a of there) for (const b of gone) won += a > b ? 1 : a === b ? 0.5 : 0;
  return won / (there.length * gone.length);
}

/** Other photographs of products that are there, and photographs of eight that never were: the label is the truth. */
async function products(data: string, model: string): Promise<void> {
  const folder = join(data, 'products');
  const size = { model, size: 256, snap: 32 };
  const index = (name: string) => join(work, `products-${name}`);
  await buildIndex({ ...size, source: join(folder, 'manifest-train.jsonl'), out: index('there') });
  await buildIndex({ ...size, source: join(folder, 'manifest-val.jsonl'), out: index('queries') });
  const { database } = await readGroundTruth(join(folder, 'groundtruth-unseen.json'));
  const strangers = join(work, 'products-never.txt');
  writeFileSync(strangers, database.map(({ image }) => `${image}\n`).join(''));
  await buildIndex({ ...size, source: strangers, out: index('never') });
  const store = await EmbeddedStore.open(index('there'), { vectors: true });
  await absent('products', store, await queriesOf(index('queries')), await queriesOf(index('never')));
}

/** Photographs as a text search gives them; the ground truth says which show the query's view. */
async function landmarks(data: string, model: string): Promise<void> {
  const index = join(work, 'landmarks');
  await buildIndex({ source: join(data, 'landmarks/manifest-noisy.jsonl'), model, out: index, size: 320, snap: 32 });
  const truth = await readGroundTruth(join(data, 'groundtruth-unseen.json'));
  const store = await EmbeddedStore.open(index, { vectors: true });
  const queries: Query[] = [];
  for (const { id, positives } of truth.queries) {
    const without = store.record(id);
    if (without === undefined) continue;
    const { data: vector } = await store.vectors([id]);
    const object = without.columns.group ?? without.object!;
    queries.push({ vector, object, isPositive: (other) => positives.includes(other), without });
  }
  await absent('landmarks', store, queries);
}

try {
  for (const part of parts) {
    if (part === 'search') {
      await againstUsearch();
      const folder = await madeIndex('million', 1_000_000);
      const script = resolve(process.argv[1]);
      const child = [...process.execArgv, script, 'million', '--work', dirname(folder)];
      spawnSync(process.execPath, child, { stdio: 'inherit' });
    } else if (part === 'million') await searchMillion(join(work, 'million'));
    else if (part === 'add') await add();
    else {
      const data = photographs();
      if (data === undefined) continue;
      const model = values.model ?? (await densenet(data));
      if (part === 'covers') await covers(data, model);
      if (part === 'products') await products(data, model);
      if (part === 'landmarks') await landmarks(data, model);
    }
  }
} finally {
  rmSync(temporary, { recursive: true });
}
