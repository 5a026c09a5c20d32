/**
 * What Qdrant answers to the requests of src/collection/stores/qdrant.ts, from memory: written from the description of its REST interface, for
 * where no server of it is at hand. The compiler holds requests and answers to that description by the types of Qdrant's own client.
 */
import { createServer, type IncomingMessage } from 'node:http';
import type { Schemas } from '@qdrant/js-client-rest';

type Point = { id: string; vector: number[]; payload: Record<string, unknown> };
interface Collection {
  size: number;
  points: Map<string, Point>;
  indexed: Set<string>;
}

export interface StandIn {
  url: string;
  /** Requests so far, as `METHOD path`. */
  requests: string[];
  /** Answers that go before others: `undefined` never comes. */
  refuse: { status: number } | 'silent' | undefined;
  stop(): Promise<void>;
}

export async function startQdrant(): Promise<StandIn> {
  const collections = new Map<string, Collection>();
  const requests: string[] = [];
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      const path = new URL(request.url!, 'http://x').pathname;
      requests.push(`${request.method} ${path}`);
      if (standIn.refuse === 'silent') return;
      const { status, result } = standIn.refuse
        ? { status: standIn.refuse.status, result: undefined }
        : answer(collections, request.method!, path, body);
      const state = status === 200 ? 'ok' : { error: 'as said' };
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ time: 0, status: state, result }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const standIn: StandIn = {
    url: `http://127.0.0.1:${port}`,
    requests,
    refuse: undefined,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return standIn;
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return parts.length === 0 ? {} : JSON.parse(Buffer.concat(parts).toString());
}

function answer(
  all: Map<string, Collection>,
  method: string,
  path: string,
  body: unknown,
): { status: number; result?: unknown } {
  const [, name, rest = ''] = /^\/collections\/([^/]+)(?:\/(.*))?$/.exec(path) ?? [];
  const collection = all.get(name);
  const ok = (result: unknown) => ({ status: 200, result });
  const done = () => ok({ operation_id: 1, status: 'completed' } satisfies Schemas['UpdateResult']);
  if (rest === 'exists') return ok({ exists: collection !== undefined });
  if (rest === '' && method === 'PUT') {
    const { vectors } = body as { vectors: Schemas['VectorParams'] };
    if (vectors.distance !== 'Dot') return { status: 400 };
    all.set(name, { size: vectors.size, points: new Map(), indexed: new Set() });
    return ok(true);
  }
  if (rest === '' && method === 'DELETE') return ok(all.delete(name));
  if (collection === undefined) return { status: 404 };
  const { points, size, indexed } = collection;
  const inOrder = (found: Point[], { key, direction, start_from: from }: Schemas['OrderBy']) => {
    if (!indexed.has(key)) throw new Error(`order_by needs an index of ${key}`);
    const of = ({ payload }: Point) => payload[key] as number;
    const sign = direction === 'desc' ? -1 : 1;
    return found
      .filter((point) => from === undefined || from === null || sign * (of(point) - Number(from)) >= 0)
      .toSorted((a, b) => sign * (of(a) - of(b)));
  };
  const living = (filter: Schemas['Filter'] | null | undefined) =>
    [...points.values()].filter((point) => passes(point, filter ?? {}));
  switch (`${method} ${rest}`) {
    case 'GET ':
      return ok({ config: { params: { vectors: { size, distance: 'Dot' } } } });
    case 'PUT index': {
      indexed.add((body as Schemas['CreateFieldIndex']).field_name);
      return done();
    }
    case 'PUT points': {
      for (const point of (body as { points: Point[] }).points) {
        if (point.vector.length !== size || !/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(point.id))
          return { status: 400 };
        points.set(point.id, point);
      }
      return done();
    }
    case 'POST points/delete': {
      for (const id of (body as { points: string[] }).points) points.delete(id);
      return done();
    }
    case 'POST points/count':
      return ok({ count: living((body as Schemas['CountRequest']).filter).length } satisfies Schemas['CountResult']);
    case 'POST points': {
      const { ids } = body as { ids: string[] };
      return ok(ids.flatMap((id) => points.get(id) ?? []));
    }
    case 'POST points/scroll': {
      const { filter, limit, order_by: order } = body as Schemas['ScrollRequest'];
      const found = living(filter);
      const sorted = order ? inOrder(found, order as Schemas['OrderBy']) : found;
      return ok({ points: sorted.slice(0, limit ?? 10), next_page_offset: null });
    }
    case 'POST points/query': {
      const { query, filter, limit } = body as { query: number[]; filter: Schemas['Filter']; limit: number };
      const scored = living(filter).map((point) => ({
        ...point,
        version: 0,
        score: point.vector.reduce((sum, value, i) => sum + value * query[i], 0),
      }));
      return ok({ points: scored.toSorted((a, b) => b.score - a.score).slice(0, limit) });
    }
    default:
      return { status: 404 };
  }
}

/** The conditions that the store makes. */
function passes({ payload }: Point, { must = [], must_not: not = [] }: Schemas['Filter']): boolean {
  const holds = (condition: Schemas['Condition']) => {
    if ('is_empty' in condition) {
      const { key } = condition.is_empty as Schemas['PayloadField'];
      return [payload[key] ?? []].flat().length === 0;
    }
    const { key, match } = condition as { key: string; match: { any: string[] } | { value: string } };
    const values = [payload[key] ?? []].flat();
    return ('any' in match ? match.any : [match.value]).some((value) => values.includes(value));
  };
  return [must ?? []].flat().every(holds) && ![not ?? []].flat().some(holds);
}
