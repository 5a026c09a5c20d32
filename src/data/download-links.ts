/**
 * @file Downloads the photographs of a link list, a folder for each landmark. Many links of such lists are dead: each is
 * tried, and what is broken is written to `links.jsonl` with its reason and not asked for again. The same command continues.
 * Few connections at once, two to a server, and Retry-After is kept.
 */
import { createHash } from 'node:crypto';
import { createWriteStream, existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { z } from 'zod';
import { makeFolder } from './files.js';
import { InputError, messageOf } from '../errors.js';
import { downloadFile } from './download.js';
import { groupBy } from './group-by.js';
import { unfitFile } from './image-format.js';
import type { Link } from './link-list.js';
import { parseJson, wholeLines } from './whole-lines.js';

export interface DownloadLinksOptions {
  /** Connections at once. Default 8. */
  parallel?: number;
  /** Connections to one server at once. Default 2. */
  perServer?: number;
  /** Ask again for links that were broken in an earlier run. */
  retryBroken?: boolean;
  /** A photograph of more bytes is refused. Default 64 MiB. */
  maxBytes?: number;
  /** A connection that brings nothing for so long is broken, ms. Default 20000. */
  idleMs?: number;
  signal?: AbortSignal;
  onProgress?: (done: number) => void;
}

const outcomeSchema = z.object({
  url: z.string(),
  landmark: z.string(),
  /** Relative to the folder; absent for a broken link. */
  file: z.string().optional(),
  sha256: z.string().optional(),
  error: z.string().optional(),
});
export type LinkOutcome = z.output<typeof outcomeSchema>;

export interface DownloadedLinks {
  /** Photographs there, from this run and earlier ones. */
  downloaded: number;
  broken: LinkOutcome[];
  landmarks: number;
}

/** @throws InputError when stopped by `signal`; a broken link is an outcome, no error. */
export async function downloadLinks(
  links: readonly Link[],
  out: string,
  {
    parallel = 8,
    perServer = 2,
    retryBroken = false,
    maxBytes = 2 ** 26,
    idleMs = 20_000,
    signal,
    onProgress,
  }: DownloadLinksOptions = {},
): Promise<DownloadedLinks> {
  await makeFolder(out);
  const log = join(out, 'links.jsonl');
  const known = await readOutcomes(log);
  const isDone = ({ file, error }: LinkOutcome) =>
    file === undefined ? error !== undefined && !retryBroken : existsSync(join(out, file));
  const todo = links.filter((link) => {
    const outcome = known.get(keyOf(link));
    return outcome === undefined || !isDone(outcome);
  });
  let done = links.length - todo.length;
  onProgress?.(done);

  const lines = createWriteStream(log, { flags: 'a' });
  const failed = new Promise<never>((_, reject) => lines.once('error', reject));
  failed.catch(() => undefined); // raced below
  const fetchOne = async (link: Link) => {
    const outcome = await fetchLink(link, out, { maxBytes, idleMs, signal });
    if (signal?.aborted) return;
    known.set(keyOf(link), outcome);
    lines.write(`${JSON.stringify(outcome)}\n`);
    onProgress?.(++done);
  };
  try {
    await Promise.race([inTurns(todo, { parallel, perServer, signal }, fetchOne), failed]);
  } catch (error) {
    throw error instanceof InputError ? error : new InputError(`Cannot write into ${out}: ${messageOf(error)}`);
  } finally {
    lines.end();
    await finished(lines).catch(() => undefined);
  }
  if (signal?.aborted)
    throw new InputError(`Stopped after ${done} of ${links.length} links; the same command continues.`);
  const outcomes = links.map((link) => known.get(keyOf(link))!);
  return {
    downloaded: outcomes.filter(({ file }) => file !== undefined).length,
    broken: outcomes.filter(({ file }) => file === undefined),
    landmarks: new Set(outcomes.filter(({ file }) => file !== undefined).map(({ landmark }) => landmark)).size,
  };
}

/** Runs `work` on all links, servers in turn: at most `parallel` at once, `perServer` of them with one server. */
async function inTurns(
  links: readonly Link[],
  { parallel, perServer, signal }: { parallel: number; perServer: number; signal: AbortSignal | undefined },
  work: (link: Link) => Promise<void>,
): Promise<void> {
  const waiting = groupBy(links.toReversed(), ({ url }) => new URL(url).host); // taken from the end
  const busy = new Map<string, number>();
  const running = new Set<Promise<void>>();
  const take = (): { link: Link; host: string } | undefined => {
    for (const [host, queue] of waiting) {
      if ((busy.get(host) ?? 0) >= perServer) continue;
      const link = queue.pop();
      waiting.delete(host);
      if (link === undefined) continue;
      if (queue.length > 0) waiting.set(host, queue); // to the end of the turn
      return { link, host };
    }
    return undefined;
  };
  const stopped = () => signal?.aborted ?? false;
  while (!stopped()) {
    const next = running.size < parallel ? take() : undefined;
    if (next === undefined) {
      if (running.size === 0) return;
      await Promise.race(running);
      continue;
    }
    const { link, host } = next;
    busy.set(host, (busy.get(host) ?? 0) + 1);
    const job: Promise<void> = work(link).finally(() => {
      busy.set(host, busy.get(host)! - 1);
      running.delete(job);
    });
    running.add(job);
  }
  await Promise.all(running);
}

async function fetchLink(
  { landmark, url }: Link,
  out: string,
  { maxBytes, idleMs, signal }: { maxBytes: number; idleMs: number; signal: AbortSignal | undefined },
): Promise<LinkOutcome> {
  const name = createHash('sha256').update(url).digest('hex').slice(0, 16);
  const extension = /\.(jpe?g|png|webp|gif|tiff?|avif)$/i.exec(new URL(url).pathname)?.[0].toLowerCase() ?? '.jpg';
  const file = `${landmark}/${name}${extension}`;
  const path = join(out, file);
  try {
    const { sha256 } = await downloadFile(url, path, {
      overwrite: true,
      retries: 2,
      idleMs,
      maxBytes,
      ...(signal && { signal }),
    });
    const unfit = await unfitFile(path);
    if (unfit === undefined) return { url, landmark, file, sha256 };
    await rm(path, { force: true });
    return { url, landmark, error: `${url}: ${unfit}` };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    // a part that no later run continues
    if (!signal?.aborted) for (const rest of ['.part', '.part.version']) await rm(`${path}${rest}`, { force: true });
    return { url, landmark, error: error.message };
  }
}

/** The last outcome of each link; a line that a killed run left half is passed over. */
async function readOutcomes(log: string): Promise<Map<string, LinkOutcome>> {
  const outcomes = new Map<string, LinkOutcome>();
  if (!existsSync(log)) return outcomes;
  for await (const line of wholeLines(log)) {
    const parsed = outcomeSchema.safeParse(parseJson(line.toString()));
    if (parsed.success) outcomes.set(keyOf(parsed.data), parsed.data);
  }
  return outcomes;
}

function keyOf({ landmark, url }: Link): string {
  return `${landmark}\n${url}`;
}
