import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { collectionService } from '../../src/service/collection-service.js';
import { Admission } from '../../src/service/limits.js';
import { InputError } from '../../src/errors.js';
import { openApi } from '../../src/service/open-api.js';
import { type SearchReply, searchReply } from '../../src/service/replies.js';
import { defaultLimits, type ServiceLimits } from '../../src/service/limits.js';
import { fakeCollection, type FakeOptions, photograph } from '../support/fake-collection.js';
import { type Served, served } from '../support/served.js';

let folder: string;
let blue: Buffer;
let running: Served[] = [];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rmac-service-'));
  blue = await photograph('#2040d0');
});
afterEach(async () => {
  await Promise.all(running.map((each) => each.close(1)));
  running = [];
});
afterAll(() => rmSync(folder, { recursive: true }));

async function start(
  { count = 8, ...fake }: FakeOptions & { count?: number } = {},
  options: ServiceLimits & { token?: string; hostNames?: string[] } = {},
): Promise<Served> {
  const server = await served(await fakeCollection(folder, count, fake), options);
  running.push(server);
  return server;
}

function upload(bytes: Uint8Array, fields: Record<string, string | string[]> = {}, type = 'image/jpeg'): FormData {
  const form = new FormData();
  form.append('image', new Blob([new Uint8Array(bytes)], { type }), '../../etc/passwd');
  for (const [name, values] of Object.entries(fields)) {
    for (const value of [values].flat()) form.append(name, value);
  }
  return form;
}

const post = (
  server: Served,
  body: RequestInit['body'],
  { query = '', ...init }: RequestInit & { query?: string } = {},
) => fetch(`${server.url}search${query}`, { method: 'POST', body, ...init });

async function found(response: Response): Promise<SearchReply> {
  expect(response.status, await response.clone().text()).toBe(200);
  return searchReply.parse(await response.json());
}

async function refused(response: Response, status: number): Promise<string> {
  expect(response.status).toBe(status);
  const { error, request: number } = (await response.json()) as { error: string; request: string };
  expect(number).toBe(response.headers.get('x-request-id'));
  expect(error).not.toMatch(/\n|node:|\/src\/|rmac-service-/);
  return error;
}

const ids = ({ objects }: SearchReply) => objects.flatMap(({ results }) => results.map(({ id }) => id));

test('POST /search: a form with a photograph', async () => {
  const server = await start();
  const reply = await found(await post(server, upload(blue, { k: '3' })));
  expect(reply).toMatchObject({ found: true, threshold: 0.95, size: { width: 64, height: 48 } });
  expect(reply.objects.map(({ object, results }) => [object, results.length])).toEqual([
    ['blue', 2],
    ['green', 1],
  ]);
  expect(reply.objects[0].results[0]).toMatchObject({ id: 'blue-2', object: 'blue', columns: { colour: 'blue' } });
  expect(JSON.stringify(reply)).not.toContain(folder);
});

test('POST /search: the bytes alone, terms in the address', async () => {
  const server = await start();
  const headers = { 'Content-Type': 'image/jpeg' };
  const reply = await found(await post(server, new Uint8Array(blue), { query: '?k=1', headers }));
  expect(ids(reply)).toEqual(['blue-2']);
  const body = new Blob([new Uint8Array(blue)]).stream(); // chunked
  expect(ids(await found(await post(server, body, { query: '?k=1', headers, duplex: 'half' })))).toEqual(['blue-2']);
});

test('POST /search: of the box only', async () => {
  const server = await start();
  const halves = await sharp(blue).extend({ left: 64, background: '#d02020' }).jpeg().toBuffer();
  const of = async (box: string) => ids(await found(await post(server, upload(halves, { box, k: '1' }))));
  expect(await of('0,0,64,48')).toEqual(['red-0']);
  expect(await of('64,0,64,48')).toEqual(['blue-2']);
});

test('POST /search: values of one column are alternatives, columns go together', async () => {
  const describe = (i: number) => ({ columns: { even: i % 2 === 0 ? 'yes' : 'no', 'a=b': 'c' } });
  const server = await start({ describe: (i) => ({ ...describe(i), columns: { ...describe(i).columns } }) });
  const of = async (where: string[]) => ids(await found(await post(server, upload(blue, { where })))).toSorted();
  expect(await of(['colour=red', 'colour=blue'])).toEqual(['blue-2', 'blue-6', 'red-0', 'red-4']);
  expect(await of(['colour=red', 'even=no'])).toEqual([]);
  expect(await refused(await post(server, upload(blue, { where: 'size=1' })), 400)).toContain('no column "size"');
  expect(await refused(await post(server, upload(blue, { where: 'red' })), 400)).toBe(
    '"where": expected column=value.',
  );
});

