/** @file The thread of the service that holds model and vectors, so that the other one answers while it describes. */
import { parentPort } from 'node:worker_threads';
import { expose } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { openCollection, type OpenCollectionOptions, type SearchQuery } from '../stages/search.js';
import { type CollectionService, collectionService, type SearchTerms } from './collection-service.js';

let service: CollectionService;
const running = new Map<number, AbortController>();

/** Work that `stop` ends by its number: a signal does not cross threads. */
async function stoppable<T>(number: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  running.set(number, controller);
  try {
    return await work(controller.signal);
  } finally {
    running.delete(number);
  }
}

const remote = {
  async open(directory: string, options: OpenCollectionOptions): Promise<void> {
    service = collectionService(await openCollection(directory, options));
  },
  about: () => service.about(),
  item: (id: string) => service.item(id),
  photograph: (id: string) => service.photograph(id),
  search: (number: number, query: SearchQuery, terms: SearchTerms) =>
    stoppable(number, (signal) => service.search(query, terms, signal)),
  similar: (number: number, id: string, terms: SearchTerms) =>
    stoppable(number, (signal) => service.similar(id, terms, signal)),
  stop: (number: number) => running.get(number)?.abort(),
  reload: () => service.reload(),
};

/** What the other thread may call. */
export type ServiceWorker = typeof remote;

if (parentPort !== null) expose(remote, nodeEndpoint(parentPort));
