/** @file A collection opened for queries: which of its photographs show what a photograph shows. */
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { firstNeighbours } from '../collection/evidence.js';
import { expandedQuery } from '../collection/expanded-query.js';
import { photographPath, readHead, stateOf } from '../collection/index-folder.js';
import { CollectionFeatures, surelyAgreeing } from '../collection/keypoint-look.js';
import { CollectionMaps } from '../collection/map-look.js';
import { openStore } from '../collection/open-store.js';
import { judge, type Judgement } from '../collection/judgement.js';
import type { LookedForQuery, LookInside } from '../collection/second-look.js';
import { bestOfTurns, type Turn, type TurnCount, turnedBy } from '../collection/turned-query.js';
import type { CollectionStore, ColumnFilter } from '../collection/vector-store.js';
import { groupBy } from '../data/group-by.js';
import { cropInside, decodeImage, type ImageSizing } from '../data/images.js';
import type { Box } from '../data/manifest.js';
import { uprightSize } from '../data/upright-size.js';
import { InputError, QueryError, UsageError } from '../errors.js';
import { descriptorOf, sizingFor } from '../retrieval/describe.js';
import { cropSizing } from '../retrieval/query-crop.js';
import { type CollectionInfo, type CollectionItem, columnValues, infoOf, itemOf } from './collection-info.js';
import { type StageContext } from './context.js';
import { assertModel } from './index-update.js';
import { type EngineChoice, openDescriber, type OpenedModel, openEngine } from './open-model.js';

/** A photograph that is asked about. */
export interface SearchQuery {
  /** A file, or an encoded image. */
  image: string | Uint8Array;
  /** The part that matters, px of the upright image. */
  box?: Box;
  /** It may lie on its side (4) or upside down (2): the best of so many turns counts, each of which is described. Default 1. */
  turns?: TurnCount;
}

/** How much is looked for, and where. */
export interface SearchOptions {
  /** Photographs that are found at most. Default 20. */
  count?: number;
  /** Only photographs that have one of these values in each of these columns. */
  where?: ColumnFilter;
  /** `aqe:K` or `alpha:A:K` (docs/search.md). */
  queryExpansion?: string;
  /** A second look at the best: `sift` counts keypoints that agree, `aml` looks for the query inside them. */
  rerank?: 'aml' | 'sift';
  signal?: AbortSignal;
}

/** A photograph that was found. */
export interface SearchResult {
  item: CollectionItem;
  /** Dot product of the descriptors, at most 1. */
  similarity: number;
  /** Of the query, clockwise, where several were tried: at which it is that similar. */
  turn?: Turn;
  /** Keypoints on one affine map, where they were counted. */
  agreeing?: number;
  /** What was matched in both, px of the upright photographs. */
  regions?: { query: Box; item: Box };
}

/** The photographs of one object, best first. Photographs of which nobody says what they show are alone. */
export interface FoundObject {
  object: string | undefined;
  results: SearchResult[];
}

/** What a collection has of a query. */
export interface SearchAnswer extends Judgement {
  /** Of the upright query, px. */
  size: { width: number; height: number };
  /** By their best photograph, best first. */
  objects: FoundObject[];
  ms: { describe: number; search: number; verify?: number };
}

/** A collection opened for queries: model and vectors are loaded once. Queries that are no photographs are a QueryError. */
export interface OpenedCollection {
  readonly info: CollectionInfo;
  /** Undefined for an id that is not there. */
  item(id: string): CollectionItem | undefined;
  /** All ids, in order. */
  ids(): string[];
  /** The nearest photographs to a query. @throws QueryError for what is no photograph, or a box outside of it; what `signal` was aborted with. */
  search(query: SearchQuery, options?: SearchOptions): Promise<SearchAnswer>;
  /** What is like a photograph of the collection, itself left out. @throws QueryError for an id that is not there. */
  similar(id: string, options?: SearchOptions): Promise<SearchAnswer>;
  /** Distinct values of a column, sorted, at most 1,000. */
  values(column: string): string[];
  /** Reads the collection where it is another on disk by now: true. Queries meanwhile are answered from the earlier one. */
  reload(): Promise<boolean>;
  /** Frees model and vectors; no query is answered any more. */
  dispose(): void;
}

/** Where queries are computed. */
export interface OpenCollectionOptions extends EngineChoice {
  /** Refused where it is not the model of the index. Default: the copy that the index has. */
  model?: string;
}

