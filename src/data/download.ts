/**
 * @file Downloads a file whole or not at all: into `<file>.part`, continued by HTTP Range after a broken connection or in
 * the next run where it is certain to be of the same version, its checksum verified, then renamed into place.
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { InputError, messageOf, systemErrorLine } from '../errors.js';
import { assertWritable, type WriteOptions } from './files.js';
import { lockOutput } from './folder-lock.js';
import { readText } from './read-file.js';
import { parseJson } from './whole-lines.js';
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
  /** What to do about a server that cannot be reached: a sentence. */
  hint?: string;
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
    /** The server never answered. */
    readonly unreached = false,
    /** It was given up for its rate: what it brought is no progress. */
    readonly slow = false,
  ) {
    super(message);
  }
}

/** Longest wait that a server's Retry-After is granted, ms. */
const longestWaitMs = 60_000;

/**
 * Downloads `url` to `file`, as the only process that does. Throws `InputError` when the server refuses, the checksum differs or
 * connections keep breaking.
 */
export async function downloadFile(url: string, file: string, options: DownloadOptions = {}): Promise<Downloaded> {
  assertWritable(file, options);
  const release = await lockOutput(file);
  try {
    return await download(url, file, options);
  } finally {
    release();
  }
}

async function download(url: string, file: string, options: DownloadOptions): Promise<Downloaded> {
  const { checksum, retries = 4, signal, longestMs = 48 * 3.6e6, hint } = options;
  const startedAt = performance.now();
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
        throw new InputError(
          error.unreached
            ? `${url} cannot be reached (${error.message}).${hint === undefined ? '' : ` ${hint}`}`
            : `${url}: the connection keeps breaking (${error.message}). The same command continues.`,
        );
      }
      const wait = Math.max(error.waitMs, Math.min(100 * 2 ** failures, 5000));
      await sleep(wait, undefined, { signal }).catch(() => {});
    }
  }
  const [sha256, own] = await hashesOf(part, checksum?.algorithm ?? 'sha256');
  if (checksum !== undefined && !own.startsWith(checksum.digits)) {
    await removePart(part);
    throw new InputError(
      `${url}: the ${checksum.algorithm} is ${own.slice(0, checksum.digits.length)}, ${checksum.digits} expected; the file was removed. Try again.`,
    );
  }
  const bytes = await sizeOf(part);
  await rm(versionFile(part), { force: true });
  await rename(part, file);
  return { bytes, verified: checksum !== undefined, sha256 };
}

async function continueDownload(
  url: string,
  part: string,
  { checksum, signal, onProgress, idleMs = 30_000, maxBytes = 2 ** 33, leftMs }: DownloadOptions & { leftMs: number },
): Promise<void> {
  const known = await readVersion(part);
  const isKnown = known.tag !== undefined || known.bytes !== undefined || checksum !== undefined;
  let start = isKnown ? await sizeOf(part) : 0; // else nothing tells whether the rest belongs to what is there
  const stop = new AbortController();
  const abort = () => stop.abort();
  signal?.addEventListener('abort', abort);
  let answered = false;
  const bytesInTime = { before: 0, now: 0 };
  const pace = setInterval(() => {
    if (bytesInTime.now - bytesInTime.before < (slowestRate * idleMs) / 1000) abort();
    bytesInTime.before = bytesInTime.now;
  }, idleMs);
  const end = setTimeout(abort, Math.min(2 ** 31 - 1, Math.max(0, leftMs)));
  try {
    const headers: Record<string, string> = { 'accept-encoding': 'identity' };
    if (start > 0) headers.range = `bytes=${start}-`;
    if (start > 0 && known.tag !== undefined) headers['if-range'] = known.tag; // another version by now comes from its beginning
    const response = await fetch(url, { headers, signal: stop.signal });
    const answer = versionOf(response);
    const fits = isSameVersion(known, answer, checksum !== undefined);
    answered = true;
    if (start > 0 && (response.status === 416 || (response.status === 206 && !fits))) {
      await response.body?.cancel();
      if (fits && response.headers.get('content-range') === `bytes */${start}`) return; // all of it is there
      await removePart(part);
      throw new Broken('the part that had come is not of this file');
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
    if (start === 0) {
      await rm(part, { force: true }); // first: it is of the version that is forgotten now
      await writeFile(versionFile(part), JSON.stringify(answer));
    }
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
    if (!stop.signal.aborted) throw new Broken(reasonOf(error), 0, !answered);
    const brought = bytesInTime.now === 0 ? 'nothing' : `less than ${slowestRate} bytes a second`;
    throw new Broken(`${brought} for ${idleMs / 1000} s`, 0, !answered, true);
  } finally {
    clearInterval(pace);
    clearTimeout(end);
    signal?.removeEventListener('abort', abort);
  }
}

function versionFile(part: string): string {
  return `${part}.version`;
}

/** Which version of the file a part is of: a strong ETag or the date, for If-Range, and the length of the whole. */
const versionSchema = z.object({ tag: z.string().optional(), bytes: z.number().optional() });
type Version = z.output<typeof versionSchema>;

async function readVersion(part: string): Promise<Version> {
  const text = await readText(versionFile(part)).catch(() => '');
  const parsed = versionSchema.safeParse(parseJson(text));
  return parsed.success ? parsed.data : {};
}

/** The version that an answer is of, as far as it says. */
function versionOf({ headers, status }: Response): Version {
  const etag = headers.get('etag');
  const tag = etag !== null && !etag.startsWith('W/') ? etag : (headers.get('last-modified') ?? undefined);
  const length =
    status === 200 ? headers.get('content-length') : /\/(\d+)$/.exec(headers.get('content-range') ?? '')?.[1];
  const bytes =
    length === null || length === undefined || !Number.isSafeInteger(Number(length)) ? undefined : Number(length);
  return { tag, bytes };
}

/** Whether an answer continues what is known. Some servers do not look at If-Range; `verified`: a checksum will tell in the end. */
function isSameVersion(known: Version, answered: Version, verified: boolean): boolean {
  const differs = (['tag', 'bytes'] as const).some(
    (key) => known[key] !== undefined && answered[key] !== undefined && known[key] !== answered[key],
  );
  return !differs && (known.tag !== undefined || answered.bytes !== undefined || verified);
}

async function removePart(part: string): Promise<void> {
  await rm(part, { force: true });
  await rm(versionFile(part), { force: true });
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
