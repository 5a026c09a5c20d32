/** @file The routes of the service: what is asked, what is refused, and what is told when it goes wrong. */
import { setTimeout } from 'node:timers/promises';
import type { HttpBindings } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { requestId } from 'hono/request-id';
import { secureHeaders } from 'hono/secure-headers';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { oneAtATime } from '../data/one-at-a-time.js';
import { InputError, messageOf, QueryError } from '../errors.js';
import { smallJpeg } from '../report/thumbnail.js';
import { openSession, requireToken } from './bearer-token.js';
import type { CollectionService } from './collection-service.js';
import { requireHost } from './host-check.js';
import { Admission, type ServiceLimits } from './limits.js';
import { ServiceMetrics } from './metrics.js';
import { openApi } from './open-api.js';
import { addPage } from './page-files.js';
import type { SearchReply } from './replies.js';
import { aboutUpload, addressFields, readSearch, readTerms } from './search-request.js';

export interface AppOptions {
  limits: Required<ServiceLimits>;
  /** What programs and people must send; without one everybody may ask. */
  token?: string;
  /** By which the service is asked, besides `localhost` and addresses in numbers; asked for where there is no token. Default: none. */
  hostNames?: readonly string[];
  /** Hears a line for every request that was refused or failed. */
  log: (line: string) => void;
}

/** Pictures that are made or wait: a page asks for as many as it has results. */
const mostPictures = 1200;
const picturesAtOnce = 3;
/** How long a refused search waits for its refusal, in the mean. */
const refusalMs = 1000;
/** Longest path and message of a line of the log. */
const longestLine = 300;

type Env = { Bindings: Partial<HttpBindings>; Variables: { requestId: string; reason?: string } };

