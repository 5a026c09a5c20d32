/** @file A collection as the service asks it. Every answer is plain data, so that it may come from another thread. */
import { oneAtATime } from '../data/one-at-a-time.js';
import { uprightSize } from '../data/upright-size.js';
import { InputError } from '../errors.js';
import type { CollectionItem } from '../stages/collection-info.js';
import type { OpenedCollection, SearchAnswer, SearchOptions, SearchQuery, SearchResult } from '../stages/search.js';
import type { CollectionReply, ItemReply, ResultReply, SearchReply } from './replies.js';

/** What a request may ask of a search. */
export type SearchTerms = Omit<SearchOptions, 'signal'>;

/** Searches run one after the other; a promise settles when its search has ended, also where `signal` ended it. */
export interface CollectionService {
  /** Name, size and filters. */
  about(): Promise<CollectionReply>;
  item(id: string): Promise<ItemReply | undefined>;
  /** The file of a photograph, to make pictures of; no answer has it. */
  photograph(id: string): Promise<string | undefined>;
  search(query: SearchQuery, terms: SearchTerms, signal: AbortSignal): Promise<SearchReply>;
  /** As `search` with a photograph of the collection. @throws QueryError where it has none with this id. */
  similar(id: string, terms: SearchTerms, signal: AbortSignal): Promise<SearchReply>;
  /** Reads the collection anew where it has changed on disk; whether it had. */
  reload(): Promise<boolean>;
}

/** The service of a collection opened in this thread. */
export function collectionService(collection: OpenedCollection): CollectionService {
  const inTurn = oneAtATime();
  let about: CollectionReply | undefined;
  const ask = (signal: AbortSignal, work: () => Promise<SearchAnswer>) =>
    inTurn(async () => {
      signal.throwIfAborted();
      return toSearchReply(await work());
    });
  return {
    about: async () => (about ??= toCollectionReply(collection)),
    item: async (id) => {
      const item = collection.item(id);
      return item && toItemReply(item);
    },
    photograph: async (id) => collection.item(id)?.path,
    search: (query, terms, signal) => ask(signal, () => collection.search(query, { ...terms, signal })),
    similar: (id, terms, signal) => ask(signal, () => collection.similar(id, { ...terms, signal })),
    reload: () =>
      inTurn(async () => {
        const changed = await collection.reload();
        if (changed) about = undefined;
        return changed;
      }),
  };
}

/** What a page is told of a collection. */
export function toCollectionReply(collection: Pick<OpenedCollection, 'info' | 'values'>): CollectionReply {
  const { name, photographs, threshold, thresholdPhotographs, columns } = collection.info;
  return {
    name,
    photographs,
    threshold: threshold ?? null,
    thresholdPhotographs,
    columns: ['object', 'rights', ...columns]
      .map((column) => ({ name: column, values: collection.values(column) }))
      .filter(({ values }) => values.length > 0),
  };
}

/** What is told of a photograph; its file is not. */
export function toItemReply({ id, object, title, rights, link, accession, columns }: CollectionItem): ItemReply {
  const address = `items/${encodeURIComponent(id)}`;
  return {
    id,
    object,
    title,
    rights,
    // A table may come from strangers, and a link of javascript: would run in the reader's page.
    link: link !== undefined && /^https?:\/\//i.test(link) && URL.canParse(link) ? link : undefined,
    accession,
    columns,
    image: `${address}/image`,
    thumbnail: `${address}/thumbnail`,
  };
}

async function toSearchReply({ found, evidence, threshold, size, objects, ms }: SearchAnswer): Promise<SearchReply> {
  const reply: SearchReply = {
    found: found ?? null,
    evidence: evidence ?? null,
    threshold: threshold ?? null,
    size,
    objects: [],
    ms,
  };
  for (const { object, results } of objects) {
    const of: ResultReply[] = [];
    for (const result of results) of.push(await toResultReply(result)); // one file at a time
    reply.objects.push({ object: object ?? null, results: of });
  }
  return reply;
}

/** Nothing can be drawn on a photograph that cannot be read any more. */
function gone(error: unknown): undefined {
  if (!(error instanceof InputError)) throw error;
  return undefined;
}

async function toResultReply({ item, similarity, agreeing, regions }: SearchResult): Promise<ResultReply> {
  const itemSize = regions && (await uprightSize(item.path).catch(gone));
  return {
    ...toItemReply(item),
    similarity,
    agreeing,
    regions: regions && itemSize && { ...regions, itemSize },
  };
}