const defaultCount = 20;

/** Opens the index in `directory`. @throws InputError where there is none, or it is damaged or another model's. */
export async function openCollection(
  directory: string,
  options: OpenCollectionOptions = {},
  { view }: StageContext = {},
): Promise<OpenedCollection> {
  const store = await openStore(directory, { vectors: true, threads: options.threads });
  try {
    await assertModel(directory, store.head, options.model);
    await openEngine(options);
    const { model, describing } = store.head;
    return new Collection(
      directory,
      store,
      await openDescriber(join(directory, model.file), describing, view),
      options,
    );
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** A query at one of its turns. */
interface TurnedVector {
  turn: Turn;
  vector: Float32Array;
}

class Collection implements OpenedCollection {
  #features: CollectionFeatures | undefined;
  #maps: CollectionMaps | undefined;
  /** That have begun and not ended. */
  readonly #answers = new Set<Promise<SearchAnswer>>();

  constructor(
    private readonly folder: string,
    private store: CollectionStore,
    private readonly opened: OpenedModel,
    private readonly options: OpenCollectionOptions,
  ) {}

  get info(): CollectionInfo {
    return infoOf(this.folder, this.store);
  }

  item(id: string): CollectionItem | undefined {
    const record = this.store.record(id);
    return record && itemOf(this.folder, record);
  }

  ids(): string[] {
    return this.store.ids();
  }

  search(query: SearchQuery, options: SearchOptions = {}): Promise<SearchAnswer> {
    return this.#answering(this.#search(this.store, query, options));
  }

  similar(id: string, options: SearchOptions = {}): Promise<SearchAnswer> {
    return this.#answering(this.#similar(this.store, id, options));
  }

  async #answering(answer: Promise<SearchAnswer>): Promise<SearchAnswer> {
    this.#answers.add(answer);
    try {
      return await answer;
    } finally {
      this.#answers.delete(answer);
    }
  }

  async #search(
    store: CollectionStore,
    { image, box, turns = 1 }: SearchQuery,
    options: SearchOptions,
  ): Promise<SearchAnswer> {
    if (turns > 1 && options.rerank === 'aml') {
      throw new UsageError('Turns of a query go with keypoints or alone: aml looks for it as it is.');
    }
    const startedAt = performance.now();
    const { size, part, pixels } = await ofQuery(async () => {
      const whole = await uprightSize(image);
      const clipped = box && clippedBox(box, whole);
      const sizing = clipped === undefined ? this.#sizing : await cropSizing(image, clipped, this.#sizing);
      return { size: whole, part: clipped, pixels: await decodeImage(image, { sizing, crop: clipped }) };
    });
    options.signal?.throwIfAborted();
    const queries: TurnedVector[] = [];
    for (const { turn, image: turned } of turnedBy(pixels, turns)) {
      queries.push({ turn, vector: await descriptorOf((images) => this.opened.describer.describe(images), turned) });
      options.signal?.throwIfAborted();
    }
    return this.#answer(store, { image, box: part }, queries, size, performance.now() - startedAt, options);
  }

  async #similar(store: CollectionStore, id: string, options: SearchOptions): Promise<SearchAnswer> {
    const record = store.record(id);
    if (record === undefined) throw new QueryError(`The collection has no photograph "${id}".`);
    const startedAt = performance.now();
    const image = photographPath(this.folder, record.path);
    const size = await uprightSize(image);
    const { data } = await store.vectors([id]);
    return this.#answer(
      store,
      { image },
      [{ turn: 0, vector: data }],
      size,
      performance.now() - startedAt,
      options,
      id,
    );
  }

  values(column: string): string[] {
    return columnValues(this.store, column);
  }

  async reload(): Promise<boolean> {
    const head = await readHead(this.folder);
    const current = this.store.head;
    if (stateOf(head) === stateOf(current) && isDeepStrictEqual(head.threshold, current.threshold)) return false;
    if (head.model.sha256 !== current.model.sha256) {
      throw new InputError(`${this.folder} is an index of another model by now; open it again.`);
    }
    const earlier = this.store;
    this.store = await openStore(this.folder, { vectors: true, threads: this.options.threads });
    await Promise.allSettled(this.#answers); // those that have begun have the earlier one
    await earlier.close();
    return true;
  }

  dispose(): void {
    this.opened.dispose();
    void this.store.close();
  }

  get #sizing(): ImageSizing {
    return sizingFor(this.opened.model.meta, this.store.head.describing);
  }

  /** `without`: a photograph that is no answer. */
  async #answer(
    store: CollectionStore,
    image: LookedForQuery,
    queries: readonly TurnedVector[],
    size: SearchAnswer['size'],
    describe: number,
    { count = defaultCount, where, queryExpansion, rerank, signal }: SearchOptions,
    without?: string,
  ): Promise<SearchAnswer> {
    let startedAt = performance.now();
    const nearest = async (vector: Float32Array, wanted: number) =>
      (await store.search(vector, { count: wanted + 1, where, signal }))
        .filter(({ id }) => id !== without)
        .slice(0, wanted);
    const depth = Math.max(count, rerank === undefined ? firstNeighbours : lookDepth(rerank, store.size));
    const byTurn = [];
    for (const { turn, vector } of queries) {
      const expanded =
        queryExpansion === undefined ? vector : await expandedQuery(store, vector, queryExpansion, nearest);
      byTurn.push({ turn, expanded, neighbours: await nearest(expanded, depth) });
    }
    const several = queries.length > 1;
    const neighbours = bestOfTurns(byTurn).slice(0, depth);
    let results = neighbours.map(
      ({ id, similarity, turn }): SearchResult => ({
        item: itemOf(this.folder, store.record(id)!),
        similarity,
        ...(several && { turn }),
      }),
    );
    const { head } = store;
    const asked = byTurn.find(({ turn }) => turn === neighbours.at(0)?.turn) ?? byTurn[0];
    const answers = {
      ranked: async (wanted: number) => (wanted <= depth ? asked.neighbours : nearest(asked.expanded, wanted)),
      without: without === undefined ? undefined : { id: without },
    };
    const judged = await judge(store, asked.expanded, answers, head.threshold);
    const ms: SearchAnswer['ms'] = { describe, search: performance.now() - startedAt };
    if (rerank !== undefined) {
      startedAt = performance.now();
      results = await lookedInto(store, results, await this.#lookFor(rerank, image), signal);
      ms.verify = performance.now() - startedAt;
    }
    // Keypoints that agree are surer than any similarity; where few do, it may be a thing that has few.
    if (rerank === 'sift') judged.found = (results.at(0)?.agreeing ?? 0) >= surelyAgreeing || judged.found === true;
    return { ...judged, size, objects: byObject(results.slice(0, count)), ms };
  }

  #lookFor(rerank: 'aml' | 'sift', image: LookedForQuery): Promise<LookInside> {
    if (rerank === 'sift') {
      this.#features ??= new CollectionFeatures(this.folder);
      return this.#features.lookFor(image);
    }
    this.#maps ??= new CollectionMaps(this.folder, this.opened.model, this.#sizing);
    return this.#maps.lookFor(image);
  }
}

