/**
 * @file Downloads a file whole or not at all: into `<file>.part`, continued by HTTP Range after a broken connection or in
 * the next run, its checksum verified, then renamed into place.
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readFile } from './read-file.js';
import { InputError, messageOf, systemErrorLine } from '../errors.js';
import { assertWritable, makeFolder, type WriteOptions } from './files.js';
import { writeFailure } from './write-failure.js';

export interface Checksum {
  algorithm: 'sha256' | 'md5';
  /** Hex digits, all of them or the first ones. */
  digits: string;
}

export interface DownloadOptions extends WriteOptions {
  checksum?: Checksum | undefined;
  signal?: AbortSignal;
  /** Called with the bytes so far and all bytes, where the server says how many. */
  onProgress?: (done: number, total: number | undefined) => void;
  /** Connections that may break, after those that brought nothing. Default 4. */
  retries?: number;
  /** A connection that brings less than 1 kB/s for so long is broken, ms. Default 30000. */
  idleMs?: number;
  /** All connections together take no longer, ms. Default 48 hours. */
  longestMs?: number;
  maxBytes?: number;
}

export interface Downloaded {
  bytes: number;
  /** Whether a checksum was known and fits. */
  verified: boolean;
  sha256: string;
}

/** Slowest rate that is waited for, bytes a second. */
const slowestRate = 1024;

/** A connection that broke, or a server that asks to wait; the part that came is kept. */
class Broken extends Error {
  constructor(
    message: string,
    readonly waitMs = 0,
    /** It was given up for its rate: what it brought is no progress. */
    readonly slow = false,
  ) {
    super(message);
  }
}

/** Longest wait that a server's Retry-After is granted, ms. */
const longestWaitMs = 60_000;

/** Downloads `url` to `file`. Throws `InputError` when the server refuses, the checksum differs or connections keep breaking. */
export async function downloadFile(url: string, file: string, options: DownloadOptions = {}): Promise<Downloaded> {
  const { checksum, retries = 4, signal, longestMs = 48 * 3.6e6 } = options;
  const startedAt = performance.now();
  assertWritable(file, options);
  await makeFolder(dirname(file));
  const part = `${file}.part`;
  let failures = 0;
  for (;;) {
    const before = await sizeOf(part);
    try {
      await continueDownload(url, part, { ...options, leftMs: startedAt + longestMs - performance.now() });
      break;
    } catch (error) {
      if (signal?.aborted) throw new InputError(`Stopped; ${part} keeps what came, and the same command continues.`);
      if (!(error instanceof Broken)) throw error;
      failures = (await sizeOf(part)) > before && !error.slow ? 1 : failures + 1;
      if (failures > retries || performance.now() - startedAt > longestMs) {
        throw new InputError(`${url}: the connection keeps breaking (${error.message}). The same command continues.`);
      }
      const wait = Math.max(error.waitMs, Math.min(100 * 2 ** failures, 5000));
      await sleep(wait, undefined, { signal }).catch(() => {});
    }
  }
  const [sha256, own] = await hashesOf(part, checksum?.algorithm ?? 'sha256');
  if (checksum !== undefined && !own.startsWith(checksum.digits)) {
    await Promise.all([rm(part, { force: true }), rm(versionFile(part), { force: true })]);
    throw new InputError(
      `${url}: the ${checksum.algorithm} is ${own.slice(0, checksum.digits.length)}, ${checksum.digits} expected; the file was removed. Try again.`,
    );
  }
  const bytes = await sizeOf(part);
  await rename(part, file);
  await rm(versionFile(part), { force: true });
  return { bytes, verified: checksum !== undefined, sha256 };
}

