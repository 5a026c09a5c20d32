/** @file What the service counts, in Prometheus' text. */
import type { MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { SearchReply } from './replies.js';

export class ServiceMetrics {
  readonly registry = new Registry();
  private readonly requests: Histogram<'method' | 'route' | 'status'>;
  private readonly searches: Histogram<'part'>;

  /** `searching`: the searches in hand. */
  constructor(searching: () => number) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.requests = new Histogram({
      name: 'rmac_http_request_seconds',
      help: 'Time from a request to its answer',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    });
    this.searches = new Histogram({
      name: 'rmac_search_seconds',
      help: 'Time of a search by its parts: describe, search, verify',
      labelNames: ['part'],
      buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    });
    const inHand: Gauge = new Gauge({
      name: 'rmac_searches_in_hand',
      help: 'Searches that are uploaded, wait or are described',
      registers,
      collect: () => inHand.set(searching()),
    });
  }

  /** Counts every request by its route, never by its path, of which there are as many as somebody thinks of. */
  get watch(): MiddlewareHandler {
    return async (c, next) => {
      const startedAt = performance.now();
      await next();
      const route = matchedRoutes(c).findLast(({ path }) => path !== '/*')?.path ?? 'none';
      const method = ['GET', 'HEAD', 'POST'].includes(c.req.method) ? c.req.method : 'other';
      this.requests.observe({ method, route, status: c.res.status }, (performance.now() - startedAt) / 1000);
    };
  }

  observeSearch({ ms }: SearchReply): void {
    for (const [part, time] of Object.entries(ms)) {
      if (time !== undefined) this.searches.observe({ part }, time / 1000);
    }
  }
}
