/** @file A collection served from this thread. */
import { serviceApp } from '../../src/service/app.js';
import { collectionService } from '../../src/service/collection-service.js';
import { defaultLimits, type ServiceLimits } from '../../src/service/limits.js';
import { listen, type RunningServer } from '../../src/service/server.js';
import type { OpenedCollection } from '../../src/stages/search.js';

export interface Served extends RunningServer {
  /** What was logged. */
  lines: string[];
}

export async function served(
  collection: OpenedCollection,
  { token, hostNames, ...limits }: ServiceLimits & { token?: string; hostNames?: string[] } = {},
): Promise<Served> {
  const lines: string[] = [];
  const all = { ...defaultLimits, ...limits };
  const app = await serviceApp(collectionService(collection), {
    limits: all,
    token,
    hostNames,
    log: (line) => void lines.push(line),
  });
  const server = await listen((request, connection) => app.fetch(request, connection), {
    host: '127.0.0.1',
    port: 0,
    seconds: all.seconds,
  });
  return { ...server, lines };
}