/** Best scores first; photographs in which nothing was found, or that cannot be read any more, follow as they were. */
async function lookedInto(
  store: CollectionStore,
  results: SearchResult[],
  look: LookInside,
  signal?: AbortSignal,
): Promise<SearchResult[]> {
  const looked: { result: SearchResult; score: number }[] = [];
  for (const result of results) {
    await setImmediate(); // others have their turn
    signal?.throwIfAborted();
    const record = store.record(result.item.id);
    const { score, ...seen } = (record && (await look(record).catch(unreadable))) ?? { score: 0 };
    looked.push({ result: { ...result, ...seen }, score });
  }
  return looked.toSorted((a, b) => b.score - a.score).map(({ result }) => result);
}

/** How many of the nearest are looked into: with keypoints all of a small collection, which descriptors may not know to tell apart. */
function lookDepth(rerank: 'aml' | 'sift', size: number): number {
  if (rerank === 'aml') return 50;
  return size <= 300 ? size : 100;
}

function unreadable(error: unknown): undefined {
  if (!(error instanceof InputError)) throw error;
  return undefined;
}

/** What `work` makes of a query; what is wrong with it is a `QueryError`. */
async function ofQuery<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof InputError ? new QueryError(error.message) : error;
  }
}

function clippedBox(box: Box, size: SearchAnswer['size']): Box {
  const { left: x, top: y, width, height } = cropInside(box, size, 'query');
  return { x, y, width, height };
}

function byObject(results: readonly SearchResult[]): FoundObject[] {
  const groups = groupBy(results, ({ item }) => item.object ?? item);
  return [...groups.values()].map((group) => ({ object: group[0].item.object, results: group }));
}
