/** @file The service as the page asks it where there is none: answers from the files beside the page, and no photograph leaves it. */
import { firstNeighbours, fromHalf, judge } from './library.js';
import { nearest, rowOf } from './rows.js';

/** @typedef {import('../../replies.js').ItemReply} ItemReply */
/** @typedef {import('../../replies.js').SearchReply} SearchReply */
/** @typedef {import('./library.js').Learned} Learned */
/** @typedef {import('../../replies.js').CollectionReply & { dimension: number, vectors: { type: 'int8' | 'float16' }, learned: Learned }} Head */
/** @typedef {{ descriptor: Float32Array, size: { width: number, height: number }, ms: Record<string, number> }} Described ms: of its steps */

/** What collection.json has to say of itself. */
const format = 'rmac site, version 3';

/** What cannot be answered, in words for the reader. */
export class Refusal extends Error {
  status = 400;
}

const here = (/** @type {string} */ path) => new URL(path, import.meta.url).href;

/** @param {string} path */
async function load(path) {
  const response = await fetch(here(path)).catch(() => undefined);
  if (response?.ok !== true) throw new Refusal(`The file ${path} of this site cannot be reached: open the page again.`);
  return response;
}

/** @returns {Promise<Head>} */
async function loadHead() {
  const read = await (await load('collection.json')).json().catch(() => undefined);
  if (read?.format === format) return read;
  throw new Refusal('The files of this site are not of one version: open the page again. If it says the same, the site has to be copied anew.');
}

/**
 * @param {Head} head
 * @returns {Promise<import('./rows.js').Rows>}
 */
async function loadRows({ photographs, dimension, vectors: { type } }) {
  const bytes = async (/** @type {string} */ path, /** @type {number} */ each) => {
    const buffer = await (await load(path)).arrayBuffer();
    if (buffer.byteLength === each * photographs) return buffer;
    throw new Refusal(`The file ${path} of this site is not whole: it has to be copied anew.`);
  };
  if (type === 'float16') return { dimension, values: fromHalf(new Uint16Array(await bytes('vectors.f16', 2 * dimension))) };
  const [values, scales] = await Promise.all([bytes('vectors.i8', dimension), bytes('scales.f32', 4)]);
  return { dimension, values: new Int8Array(values), scales: new Float32Array(scales) };
}

/** @returns {Promise<import('./library.js').ComparedPhotographs>} */
async function comparedPhotographs() {
  const [all, table] = await Promise.all([items, rows]);
  const rowById = new Map(all.map(({ id }, row) => [id, row]));
  const rowOfId = (/** @type {string} */ id) => rowById.get(id) ?? Number.NaN;
  return {
    record: (id) => all[rowOfId(id)],
    having: (_, object) => all.flatMap((item) => (item.object === object ? [item.id] : [])),
    vectors: async (ids) => {
      const { dimension } = table;
      const data = new Float32Array(ids.length * dimension);
      for (const [i, id] of ids.entries()) data.set(rowOf(table, rowOfId(id)), i * dimension);
      return { dimension, data };
    },
  };
}

const head = loadHead();
const items = /** @type {Promise<ItemReply[]>} */ (load('items.json').then((response) => response.json()));
const rows = head.then(loadRows);
const compared = comparedPhotographs();
for (const each of [head, items, rows, compared]) each.catch(() => undefined); // told to whoever asks

// A worker of an address has its own policy, which a static host does not send; one of a blob has the page's.
const start = URL.createObjectURL(new Blob([`import ${JSON.stringify(here('describe-worker.js'))};`], { type: 'text/javascript' }));
const worker = new Worker(start, { type: 'module' });
/** @type {Promise<never>} */
const failed = new Promise((_, reject) => {
  worker.addEventListener('error', () => reject(new Refusal('This browser cannot run the model of this site.')));
});
failed.catch(() => undefined);
let questions = 0;
/** @type {Promise<unknown>} One photograph after the other; what nobody waits for any more is passed over. */
let turn = Promise.resolve();

/**
 * @param {Blob} photograph
 * @param {{ x: number, y: number, width: number, height: number } | undefined} box px
 * @param {AbortSignal | null} [signal]
 * @returns {Promise<Described>}
 */
