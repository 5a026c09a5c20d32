/** @file Serves a collection: searches by HTTP, and a page for people. */
import { availableParallelism } from 'node:os';
import { readText } from '../data/read-file.js';
import { InputError, messageOf, UsageError } from '../errors.js';
import { serviceApp } from '../service/app.js';
import { defaultLimits, type ServiceLimits } from '../service/limits.js';
import { listen } from '../service/server.js';
import { openServiceThread } from '../service/service-thread.js';
import { type StageContext, silentView } from './context.js';
import type { OpenCollectionOptions } from './search.js';

export interface ServeStageOptions extends OpenCollectionOptions {
  /** Compute threads. Default: all cores but one. */
  threads?: number;
  /** Folder of the collection, as `rmac index build` writes it. */
  index: string;
  /** Address to listen at. Default 127.0.0.1, which only this machine reaches. */
  host?: string;
  /** 0: any that is free. Default 8080. */
  port?: number;
  /** What is taken of a request, and how many requests. */
  limits?: ServiceLimits;
  /** What must be sent with every request, as a bearer token: at least 16 visible ASCII characters. Default: everybody may ask. */
  token?: string;
  /** Names by which it is asked, besides `localhost`, `host` and addresses in numbers: others are refused where there is no token. */
  hostNames?: readonly string[];
}

/** A collection that is being served. Model and vectors are in a thread of its own. */
export interface ServedCollection {
  /** With the port that it listens at. */
  url: string;
  name: string;
  photographs: number;
  /** Resolves when the service has been stopped; rejects where it failed. */
  stopped: Promise<void>;
  /** Takes no more requests and answers those in hand. */
  stop(): Promise<void>;
}

/** How often the collection on disk is looked at for changes, ms. */
const reloadEveryMs = 5000;

/**
 * Opens a collection and listens; resolves as soon as it answers. `context.signal` stops it, `context.view` hears of refused and
 * failed requests, a line each.
 * @throws UsageError for a token that cannot be sent, InputError for a collection that cannot be opened or an address that is
 *   taken.
 */
export async function serve(options: ServeStageOptions, context: StageContext = {}): Promise<ServedCollection> {
  const { index, host = '127.0.0.1', port = 8080, token, hostNames = [], limits: given, ...opening } = options;
  opening.threads ??= Math.max(1, availableParallelism() - 1); // the last one is for who asks meanwhile
  const limits = { ...defaultLimits, ...definedOnly(given) };
  const { view = silentView, signal } = context;
  if (token !== undefined && !/^[\x21-\x7e]{16,4096}$/.test(token)) {
    throw new UsageError('The token must have at least 16 characters, all of them visible ASCII.');
  }
  const thread = await openServiceThread(index, opening);
  try {
    const app = await serviceApp(thread, {
      limits,
      token,
      hostNames: [host, ...hostNames],
      log: (line) => view.note(line),
    });
    const server = await listen((request, connection) => app.fetch(request, connection), {
      host,
      port,
      seconds: limits.seconds,
    });
    const { name, photographs } = await thread.about();
    const reload = async () => {
      try {
        if (await thread.reload())
          view.note(`${index}: read again, ${(await thread.about()).photographs} photographs.`);
      } catch (error) {
        view.note(`${index}: cannot be read again, what was read before is served: ${messageOf(error)}`);
      }
    };
    const timer = setInterval(() => void reload(), reloadEveryMs);
    let stopping: Promise<void> | undefined;
    const stop = () =>
      (stopping ??= (async () => {
        clearInterval(timer);
        await server.close(limits.seconds);
        await thread.close();
      })());
    if (signal?.aborted === true) void stop();
    signal?.addEventListener('abort', () => void stop(), { once: true });
    const stopped = thread.failed.catch(async (error: unknown) => {
      const failed = stopping === undefined;
      await stop();
      if (failed) throw error;
    });
    stopped.catch(() => undefined); // for whoever waits
    return { url: server.url, name, photographs, stopped, stop };
  } catch (error) {
    await thread.close();
    throw error;
  }
}

/** The token in a file: its first line. @throws InputError. */
export async function readToken(file: string): Promise<string> {
  const [token] = (await readText(file)).split('\n', 1);
  if (token.trim() === '') throw new InputError(`${file} is empty: expected a token in its first line.`);
  return token.trim();
}

/** Without what was given as undefined, which would hide a default. */
function definedOnly(limits: ServiceLimits = {}): ServiceLimits {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}
