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
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { CollectionRecord } from '../../src/collection/collection-record.js';
import { EmbeddedStore } from '../../src/collection/embedded-store.js';
import { meanOfFirst, objectSimilarities } from '../../src/collection/evidence.js';
import { surelyAgreeing } from '../../src/collection/keypoint-look.js';
import { learnThreshold } from '../../src/collection/learn-threshold.js';
import type { StoredNeighbour } from '../../src/collection/vector-store.js';
import { smallest } from '../../src/extremes.js';
import { evenly } from '../../src/data/evenly.js';
import { readManifest } from '../../src/data/manifest.js';
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

interface Query {
  id: string;
  /** Whether a photograph shows the same. */
  isPositive: (id: string) => boolean;
}

/** A query about what is there stands beside its positives, one about what is not there finds everything of its label taken out. */
async function absent(name: string, index: string, queries: readonly Query[]): Promise<void> {
  const store = await EmbeddedStore.open(index, { vectors: true });
  const { similarity = Number.POSITIVE_INFINITY, photographs: asked = 1, how } = await learnThreshold(store);
  const labelOf = (id: string) => store.record(id)?.columns.group ?? store.record(id)?.object;
  const present: number[] = [];
  const others: number[] = [];
  for (const { id, isPositive } of queries) {
    const { data } = await store.vectors([id]);
    const found = (await store.search(data, { count: store.size })).filter((each) => each.id !== id);
    const other = found.find((each) => labelOf(each.id) !== labelOf(id));
    const evidence = async (nearest: StoredNeighbour) =>
      meanOfFirst(await objectSimilarities(store, data, nearest, store.record(id)), asked);
    if (isPositive(found[0].id)) present.push(await evidence(found[0]));
    if (other !== undefined) others.push(await evidence(other));
  }
  const reaching = (similarities: readonly number[], limit: number) =>
    rounded(similarities.filter((each) => each >= limit).length / similarities.length, 3);
  const limit = present.toSorted((a, b) => a - b)[Math.floor(0.05 * present.length)];
  print({
    absent: name,
    photographs: store.size,
    queries: [present.length, others.length],
    asked,
    learned: { kept: reaching(present, similarity), answered: reaching(others, similarity) },
    at95: { kept: reaching(present, limit), answered: reaching(others, limit) },
    how,
  });
  await store.close();
}

/** Photographs of products; the label is the truth. */
async function products(data: string, model: string): Promise<void> {
  const index = join(work, 'products');
  const source = join(data, 'products/manifest-train.jsonl');
  await buildIndex({ source, model, out: index, size: 224, snap: 16 });
  const labels = new Map((await readManifest(source)).map(({ id, landmark }) => [id, landmark]));
  const queries = evenly([...labels.keys()], 400).map((id) => ({
    id,
    isPositive: (other: string) => labels.get(other) === labels.get(id),
  }));
  await absent('products', index, queries);
}

/** Photographs as a text search gives them; the ground truth says which show the query's view. */
async function landmarks(data: string, model: string): Promise<void> {
  const index = join(work, 'landmarks');
  await buildIndex({ source: join(data, 'landmarks/manifest-noisy.jsonl'), model, out: index, size: 320, snap: 32 });
  const { queries } = await readGroundTruth(join(data, 'groundtruth-unseen.json'));
  const collection = await EmbeddedStore.open(index);
  const known = queries.filter(({ id }) => collection.record(id) !== undefined);
  await collection.close();
  const asked = known.map(({ id, positives }) => ({ id, isPositive: (other: string) => positives.includes(other) }));
  await absent('landmarks', index, asked);
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
