/** @file Decoding and describing images on all cores. */
import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { InputError } from '../../errors.js';
import type { DescribeImageOptions, ImageDescription } from './describe-image.js';
import '../../data/raster-loaders.js'; // in this thread first: its loaders and its memory are those of all
import { openWorker } from '../../backend/open-worker.js';
import type { DescribeAnswer, DescribeRequest } from './describe-worker.js';

interface Waiting {
  resolve: (answer: DescribeAnswer) => void;
  reject: (error: Error) => void;
}

interface Thread {
  worker: Worker;
  /** Requests in its hands. */
  waiting: Map<number, Waiting>;
}

/** Threads that describe images; `close` ends them. They start with the first image. */
export class DescribeWorkers {
  /** Threads. */
  readonly count: number;
  readonly #options: DescribeImageOptions;
  readonly #threads: Thread[] = [];
  #requests = 0;
  #failure: Error | undefined;

  constructor(options: DescribeImageOptions = {}, count: number = availableParallelism()) {
    this.#options = options;
    this.count = count;
  }

  /** @throws InputError where the image cannot be used; what the system refused, as `decodeImage`; Error where a thread died. */
  async describe(path: string): Promise<ImageDescription> {
    if (this.#failure !== undefined) throw this.#failure;
    const idle = this.#threads.find(({ waiting }) => waiting.size === 0);
    const thread = idle ?? (this.#threads.length < this.count ? this.#start() : this.#leastBusy());
    const answer = await new Promise<DescribeAnswer>((resolve, reject) => {
      const request = this.#requests++;
      thread.waiting.set(request, { resolve, reject });
      thread.worker.postMessage({ request, path } satisfies DescribeRequest);
    });
    if ('description' in answer) return answer.description;
    throw answer.ofInput ? new InputError(answer.error) : Object.assign(new Error(answer.error), answer.system);
  }

  /** Ends the threads; what is in their hands fails. */
  async close(): Promise<void> {
    this.#failure ??= new Error('The threads that describe images were closed.');
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }

  #leastBusy(): Thread {
    return this.#threads.reduce((least, thread) => (thread.waiting.size < least.waiting.size ? thread : least));
  }

  #start(): Thread {
    const worker = openWorker(import.meta.url, './describe-worker.js', this.#options);
    const thread: Thread = { worker, waiting: new Map() };
    const fail = (error: Error) => {
      this.#failure ??= error;
      for (const { reject } of thread.waiting.values()) reject(error);
      thread.waiting.clear();
    };
    worker.on('message', (answer: DescribeAnswer) => {
      thread.waiting.get(answer.request)?.resolve(answer);
      thread.waiting.delete(answer.request);
    });
    worker.on('error', fail);
    worker.on('messageerror', fail);
    worker.on('exit', (code) => fail(new Error(`A thread that describes images ended with code ${code}.`)));
    this.#threads.push(thread);
    return thread;
  }
}
