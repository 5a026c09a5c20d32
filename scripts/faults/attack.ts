/**
 * @file A service of its own, and mutated requests to it. Whatever they are, it answers or closes, never by an error of its own,
 * says one line for each that it refused, opens no file but those of its collection, and answers as before afterwards.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { sharp } from '../../src/data/raster-loaders.js';
import { packageTrunk } from '../../src/run/run-start.js';
import { buildIndex } from '../../src/stages/index-update.js';
import { RandomStream } from '../../src/train/random.js';
import { mutatedRequest } from './mutated-requests.js';

const project = fileURLToPath(new URL('../..', import.meta.url));
const reads = fileURLToPath(new URL('reads.cjs', import.meta.url));
const sideBySide = 16;
/** Longest wait for the end of a connection, ms: the service's own limit and something more. */
const longestMs = 8000;
/** What no file of the collection holds. */
const secret = 'only outside of the collection 7f3a';

export interface AttackResult {
  /** Requests by status; `closed` without one. */
  answers: Record<string, number>;
  /** What went wrong, in words, with the number of the request. */
  problems: string[];
  maxRssMb: number;
}

/** Sends `count` requests. The one with number n is that of seed + n. */
export async function attack(count: number, seed: number): Promise<AttackResult> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'rmac-attack-')));
  const log = join(folder, 'reads');
  let child: ChildProcess | undefined;
  try {
    const photograph = await makeCollection(folder);
    const command = ['--require', reads, '--import', 'tsx', join(project, 'src/cli.ts'), 'serve'];
    const limits = ['--threads', '1', '--time-limit', '3', '--max-megabytes', '1'];
    const service = spawn(
      process.execPath,
      [...command, '--index', join(folder, 'index'), '--port', '0', '--json', ...limits],
      { cwd: project, env: { ...process.env, RMAC_READS: log }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    child = service;
    let errors = '';
    service.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString('utf8')));
    const ended = once(service, 'close');
    const [line] = (await Promise.race([once(createInterface(service.stdout), 'line'), ended])) as [string];
    const { url } = JSON.parse(line) as { url: string };
    const { port } = new URL(url);
    const before = await probe(url, photograph);
    const openedBefore = readFileSync(log).length;

    const result: AttackResult = { answers: {}, problems: [], maxRssMb: 0 };
    let next = 0;
    const worker = async () => {
      for (; next < count && service.exitCode === null; ) {
        const number = next++;
        const request = mutatedRequest(photograph, new RandomStream(seed + number));
        const answer = await send(Number(port), request);
        const problem = wrongAnswer(answer);
        if (problem !== undefined) result.problems.push(`request ${number} (seed ${seed}): ${problem}`);
        const status = /^HTTP\/1\.1 (\d+)/.exec(answer ?? '')?.[1] ?? 'closed';
        result.answers[status] = (result.answers[status] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: sideBySide }, worker));
    if (service.exitCode !== null) {
      result.problems.push(`the service ended with ${service.exitCode}: ${errors.slice(-500)}`);
      return result;
    }
    if ((await probe(url, photograph)) !== before) result.problems.push('the service answers otherwise than before');
    const metrics = await (await fetch(`${url}metrics`)).text();
    result.maxRssMb = Math.round(Number(/^process_resident_memory_bytes (\S+)/m.exec(metrics)?.[1]) / 1e6);
    service.kill('SIGTERM');
    const [code] = (await ended) as [number];
    if (code !== 130) result.problems.push(`the service ended with ${code} when it was asked to`);
    const said = wrongLines(errors);
    const opened = wrongReads(readFileSync(log).subarray(openedBefore), folder);
    return { ...result, problems: [...result.problems, ...said, ...opened] };
  } finally {
    child?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Three photographs, a file that is none of them, and the index; returns a query. */
async function makeCollection(folder: string): Promise<Buffer> {
  const draw = (hue: number) =>
    sharp({ create: { width: 64, height: 48, channels: 3, background: `hsl(${hue}, 80%, 50%)` } }).png();
  writeFileSync(join(folder, 'secret.txt'), secret);
  for (let i = 0; i < 3; i++) {
    const file = join(folder, 'photographs/rings', `${i}.png`);
    mkdirSync(dirname(file), { recursive: true });
    await draw(120 * i).toFile(file);
  }
  await buildIndex({
    source: join(folder, 'photographs'),
    model: packageTrunk,
    out: join(folder, 'index'),
    size: 64,
    threads: 1,
  });
  return draw(110).toBuffer();
}

/** What the service finds for a sound request. */
async function probe(url: string, photograph: Buffer): Promise<string> {
  const response = await fetch(`${url}search`, { method: 'POST', body: new Uint8Array(photograph) });
  const { objects } = (await response.json()) as { objects: unknown };
  return JSON.stringify(objects);
}

/** The answer to bytes of a connection; undefined where there was none and the connection stayed open. */
function send(port: number, request: Buffer): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    const timer = setTimeout(() => {
      socket.destroy();
      resolve(undefined);
    }, longestMs);
    socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
    socket.on('error', () => undefined); // closed by the service: 'close' follows
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(answer);
    });
    socket.end(request); // half-closed: nothing more will come
  });
}

function wrongAnswer(answer: string | undefined): string | undefined {
  if (answer === undefined) return 'neither an answer nor an end of the connection';
  if (answer.includes(secret) || answer.includes('root:')) return 'a file that is none of the collection';
  if (/node:internal|at .*\.ts:\d+/.test(answer)) return 'a stack trace';
  for (const [, status] of answer.matchAll(/^HTTP\/1\.1 (\d{3})/gm)) {
    if (Number(status) >= 500 && !['501', '503', '505'].includes(status)) return `status ${status}`;
  }
  return undefined;
}

/** The log has a line for a request, and nothing that Node or a library says. */
function wrongLines(errors: string): string[] {
  const known = /^(\d{4}-\d\d-\d\dT\S+Z \S+ [^ ]+ \/\S* \d{3} \d+ ms |Interrupted: )/;
  return errors
    .split('\n')
    .filter((line) => line !== '' && !known.test(line))
    .slice(0, 5)
    .map((line) => `the log says: ${line.slice(0, 200)}`);
}

/** Files that were opened outside of the collection, those of the program left out. */
function wrongReads(log: Buffer, folder: string): string[] {
  const inside = [join(folder, 'photographs'), join(folder, 'index'), project.replace(/[\\/]$/, '')].map(
    (path) => path + sep,
  );
  const opened = new Set(
    log
      .toString('utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as string).replace(/^file:\/\//, '')),
  );
  // Thumbnails were asked for: without a sight of that, nothing was watched.
  if (![...opened].some((path) => path.startsWith(inside[0]))) return ['no file was seen to be opened'];
  // The collection looks at its folder for changes; process_* of the metrics are in /proc.
  return [...opened]
    .filter((path) => path !== join(folder, 'index') && !path.startsWith('/proc/self/'))
    .filter((path) => !inside.some((start) => path.startsWith(start)))
    .map((path) => `opened ${path}`);
}