/** The service as a function from requests to answers. */
export async function serviceApp(
  service: CollectionService,
  { limits, token, hostNames = [], log }: AppOptions,
): Promise<Hono<Env>> {
  const app = new Hono<Env>();
  const searches = new Admission(limits.searches);
  const pictures = new Admission(mostPictures);
  const lanes = Array.from({ length: picturesAtOnce }, oneAtATime); // a picture in the making holds its whole file
  const metrics = new ServiceMetrics(() => searches.count);

  app.use(requestId({ limitLength: 64 }));
  app.use(metrics.watch);
  app.use(async (c, next) => {
    const startedAt = performance.now();
    await next();
    if (c.res.status < 400) return;
    const path = c.req.path.slice(0, longestLine).replaceAll(/[^\x21-\x7e]/g, '?');
    const reason = (c.get('reason') ?? '').replaceAll(/[\r\n]+/g, ' ');
    const ms = Math.round(performance.now() - startedAt);
    const request = `${c.get('requestId')} ${c.req.method} ${path}`;
    log(`${new Date().toISOString()} ${request} ${c.res.status} ${ms} ms ${reason.slice(0, longestLine)}`);
  });
  app.use(
    secureHeaders({
      contentSecurityPolicy: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'", 'blob:', 'data:'],
        connectSrc: ["'self'"],
        formAction: ["'none'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
      },
      xFrameOptions: 'DENY',
      strictTransportSecurity: false, // for whoever ends TLS to say
    }),
  );
  const refuse = (c: Context<Env>, status: ContentfulStatusCode, message: string, reason = message) => {
    c.set('reason', reason);
    return c.json({ error: message, request: c.get('requestId') }, status);
  };
  app.use(
    methodNotAllowed({
      app: app as unknown as Hono,
      onMethodNotAllowed: (c, methods) => {
        c.header('Allow', methods.join(', '));
        return refuse(c as unknown as Context<Env>, 405, `Expected ${methods.join(' or ')}.`);
      },
    }),
  );
  app.notFound((c) => refuse(c, 404, 'Nothing is at this address.'));
  app.onError((error, c) => {
    const { status, message } = refusalOf(error);
    for (const [name, value] of error instanceof HTTPException ? (error.res?.headers ?? []) : []) c.header(name, value);
    return refuse(c, status, message, messageOf(error instanceof HTTPException ? (error.cause ?? error) : error));
  });

  if (token === undefined) app.use(requireHost(hostNames));
  await addPage(app as unknown as Hono);
  app.get('/health', (c) => c.json({ status: 'ok' }));
  app.get('/openapi.json', (c) => c.json(openApi(limits)));
  if (token !== undefined) {
    app.post('/session', (c) => openSession(c, token));
    app.use(requireToken(token));
  }
  app.get('/collection', async (c) => c.json({ ...(await service.about()), limits }));
  app.get('/metrics', async (c) =>
    c.text(await metrics.registry.metrics(), 200, { 'Content-Type': metrics.registry.contentType }),
  );

  /** Runs a search where there is room, and gives it up where it takes too long or nobody waits for it any more. */
  const search = async (c: Context<Env>, work: (signal: AbortSignal) => Promise<SearchReply>): Promise<Response> => {
    if (searches.isFull) {
      // What is on its way arrives meanwhile: a connection with half of an upload on it is closed after the answer, with what is asked next.
      c.env.incoming?.resume();
      // Those who ask again at once would take all the time of this thread, and all at the same moment.
      await setTimeout(refusalMs * (0.5 + Math.random()));
      c.header('Retry-After', '1');
      throw new HTTPException(429, {
        message: `${limits.searches} searches are in hand, which is all that fit: ask again in a second.`,
      });
    }
    const late = AbortSignal.timeout(limits.seconds * 1000);
    const signal = AbortSignal.any([late, c.req.raw.signal]);
    const found = searches.run(() => work(signal));
    const reply = await orAborted(found, signal);
    if (reply === undefined) {
      const message = late.aborted
        ? `Not answered after ${limits.seconds} s: given up.`
        : 'Nobody waits for the answer.';
      throw new HTTPException(503, { message });
    }
    metrics.observeSearch(reply);
    return c.json(reply);
  };
  const notThere = (id = '') => new HTTPException(404, { message: `The collection has no "${id.slice(0, 100)}".` });
  const known = async (c: Context<Env>) => {
    const id = c.req.param('id') ?? '';
    const item = await service.item(id);
    if (item === undefined) throw notThere(id);
    return item;
  };

  app.post('/search', (c) =>
    search(c, async (signal) => {
      const request = await orAborted(readSearch(c, limits), signal);
      if (request === undefined) throw signal.reason;
      return service.search(request.query, request.terms, signal);
    }),
  );
  app.get('/similar/:id', async (c) => {
    const { id } = await known(c);
    const terms = readTerms([addressFields(c)], limits);
    return search(c, (signal) => service.similar(id, terms, signal));
  });
  app.get('/items/:id', async (c) => c.json(await known(c)));
  for (const [name, longestPx] of [
    ['image', 1600],
    ['thumbnail', 320],
  ] as const) {
    app.get(`/items/:id/${name}`, async (c) => {
      const id = c.req.param('id');
      const file = await service.photograph(id);
      if (file === undefined) throw notThere(id);
      if (pictures.isFull) throw new HTTPException(429, { message: 'Too many pictures at once: ask again.' });
      const inTurn = lanes[pictures.count % lanes.length];
      const jpeg = pictures.run(() => inTurn(() => smallJpeg(file, { longestPx, upscale: false })));
      const bytes = await jpeg.catch((error: unknown) => {
        if (!(error instanceof InputError)) throw error;
        // Its reason names a file of this machine, which is for the log.
        throw new HTTPException(404, { message: 'The photograph cannot be read any more.', cause: error });
      });
      return c.body(bytes, 200, { 'Content-Type': 'image/jpeg', 'Cache-Control': 'private, max-age=3600' });
    });
  }
  return app;
}

/** The value, or undefined where `signal` is faster; what comes later is nobody's business. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const stop = () => resolve(undefined);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work
      .then(resolve, (error: unknown) => (signal.aborted ? resolve(undefined) : reject(error as Error)))
      .finally(() => signal.removeEventListener('abort', stop));
  });
}

function refusalOf(error: unknown): { status: ContentfulStatusCode; message: string } {
  if (error instanceof HTTPException) return { status: error.status, message: error.message };
  if (error instanceof QueryError) return { status: 400, message: aboutUpload(error) };
  // Names files or a database of this machine, which is for the log.
  if (error instanceof InputError) {
    return { status: 503, message: 'The collection cannot answer this now; the log has the reason under this number.' };
  }
  return { status: 500, message: 'The service failed; its log has the reason under this number.' };
}