function describe(photograph, box, signal) {
  const described = turn.then(() => {
    signal?.throwIfAborted();
    const number = ++questions;
    /** @type {Promise<Described>} */
    const answer = new Promise((resolve, reject) => {
      const listening = new AbortController();
      const hear = (/** @type {MessageEvent<Described & { number: number, error?: string }>} */ { data }) => {
        if (data.number !== number) return;
        listening.abort();
        if (data.error === undefined) resolve(data);
        else reject(new Refusal(data.error));
      };
      worker.addEventListener('message', hear, { signal: listening.signal });
      worker.postMessage({ number, photograph, box });
    });
    return Promise.race([answer, failed]);
  });
  turn = described.catch(() => undefined);
  return described;
}

/**
 * @param {ItemReply} item
 * @param {string} column
 */
function valueOf(item, column) {
  if (column === 'object' || column === 'rights') return item[column];
  return Object.hasOwn(item.columns, column) ? item.columns[column] : undefined;
}

/**
 * @param {Described} query
 * @param {URLSearchParams} terms
 * @param {number} [without] a row that is no answer
 * @returns {Promise<SearchReply>}
 */
async function search({ descriptor, size, ms }, terms, without) {
  const startedAt = performance.now();
  const [{ learned }, all, table, photographs] = await Promise.all([head, items, rows, compared]);
  const filters = terms.getAll('where').map((text) => /** @type {const} */ ([text.split('=', 1)[0], text.slice(text.indexOf('=') + 1)]));
  const isAnswer = (/** @type {number} */ row) =>
    row !== without && filters.every(([column, value]) => valueOf(all[row], column) === value);
  const count = Number(terms.get('k') ?? 24);
  const depth = Math.max(count, firstNeighbours);
  const ranked = nearest(table, descriptor, depth, isAnswer);
  /** @type {Map<unknown, SearchReply['objects'][number]>} */
  const objects = new Map();
  for (const { row, similarity } of ranked.slice(0, count)) {
    const item = all[row];
    const group = objects.get(item.object ?? item) ?? { object: item.object ?? null, results: [] };
    group.results.push({ ...item, similarity });
    objects.set(item.object ?? item, group);
  }
  const answers = {
    ranked: async (/** @type {number} */ wanted) => {
      const found = wanted <= depth ? ranked : nearest(table, descriptor, wanted, isAnswer);
      return found.map(({ row, similarity }) => ({ id: all[row].id, similarity }));
    },
    without: without === undefined ? undefined : { id: all[without].id },
  };
  const judged = await judge(photographs, descriptor, answers, learned);
  return {
    found: judged.found ?? null,
    evidence: judged.evidence ?? null,
    threshold: judged.threshold ?? null,
    size,
    objects: [...objects.values()],
    ms: { describe: Object.values(ms).reduce((sum, of) => sum + of, 0), search: performance.now() - startedAt },
  };
}

/** @param {string} id */
async function rowNamed(id) {
  const row = (await items).findIndex((item) => item.id === id);
  if (row === -1) throw new Refusal(`The collection has no "${id.slice(0, 100)}".`);
  return row;
}

/**
 * What the service answers at an address.
 * @param {string} address
 * @param {RequestInit} [request]
 * @returns {Promise<unknown>}
 */
export async function ask(address, { body, signal } = {}) {
  const [path, terms = ''] = address.split('?', 2);
  const [kind, id = ''] = path.split('/', 2);
  const about = await head;
  if (kind === 'collection') return about;
  if (kind === 'items') return (await items)[await rowNamed(decodeURIComponent(id))];
  if (kind === 'similar') {
    const row = await rowNamed(decodeURIComponent(id));
    return search({ descriptor: rowOf(await rows, row), size: { width: 0, height: 0 }, ms: {} }, new URLSearchParams(terms), row);
  }
  const form = /** @type {FormData} */ (body);
  const text = form.get('box');
  const [x, y, width, height] = typeof text === 'string' ? text.split(',').map(Number) : [];
  const box = text === null ? undefined : { x, y, width, height };
  const described = await describe(/** @type {Blob} */ (form.get('image')), box, signal);
  const texts = [...form].flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : []));
  return search(described, new URLSearchParams(texts));
}