async function continueDownload(
  url: string,
  part: string,
  { signal, onProgress, idleMs = 30_000, maxBytes = 2 ** 33, leftMs }: DownloadOptions & { leftMs: number },
): Promise<void> {
  let start = await sizeOf(part);
  const stop = new AbortController();
  const abort = () => stop.abort();
  signal?.addEventListener('abort', abort);
  const bytesInTime = { before: 0, now: 0 };
  const pace = setInterval(() => {
    if (bytesInTime.now - bytesInTime.before < (slowestRate * idleMs) / 1000) abort();
    bytesInTime.before = bytesInTime.now;
  }, idleMs);
  const end = setTimeout(abort, Math.min(2 ** 31 - 1, Math.max(0, leftMs)));
  try {
    const headers: Record<string, string> = { 'accept-encoding': 'identity' };
    const version = start > 0 ? await readFile(versionFile(part), 'utf8').catch(() => '') : '';
    if (start > 0) headers.range = `bytes=${start}-`;
    if (version !== '') headers['if-range'] = version; // another version by now comes from its beginning
    const response = await fetch(url, { headers, signal: stop.signal });
    if (response.status === 416 && start > 0) {
      await response.body?.cancel();
      if (response.headers.get('content-range') === `bytes */${start}`) return; // all of it is there
      await rm(part, { force: true });
      throw new Broken('the part of an earlier run did not fit');
    }
    if (response.status >= 500 || response.status === 429 || response.status === 408) {
      await response.body?.cancel();
      throw new Broken(`status ${response.status}`, waitOf(response));
    }
    if (!response.ok || response.body === null) {
      throw new InputError(`${url}: the server answers ${response.status} ${response.statusText}.`);
    }
    if (response.status !== 206 || !startsAt(response, start)) start = 0; // without Range, from the beginning
    const length = response.headers.get('content-length');
    const total = length === null ? undefined : start + Number(length);
    if ((total ?? 0) > maxBytes) throw new InputError(`${url} has ${total} bytes, at most ${maxBytes} expected.`);
    if (start === 0) await rememberVersion(response, part);
    const out = await open(part, start === 0 ? 'w' : 'a');
    try {
      let done = start;
      for await (const chunk of response.body) {
        done += chunk.byteLength;
        bytesInTime.now += chunk.byteLength;
        if (done > maxBytes) throw new InputError(`${url} has more than ${maxBytes} bytes.`);
        await out.writeFile(chunk);
        onProgress?.(done, total);
      }
      if (total !== undefined && done !== total) throw new Broken(`${done} of ${total} bytes`);
      await out.sync();
    } finally {
      await out.close();
    }
  } catch (error) {
    if (error instanceof InputError || error instanceof Broken) throw error;
    // The network's own errors lie in the cause of what fetch throws.
    if (systemErrorLine(error) !== undefined) throw writeFailure(part, error);
    if (!stop.signal.aborted) throw new Broken(reasonOf(error));
    const brought = bytesInTime.now === 0 ? 'nothing' : `less than ${slowestRate} bytes a second`;
    throw new Broken(`${brought} for ${idleMs / 1000} s`, 0, true);
  } finally {
    clearInterval(pace);
    clearTimeout(end);
    signal?.removeEventListener('abort', abort);
  }
}

function versionFile(part: string): string {
  return `${part}.version`;
}

/** What the server calls this version of the file, for If-Range: a strong ETag, or the date. */
async function rememberVersion({ headers }: Response, part: string): Promise<void> {
  const tag = headers.get('etag');
  const version = tag !== null && !tag.startsWith('W/') ? tag : (headers.get('last-modified') ?? '');
  if (version === '') await rm(versionFile(part), { force: true });
  else await writeFile(versionFile(part), version);
}

/** Retry-After in seconds or as a date, bounded. */
function waitOf({ headers }: Response): number {
  const after = headers.get('retry-after') ?? '';
  const wait = /^\d+$/.test(after) ? 1000 * Number(after) : Date.parse(after) - Date.now();
  return Number.isFinite(wait) ? Math.max(0, Math.min(wait, longestWaitMs)) : 0;
}

/** Whether a partial answer continues where we stopped. */
function startsAt(response: Response, start: number): boolean {
  return response.headers.get('content-range')?.startsWith(`bytes ${start}-`) ?? false;
}

/** fetch hides why it failed in the cause. */
function reasonOf(error: unknown): string {
  return error instanceof Error && error.cause instanceof Error ? error.cause.message : messageOf(error);
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch {
    return 0;
  }
}

/** The sha256 of a file, and its hash by `algorithm`. */
async function hashesOf(file: string, algorithm: Checksum['algorithm']): Promise<[string, string]> {
  const hashes: Hash[] = [createHash('sha256'), createHash(algorithm)];
  for await (const chunk of createReadStream(file)) for (const hash of hashes) hash.update(chunk as Buffer);
  const [sha256, own] = hashes.map((hash) => hash.digest('hex'));
  return [sha256, own];
}
