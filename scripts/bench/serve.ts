/**
 * @file `npm run bench:serve [-- --seconds N --clients N]`: so many clients that each upload a photograph as soon as the one before
 * is answered, against `rmac serve` from dist/ on generated photographs, on the loopback. Every upload is answered or refused with
 * 429, and a refused client asks again at once, whatever Retry-After says; meanwhile a process of its own asks /health every 20 ms, and
 * in turns a server that does nothing else, which tells what of the waiting is the machine's. Prints JSON lines: first the time of one
 * search alone, then what the crowd got, with the service's memory at the start, in the middle and at the end.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readManifest } from '../../src/data/manifest.js';
import { packageTrunk } from '../../src/run/run-start.js';
import { buildIndex } from '../../src/stages/index-update.js';
import { synthesize } from '../../src/stages/synthesize.js';
import { median, print, rounded, Worker } from './process.js';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    clients: { type: 'string', default: '200' },
    size: { type: 'string', default: '800' },
    threads: { type: 'string' },
    watch: { type: 'string' },
    until: { type: 'string' },
  },
});
const seconds = Number(values.seconds);
const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

interface Answer {
  status: number;
  ms: number;
}

/** Asks with a connection of `agent`; a failed connection is status 0. */
function ask(agent: Agent, url: string, body?: Buffer): Promise<Answer> {
  const startedAt = performance.now();
  return new Promise((resolve) => {
    const end = (status: number) => resolve({ status, ms: performance.now() - startedAt });
    const headers = body && { 'Content-Type': 'image/jpeg', 'Content-Length': body.length };
    const asked = request(url, { agent, method: body === undefined ? 'GET' : 'POST', headers }, (response) => {
      response.resume();
      response.on('end', () => end(response.statusCode ?? 0));
      response.on('error', () => end(0));
    });
    asked.on('error', () => end(0));
    asked.end(body);
  });
}

function rank(sorted: readonly number[], share: number): number {
  return rounded(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN, 1);
}

const times = (all: readonly number[]) => {
  const sorted = all.toSorted((a, b) => a - b);
  return { p50: rank(sorted, 0.5), p99: rank(sorted, 0.99), max: rank(sorted, 1) };
};

/** Asks the service, and a server that only answers, in turns until `until` (ms since 1970); prints both times of each turn. */
async function watch(url: string, until: number): Promise<void> {
  const idle = createServer((_, response) => response.end('{"status":"ok"}')).listen(0, '127.0.0.1');
  await once(idle, 'listening');
  const agent = new Agent({ keepAlive: true });
  const control = `http://127.0.0.1:${(idle.address() as AddressInfo).port}/`;
  const turns: { health: Answer; control: Answer }[] = [];
  while (Date.now() < until) {
    turns.push({ health: await ask(agent, `${url}health`), control: await ask(agent, control) });
    await wait(20);
  }
  process.stdout.write(`${JSON.stringify(turns)}\n`, () => process.exit(0)); // a pipe takes a long line in parts
}

async function crowd(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'rmac-bench-serve-'));
  try {
    await measure(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function measure(folder: string): Promise<void> {
  const photographs = join(folder, 'photographs');
  await synthesize({ out: photographs, landmarks: 20, photos: 5, noise: 0, size: Number(values.size), seed: 1 });
  const manifest = join(photographs, 'manifest.jsonl');
  await buildIndex({ source: manifest, model: packageTrunk, out: join(folder, 'index'), size: 512 });
  const bodies = (await readManifest(manifest)).map(({ path }) => readFileSync(path));

  const service = spawn(
    process.execPath,
    [
      cli,
      'serve',
      '--index',
      join(folder, 'index'),
      '--port',
      '0',
      '--json',
      ...(values.threads ? ['--threads', values.threads] : []),
    ],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  const ended = once(service, 'close');
  const [line] = (await once(createInterface(service.stdout), 'line')) as [string];
  const { url } = JSON.parse(line) as { url: string };
  const rssMb = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${service.pid}/status`, 'utf8'))?.[1]) / 1024;
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });

  const alone: number[] = [];
  for (const body of bodies.slice(0, 20)) alone.push((await ask(agent, `${url}search`, body)).ms);
  print({
    search: 'alone',
    medianMs: Math.round(median(alone)),
    uploadKb: Math.round(median(bodies.map((b) => b.length)) / 1024),
  });

  const until = Date.now() + 1000 * seconds;
  const answers: Answer[] = [];
  const client = async (number: number) => {
    for (let i = number; Date.now() < until; i++)
      answers.push(await ask(agent, `${url}search`, bodies[i % bodies.length]));
  };
  const watcher = new Worker(process.execPath, [
    ...process.execArgv,
    process.argv[1],
    '--watch',
    url,
    '--until',
    `${until}`,
  ]);
  const rss: number[] = [];
  const sampling = setInterval(() => rss.push(rssMb()), 100);
  const watched = watcher.answer();
  await Promise.all(Array.from({ length: Number(values.clients) }, (_, i) => client(i)));
  clearInterval(sampling);
  const turns = (await watched) as { health: Answer; control: Answer }[];
  agent.destroy();

  const statuses: Record<string, number> = {};
  for (const { status } of answers) statuses[status] = (statuses[status] ?? 0) + 1;
  const found = answers.filter(({ status }) => status === 200);
  const part = Math.floor(rss.length / 10);
  print({
    clients: Number(values.clients),
    seconds,
    cores: availableParallelism(),
    threads: values.threads ?? 'default',
    uploads: statuses,
    searchesPerSecond: rounded(found.length / seconds, 1),
    searchMs: times(found.map(({ ms }) => ms)),
    refusedMs: times(answers.filter(({ status }) => status === 429).map(({ ms }) => ms)),
    health: { asked: turns.length, failed: turns.filter(({ health }) => health.status !== 200).length },
    healthMs: times(turns.map(({ health }) => health.ms)),
    idleServerMs: times(turns.map(({ control }) => control.ms)),
    rssMb: {
      firstTenth: Math.round(median(rss.slice(0, part))),
      middle: Math.round(median(rss.slice(part * 4, part * 6))),
      lastTenth: Math.round(median(rss.slice(-part))),
      every15s: Array.from({ length: Math.ceil(rss.length / 150) }, (_, i) =>
        Math.round(median(rss.slice(150 * i, 150 * (i + 1)))),
      ),
    },
    node: process.version,
  });
  service.kill('SIGTERM');
  const [code] = (await ended) as [number];
  const wrong = Object.keys(statuses).filter((status) => !['200', '429'].includes(status));
  if (wrong.length > 0 || code !== 130) {
    process.stderr.write(`Answers other than 200 and 429: ${wrong.join(', ')}; the service ended with ${code}.\n`);
    process.exitCode = 1;
  }
}

if (values.watch === undefined) await crowd();
else await watch(values.watch, Number(values.until));