test.each([
  ['k', '0', 'expected 1 to 1000'],
  ['k', '1001', 'expected 1 to 1000'],
  ['k', '1e3', 'a whole number'],
  ['box', '1,2,3', 'expected x,y,width,height'],
  ['box', '-1,0,5,5', 'expected x,y,width,height'],
  ['box', '90,90,5,5', 'has no pixel of the 64x48 image'],
  ['rerank', 'all', 'sift'],
])('POST /search refuses %s=%s', async (name, value, reason) => {
  const server = await start();
  expect(await refused(await post(server, upload(blue, { [name]: value })), 400)).toContain(reason);
  expect(server.lines).toHaveLength(1);
});

test('POST /search refuses what is no photograph, and what is too large', async () => {
  const server = await start({}, { megabytes: 0.1, megapixels: 0.01 });
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>');
  for (const bytes of [svg, Buffer.from('%PDF-1.7'), Buffer.from('plain')]) {
    expect(await refused(await post(server, upload(bytes)), 415)).toContain('not a photograph; expected JPEG, PNG');
  }
  expect(await refused(await post(server, upload(Buffer.alloc(0))), 400)).toContain('empty');
  expect(await refused(await post(server, ''), 400)).toContain('empty');
  expect(await refused(await post(server, upload(blue.subarray(0, 200))), 400)).toMatch(
    /^The photograph: broken image/,
  );
  const large = await photograph('#2040d0', 120, 100);
  expect(await refused(await post(server, upload(large)), 413)).toContain('120x100 px, more than 0.01 megapixels');
  expect(await refused(await post(server, upload(Buffer.alloc(2e5))), 413)).toContain('more than 0.1 MB');
  const stream = new Blob([new Uint8Array(2e5)]).stream();
  expect(await refused(await post(server, stream, { duplex: 'half' }), 413)).toContain('0.1 MB');
  const form = new FormData();
  form.append('photo', 'x');
  expect(await refused(await post(server, form), 400)).toContain('no file "image"');
  const headers = { 'Content-Type': 'multipart/form-data; boundary=x' };
  expect(await refused(await post(server, '--y\r\n', { headers }), 400)).toContain('form cannot be read');
});

test('GET /similar/:id, /items/:id and its pictures', async () => {
  const server = await start();
  expect(ids(await found(await fetch(`${server.url}similar/red-0?k=2`)))).toEqual(['red-4', 'yellow-3']);
  const item = (await (await fetch(`${server.url}items/red-0`)).json()) as Record<string, string>;
  expect(item).toEqual({
    id: 'red-0',
    object: 'red',
    columns: { colour: 'red' },
    image: 'items/red-0/image',
    thumbnail: 'items/red-0/thumbnail',
  });
  for (const address of [item.image, item.thumbnail]) {
    const response = await fetch(server.url + address);
    expect(response.headers.get('content-type')).toBe('image/jpeg');
    const { width, height } = await sharp(await response.arrayBuffer()).metadata();
    expect([width, height]).toEqual([64, 48]);
  }
  for (const path of ['similar/red-1', 'items/red-1', 'items/red-1/image']) {
    expect(await refused(await fetch(server.url + path), 404)).toBe('The collection has no "red-1".');
  }
});

test('ids are names, never paths', async () => {
  const odd = ['../../etc/passwd', 'a/b?c#d%2F', '%2e%2e', 'ünïcode 🏛', '<b>&"', '__proto__', ' '];
  const server = await start({ describe: (i) => ({ id: odd[i] }), count: odd.length });
  for (const id of odd) {
    const response = await fetch(`${server.url}items/${encodeURIComponent(id)}`);
    expect(await response.json()).toMatchObject({ id });
    expect((await fetch(`${server.url}items/${encodeURIComponent(id)}/thumbnail`)).status).toBe(200);
  }
  for (const id of ['..%2f..%2fpackage.json', '%2fetc%2fpasswd', 'page.js', 'constructor', '%00', '%ff', '%']) {
    const response = await fetch(`${server.url}items/${id}/image`);
    expect(await refused(response, 404)).toMatch(/^The collection has no/);
  }
});

test('a photograph that is gone is told without its path', async () => {
  const server = await start({ describe: () => ({ path: join(folder, 'gone.jpg') }) });
  expect(await refused(await fetch(`${server.url}items/red-0/image`), 404)).toContain('cannot be read any more');
  expect(server.lines[0]).toContain('gone.jpg: no such image file');
});

