/** @file The collection in a thread of its own, as this thread asks it. */
import { type Remote, transfer, wrap } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { openWorker } from '../backend/open-worker.js';
import '../data/raster-loaders.js'; // in this thread first: its loaders and its memory are those of all
import { InputError, messageOf, QueryError, UsageError } from '../errors.js';
import type { OpenCollectionOptions } from '../stages/search.js';
import type { CollectionService } from './collection-service.js';
import type { ServiceWorker } from './service-worker.js';
import { untilFailed } from './until-failed.js';

export interface ServiceThread extends CollectionService {
  /** Rejects where the thread ends on its own. */
  readonly failed: Promise<never>;
  /** Ends the thread, whatever it does. */
  close(): Promise<void>;
}

/** Opens a collection in a thread. @throws what `openCollection` throws. */
export async function openServiceThread(directory: string, options: OpenCollectionOptions): Promise<ServiceThread> {
  const worker = openWorker(import.meta.url, './service-worker.js', undefined);
  const remote: Remote<ServiceWorker> = wrap<ServiceWorker>(nodeEndpoint(worker));
  const failed = new Promise<never>((_, reject) => {
    worker.once('error', (error) => reject(error));
    worker.once('exit', (code) => reject(new Error(`the thread of the collection ended with code ${code}`)));
  });
  const wait = untilFailed(failed);
  // Comlink leaves a question without an answer where the thread has gone.
  const answer = async <T>(question: Promise<T>): Promise<T> => {
    try {
      return await wait(question);
    } catch (error) {
      throw sameError(error);
    }
  };
  let asked = 0;
  const stoppable = async <T>(signal: AbortSignal, ask: (number: number) => Promise<T>): Promise<T> => {
    const number = asked++;
    const stop = () => void remote.stop(number);
    signal.addEventListener('abort', stop);
    try {
      return await answer(ask(number));
    } finally {
      signal.removeEventListener('abort', stop);
    }
  };
  const thread: ServiceThread = {
    failed,
    about: () => answer(remote.about()),
    item: (id) => answer(remote.item(id)),
    photograph: (id) => answer(remote.photograph(id)),
    search: (query, terms, signal) => stoppable(signal, (number) => remote.search(number, withoutCopy(query), terms)),
    similar: (id, terms, signal) => stoppable(signal, (number) => remote.similar(number, id, terms)),
    reload: () => answer(remote.reload()),
    async close() {
      await worker.terminate();
    },
  };
  try {
    await answer(remote.open(directory, options));
    return thread;
  } catch (error) {
    await thread.close();
    throw error;
  }
}

/** Gives the bytes of an image to the other thread. */
function withoutCopy<T extends { image: string | Uint8Array }>(query: T): T {
  const { image } = query;
  const whole = typeof image !== 'string' && image.byteLength === image.buffer.byteLength;
  return whole ? transfer(query, [image.buffer as ArrayBuffer]) : query;
}

/** Threads pass on an error's name and message, not its class. */
function sameError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (error.name === 'QueryError') return new QueryError(messageOf(error));
  if (error.name === 'InputError') return new InputError(messageOf(error));
  if (error.name === 'UsageError') return new UsageError(messageOf(error));
  return error;
}
