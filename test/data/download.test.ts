import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { downloadFile } from '../../src/data/download.js';
import { publishedWeights, publishedWeightsNamed } from '../../src/data/published-weights.js';
import { InputError, UsageError } from '../../src/errors.js';
import { breakOffAt } from '../support/break-off.js';

const content = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => (i * i) % 251));
const sha256 = createHash('sha256').update(content).digest('hex');
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A server on this machine; `asked` collects the Range headers. */
async function serve(answer: (request: IncomingMessage, response: ServerResponse, count: number) => void) {
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.headers.range);
    answer(request, response, asked.length);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/w.pth`, asked };
}

/** Answers Range requests as servers of files do, with at most the bytes up to `upTo`. */
function sendRange(request: IncomingMessage, response: ServerResponse, upTo = content.length): void {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  if (start >= content.length) {
    response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
    return;
  }
  const range = { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` };
  response.writeHead(start > 0 ? 206 : 200, { 'content-length': content.length - start, ...(start > 0 && range) });
  if (upTo >= content.length) response.end(content.subarray(start));
  else response.write(content.subarray(start, Math.max(start, upTo)));
}

/** What an earlier run has left of `file`. */
function leavePart(file: string, bytes: Uint8Array, version: object | string | undefined): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.part`, bytes);
  const text = typeof version === 'string' ? version : JSON.stringify(version);
  if (text !== undefined) writeFileSync(`${file}.part.version`, text);
}

const target = () => join(mkdtempSync(join(tmpdir(), 'rmac-download-')), 'sub', 'w.pth');

test('a file arrives whole, verified by the first digits of its sha256', async () => {
  const { url } = await serve((request, response) => sendRange(request, response));
  const file = target();
  const result = await downloadFile(url, file, { checksum: { algorithm: 'sha256', digits: sha256.slice(0, 8) } });
  expect(result).toEqual({ bytes: content.length, verified: true, sha256 });
  expect(readFileSync(file)).toEqual(content);
  expect(existsSync(`${file}.part`)).toBe(false);
});

test('without a checksum the result says that nothing was verified', async () => {
  const { url } = await serve((request, response) => sendRange(request, response));
  expect(await downloadFile(url, target())).toMatchObject({ verified: false, sha256 });
});

test('a connection that drops is continued where it broke', async () => {
  const file = target();
  const { url, asked } = await serve((request, response, count) => {
    const upTo = count < 3 ? count * 100_000 : content.length;
    sendRange(request, response, upTo);
    if (upTo < content.length) breakOffAt(upTo, file, response);
  });
  await downloadFile(url, file);
  expect(readFileSync(file)).toEqual(content);
  expect(asked).toEqual([undefined, 'bytes=100000-', 'bytes=200000-']);
});

test('the part of an earlier run is continued, and a complete one is only verified', async () => {
  const { url, asked } = await serve((request, response) => sendRange(request, response));
  const file = target();
  leavePart(file, content.subarray(0, 1234), { bytes: content.length });
  await downloadFile(url, file);
  expect(readFileSync(file)).toEqual(content);
  leavePart(file, content, { bytes: content.length });
  await downloadFile(url, file, { overwrite: true });
  expect(asked).toEqual(['bytes=1234-', 'bytes=300000-']);
});

test('a server without Range starts again from the beginning', async () => {
  const { url } = await serve((_, response) => {
    response.writeHead(200, { 'content-length': content.length }).end(content);
  });
  const file = target();
  await expect(downloadFile('http://127.0.0.1:1/w', file, { retries: 0, hint: 'Use --from.' })).rejects.toThrow(
    /cannot be reached \(.*\)\. Use --from\.$/,
  );
  leavePart(file, Buffer.from('something else'), { bytes: content.length });
  await downloadFile(url, file);
  expect(readFileSync(file)).toEqual(content);
});

describe('never two versions in one file', () => {
  const other = Buffer.from(content.map((value) => 255 - value));
  const tagged = (tag: string) => (request: IncomingMessage, response: ServerResponse) => {
    if (tag !== '') response.setHeader('etag', tag);
    sendRange(request, response);
  };
  const clean = (file: string) =>
    expect(readdirSync(dirname(file)).filter((name) => name !== basename(file))).toEqual([]);

  test.each([
    ['a part of which nothing is known', undefined, '"2"'],
    ['what a kill left of its version', '{"ta', '"2"'],
    ['another length', { bytes: 123_456 }, ''],
    ['another ETag, of a server that does not look at If-Range', { tag: '"1"', bytes: content.length }, '"2"'],
    ['another date', { tag: 'Sat, 21 Nov 2026 16:44:34 GMT', bytes: content.length }, '"2"'],
  ])('%s', async (_, version, tag) => {
    const { url } = await serve(tagged(tag));
    for (const length of [1234, content.length]) {
      const file = target();
      leavePart(file, other.subarray(0, length), version);
      await downloadFile(url, file);
      expect(readFileSync(file).equals(content)).toBe(true);
      clean(file);
    }
  });

  test('the part goes before its version is forgotten', async () => {
    const file = target();
    leavePart(file, other.subarray(0, 1234), { tag: '"1"' });
    // The server says at once that it has another version, and then nothing: as if killed there.
    const silent = await serve((_, response) => response.writeHead(200, { etag: '"2"' }).flushHeaders());
    await expect(downloadFile(silent.url, file, { retries: 0, idleMs: 100 })).rejects.toThrow(/keeps breaking/);
    expect(readFileSync(`${file}.part`).length).toBe(0);
    const { url } = await serve(tagged('"2"'));
    await downloadFile(url, file);
    expect(readFileSync(file).equals(content)).toBe(true);
  });

  test('two downloads at once into one file: the second is refused', async () => {
    const { url } = await serve((request, response) => void setTimeout(() => sendRange(request, response), 100));
    const file = target();
    const first = downloadFile(url, file);
    await expect(downloadFile(url, file)).rejects.toThrow('is being written by another rmac');
    await first;
    expect(readFileSync(file).equals(content)).toBe(true);
    clean(file);
  });
});

test('a wrong checksum removes what came and leaves no file', async () => {
  const { url } = await serve((request, response) => sendRange(request, response));
  const file = target();
  const checksum = { algorithm: 'md5', digits: '00000000000000000000000000000000' } as const;
  await expect(downloadFile(url, file, { checksum })).rejects.toThrow(/the md5 is [0-9a-f]{32}, 0{32} expected/);
  expect(existsSync(file) || existsSync(`${file}.part`)).toBe(false);
});

test('a server that refuses, keeps breaking, or goes silent ends in one line', async () => {
  const missing = await serve((_, response) => response.writeHead(404).end());
  await expect(downloadFile(missing.url, target())).rejects.toThrow(/the server answers 404 Not Found\.$/);
  const broken = await serve((_, response) => response.destroy());
  await expect(downloadFile(broken.url, target(), { retries: 1 })).rejects.toThrow(/cannot be reached/);
  expect(broken.asked.length).toBe(2);
  const silent = await serve((_, response) => response.writeHead(200, { 'content-length': 10 }).write('x'));
  await expect(downloadFile(silent.url, target(), { retries: 0, idleMs: 200 })).rejects.toThrow(
    /less than 1024 bytes a second for 0\.2 s/,
  );
  const endless = await serve((_, response) => response.writeHead(200, { 'content-length': 2 ** 40 }).write('x'));
  await expect(downloadFile(endless.url, target())).rejects.toThrow(/has 1099511627776 bytes/);
});

test('an existing file is not replaced unless told', async () => {
  const { url } = await serve((request, response) => sendRange(request, response));
  const file = target();
  await downloadFile(url, file);
  await expect(downloadFile(url, file)).rejects.toThrow(/--overwrite/);
});

test('Ctrl-C keeps what came', async () => {
  const stop = new AbortController();
  const { url } = await serve((_, response) => {
    response.writeHead(200, { 'content-length': content.length }).write(content.subarray(0, 1000));
  });
  const file = target();
  const running = downloadFile(url, file, { signal: stop.signal, onProgress: () => stop.abort() });
  await expect(running).rejects.toThrow(/the same command continues/);
  expect(readFileSync(`${file}.part`).length).toBe(1000);
});

test('published weights: every name is its own key, torchvision names carry their checksum', () => {
  for (const [name, { url, checksum, licence }] of publishedWeights) {
    expect(publishedWeightsNamed(name).name).toBe(name);
    expect(licence).not.toBe('');
    if (url.includes('download.pytorch.org')) expect(url).toContain(checksum!.digits);
  }
  expect(() => publishedWeightsNamed('x')).toThrow(UsageError);
});

test('a server that drips is given up, however long it goes on', async () => {
  const { url, asked } = await serve((request, response) => {
    response.writeHead(200, { 'content-length': content.length });
    const drip = setInterval(() => response.write('x'), 20);
    request.on('close', () => clearInterval(drip));
    response.on('close', () => clearInterval(drip));
  });
  const running = downloadFile(url, target(), { idleMs: 200, retries: 1 });
  await expect(running).rejects.toThrow(/keeps breaking \(less than 1024 bytes a second for 0\.2 s\)/);
  expect(asked).toHaveLength(2);
});

test('a download that takes longer than it may is given up', async () => {
  const { url } = await serve((request, response) => sendRange(request, response, 1 + content.length / 2));
  await expect(downloadFile(url, target(), { longestMs: 0 })).rejects.toThrow(InputError);
});