test('what is wrong with the collection is told without its files', async () => {
  const broken = () => Promise.reject(new InputError(`${folder}/photographs/1.jpg: no such image file`));
  const server = await start({ before: broken });
  for (const response of [await post(server, upload(blue)), await fetch(`${server.url}similar/red-0`)]) {
    expect(await refused(response, 503)).toBe(
      'The collection cannot answer this now; the log has the reason under this number.',
    );
  }
  for (const line of server.lines) expect(line).toContain('photographs/1.jpg: no such image file');
  const gone = await start({ describe: () => ({ path: join(folder, 'gone.jpg') }) });
  const reply = await found(await post(gone, upload(blue, { rerank: 'sift', k: '1' })));
  expect(reply.objects[0].results[0]).toMatchObject({ agreeing: 40 });
  expect(reply.objects[0].results[0].regions).toBeUndefined();
});

test('without a token: asked under the name of a stranger, it refuses', async () => {
  const server = await start({}, { hostNames: ['Photos.example'] });
  const { port } = new URL(server.url);
  const status = (host: string, path = '/collection') =>
    new Promise<number | undefined>((resolve, reject) => {
      const asked = request({ hostname: '127.0.0.1', port, path, headers: { Host: host } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      asked.on('error', reject).end();
    });
  const known = ['localhost', `localhost:${port}`, `127.0.0.1:${port}`, '[::1]:1', '192.168.0.7', 'photos.EXAMPLE.:80'];
  for (const host of known) expect([host, await status(host)]).toEqual([host, 200]);
  for (const host of ['evil.example', `evil.example:${port}`, 'localhost.evil.example', '127.0.0.1.evil.example']) {
    for (const path of ['/', '/health', '/collection', '/items/red-0/image'])
      expect(await status(host, path)).toBe(421);
  }
  expect(server.lines[0]).toContain('--host-name');
  const guarded = await start({}, { token: 'correct-horse-battery' });
  expect((await fetch(`${guarded.url}health`)).status).toBe(200);
});

test('links that are no web addresses are left out', async () => {
  const links = ['https://example.org/1', 'javascript:alert(1)', 'data:text/html,x', 'http://'];
  const server = await start({ describe: (i) => ({ link: links[i] }), count: links.length });
  const reply = await found(await post(server, upload(blue)));
  const of = reply.objects.flatMap(({ results }) => results.map(({ id, link }) => [id, link]));
  expect(Object.fromEntries(of)).toEqual({
    'red-0': 'https://example.org/1',
    'green-1': undefined,
    'blue-2': undefined,
    'yellow-3': undefined,
  });
});

test('GET /collection: filters and limits', async () => {
  const server = await start();
  expect(await (await fetch(`${server.url}collection`)).json()).toEqual({
    name: 'Colours',
    photographs: 8,
    threshold: 0.95,
    thresholdPhotographs: 1,
    columns: ['object', 'colour'].map((name) => ({ name, values: ['blue', 'green', 'red', 'yellow'] })),
    limits: defaultLimits,
  });
});

test('an empty collection has nothing', async () => {
  const server = await start({ count: 0 });
  expect(await found(await post(server, upload(blue)))).toMatchObject({ found: false, objects: [] });
});

test('searches beyond the limit are refused, and health is told meanwhile', async () => {
  let open = () => undefined as void;
  const gate = new Promise<void>((resolve) => (open = resolve));
  const server = await start({ before: () => gate }, { searches: 2 });
  const first = [post(server, upload(blue)), post(server, upload(blue))];
  await until(async () => (await metric(server, 'rmac_searches_in_hand')) === 2);
  const third = await post(server, upload(blue));
  expect(third.headers.get('retry-after')).toBe('1');
  expect(await refused(third, 429)).toContain('2 searches are in hand');
  expect(await (await fetch(`${server.url}health`)).json()).toEqual({ status: 'ok' });
  open();
  for (const response of await Promise.all(first)) expect(response.status).toBe(200);
  expect((await post(server, upload(blue))).status).toBe(200);
  expect(await metric(server, 'rmac_searches_in_hand')).toBe(0);
});

test('a refused upload arrives while its refusal waits, and its connection takes the next request', async () => {
  let open = () => undefined as void;
  const gate = new Promise<void>((resolve) => (open = resolve));
  const server = await start({ before: async () => gate }, { searches: 1 });
  const first = post(server, upload(blue));
  await until(async () => (await metric(server, 'rmac_searches_in_hand')) === 1);
  const body = Buffer.alloc(8 << 20);
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1').setEncoding('utf8');
  let heard = '';
  socket.on('data', (text: string) => (heard += text));
  socket.write(
    `POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  await new Promise((resolve) => void socket.write(body, resolve));
  expect(heard).toBe('');
  await until(async () => heard.includes('429'));
  socket.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await until(async () => heard.includes('{"status":"ok"}'));
  socket.destroy();
  open();
  expect((await first).status).toBe(200);
});

test('a search that takes too long is given up, and its place is free when it has ended', async () => {
  const before = async (signal?: AbortSignal) => {
    await new Promise((resolve) => signal?.addEventListener('abort', resolve));
    signal?.throwIfAborted();
  };
  const server = await start({ before }, { seconds: 1, searches: 2 });
  const both = await Promise.all([post(server, upload(blue)), post(server, upload(blue))]);
  for (const response of both) expect(await refused(response, 503)).toBe('Not answered after 1 s: given up.');
  await until(async () => (await metric(server, 'rmac_searches_in_hand')) === 0);
});

test('a search that was given up before its turn is not begun', async () => {
  let begun = 0;
  let open = () => undefined as void;
  const gate = new Promise<void>((resolve) => (open = resolve));
  const collection = await fakeCollection(folder, 4, { before: async () => (begun++, gate) });
  const service = collectionService(collection);
  const first = service.similar('red-0', {}, new AbortController().signal);
  const second = service.similar('red-0', {}, AbortSignal.abort(new Error('given up')));
  open();
  await expect(second).rejects.toThrow('given up');
  await first;
  expect(begun).toBe(1);
});

test('a search that nobody waits for is given up', async () => {
  let stopped = false;
  const before = async (signal?: AbortSignal) => {
    await new Promise((resolve) => signal?.addEventListener('abort', resolve));
    stopped = true;
    signal?.throwIfAborted();
  };
  const server = await start({ before });
  const controller = new AbortController();
  const search = post(server, upload(blue), { signal: controller.signal });
  await until(async () => (await metric(server, 'rmac_searches_in_hand')) === 1);
  controller.abort();
  await expect(search).rejects.toThrow('aborted');
  await until(async () => stopped && (await metric(server, 'rmac_searches_in_hand')) === 0);
});

test('with a token: everything but health, page and description asks for it', async () => {
  const token = 'correct-horse-battery';
  const server = await start({}, { token });
  const status = async (path: string, headers: Record<string, string> = {}) =>
    (await fetch(server.url + path, { headers })).status;
  for (const path of ['', 'page.js', 'health', 'openapi.json']) expect(await status(path)).toBe(200);
  const kept = ['collection', 'metrics', 'items/red-0', 'items/red-0/thumbnail', 'similar/red-0', 'nowhere'];
  for (const path of kept) {
    for (const wrong of ['', `Bearer ${token}x`, `Bearer ${token.slice(1)}`, 'Bearer ', `Basic ${token}`]) {
      expect(await status(path, wrong === '' ? {} : { Authorization: wrong })).toBe(401);
    }
    expect(await status(path, { Authorization: `Bearer ${token}` })).toBe(path === 'nowhere' ? 404 : 200);
  }
  const response = await post(server, upload(blue));
  expect(response.headers.get('www-authenticate')).toBe('Bearer');
  expect(await refused(response, 401)).toContain('Authorization: Bearer');

  const session = await fetch(`${server.url}session`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}` },
  });
  const cookie = session.headers.get('set-cookie') ?? '';
  expect(cookie).toMatch(/^rmac-session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
  expect(cookie).not.toContain(token);
  expect(await status('items/red-0/thumbnail', { Cookie: cookie.split(';')[0] })).toBe(200);
  expect(await status('items/red-0/thumbnail', { Cookie: 'rmac-session=x' })).toBe(401);
  expect((await fetch(`${server.url}session`, { method: 'POST' })).status).toBe(401);
  expect(server.lines.join()).not.toContain(token);
});

test('every answer is guarded by headers, the page allows its own files only', async () => {
  const server = await start();
  for (const path of ['', 'page.css', 'items/red-0', 'nowhere']) {
    const { headers } = await fetch(server.url + path);
    expect(headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('access-control-allow-origin')).toBeNull();
  }
  const page = await fetch(server.url);
  const etag = page.headers.get('etag') ?? '';
  expect((await fetch(server.url, { headers: { 'If-None-Match': etag } })).status).toBe(304);
});

test('requests that failed are logged, a line each', async () => {
  const fail = () => Promise.reject(new Error(`secret\nof ${folder}`));
  const server = await start({ before: fail });
  const response = await post(server, upload(blue), { headers: { 'X-Request-Id': 'abc-1' } });
  expect(await refused(response, 500)).toContain('its log has the reason');
  expect(response.headers.get('x-request-id')).toBe('abc-1');
  const odd = await fetch(`${server.url}a%0Ab${'x'.repeat(2000)}`, { headers: { 'X-Request-Id': 'a b' } });
  await refused(odd, 404);
  expect(server.lines).toHaveLength(2);
  expect(server.lines[0]).toMatch(/^\S+Z abc-1 POST \/search 500 \d+ ms secret of /);
  expect(server.lines[1]).toMatch(/^\S+Z [\da-f-]{36} GET \/a\?bx+ 404/);
  expect(server.lines[1].length).toBeLessThan(800);
});

test('metrics count by route', async () => {
  const server = await start();
  await post(server, upload(blue));
  await fetch(`${server.url}items/red-0`);
  await fetch(`${server.url}items/red-4`);
  await fetch(`${server.url}nowhere`);
  const text = await (await fetch(`${server.url}metrics`)).text();
  expect(text).toContain('rmac_http_request_seconds_count{method="POST",route="/search",status="200"} 1');
  expect(text).toContain('rmac_http_request_seconds_count{method="GET",route="/items/:id",status="200"} 2');
  expect(text).toContain('rmac_http_request_seconds_count{method="GET",route="none",status="404"} 1');
  expect(text).toContain('rmac_search_seconds_count{part="describe"} 1');
  expect(text).toMatch(/^process_resident_memory_bytes \d+/m);
});

test('other methods are refused with those that are known', async () => {
  const server = await start();
  const response = await fetch(`${server.url}search`, { method: 'DELETE' });
  expect(response.headers.get('allow')).toBe('POST');
  await refused(response, 405);
  const head = await fetch(`${server.url}health`, { method: 'HEAD' });
  expect([head.status, await head.text()]).toEqual([200, '']);
});

test('a stop answers what is in hand and takes nothing more', async () => {
  let open = () => undefined as void;
  const gate = new Promise<void>((resolve) => (open = resolve));
  const server = await start({ before: () => gate });
  const search = post(server, upload(blue));
  await until(async () => (await metric(server, 'rmac_searches_in_hand')) === 1);
  const closed = server.close(10);
  await expect(fetch(`${server.url}health`)).rejects.toThrow('fetch failed');
  open();
  const response = await search;
  expect([response.status, response.headers.get('connection')]).toEqual([200, 'close']);
  await closed;
  running = [];
});

test('a stop does not wait for ever', async () => {
  const server = await start({ before: () => new Promise(() => undefined) });
  const search = post(server, upload(blue)).catch(() => 'cut off');
  await until(async () => (await metric(server, 'rmac_searches_in_hand')) === 1);
  await server.close(0.1);
  expect(await search).toBe('cut off');
  running = [];
});

test('an upload that does not arrive is given up', async () => {
  const server = await start({}, { seconds: 1 });
  const { hostname, port } = new URL(server.url);
  const sent = request({ hostname, port, path: '/search', method: 'POST', headers: { 'Content-Length': 1000 } });
  const status = new Promise((resolve) => {
    sent.on('response', (response) => resolve(response.statusCode));
    sent.on('error', () => resolve('cut off'));
  });
  sent.write('x');
  expect([408, 503, 'cut off']).toContain(await status);
  await until(async () => (await metric(server, 'rmac_searches_in_hand')) === 0);
});

test('openapi.json describes every route', async () => {
  const server = await start();
  const description = (await (await fetch(`${server.url}openapi.json`)).json()) as ReturnType<typeof openApi>;
  expect(description).toEqual(JSON.parse(JSON.stringify(openApi(defaultLimits))));
  expect(description).toMatchObject({ openapi: '3.1.0', info: { title: 'rmac' } });
  const { paths } = description as { paths: Record<string, object> };
  for (const [path, methods] of Object.entries(paths)) {
    for (const method of Object.keys(methods)) {
      const body = method === 'post' ? upload(blue) : undefined;
      const { status } = await fetch(server.url + path.slice(1).replace('{id}', 'red-0'), { method, body });
      expect([path, method, status]).toEqual([path, method, 200]);
    }
  }
});

test('Admission counts work until it has ended, well or badly', async () => {
  const admission = new Admission(1);
  const failing = admission.run(() => Promise.reject(new Error('bad')));
  expect(admission.isFull).toBe(true);
  await expect(failing).rejects.toThrow('bad');
  expect(admission.isFull).toBe(false);
  expect(await admission.run(async () => 2)).toBe(2);
  expect(admission.count).toBe(0);
});

async function metric(server: Served, name: string): Promise<number> {
  const text = await (await fetch(`${server.url}metrics`)).text();
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 300; i++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('not within 6 s');
}
