/** @file The thread that holds a rank's connections of lifeline.ts. */
import { spawn } from 'node:child_process';
import { readFileSync, writeSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { latestCheckpoint } from '../run/checkpoint.js';

export interface LifelineData {
  rank: number;
  /** Of this rank's own; a client shows that of rank 0. */
  token: string;
  checkpoints: string;
  timeoutMs: number;
}

/** To the main thread: where this rank listens (0: it does not), and that another one is lost. */
export type LifelineMessage = { port: number } | { lost: number };

interface Ranks {
  /** Of every rank, for people. */
  names: string[];
  first: { addresses: string[]; port: number; token: string };
}

const { rank, token, checkpoints, timeoutMs } = workerData as LifelineData;
const farewell = 'b';
/** The main thread may be in native code for as long, ms. */
const patienceMs = 10_000;
/** What starts ranks and ends with them: above them on its own host. */
const launchers = new Set(['mpirun', 'mpiexec', 'orterun', 'prterun']);
/** Given to it to end after the ranks, s. */
const launcherPatience = 20;

let names: string[] = [];
let ended = false;
const sockets = new Set<Socket>();

const server = createServer((socket) => {
  let greeting = '';
  socket.on('error', () => undefined);
  socket.setTimeout(timeoutMs, () => socket.destroy());
  socket.on('data', function greet(bytes) {
    greeting += bytes.toString('latin1');
    const [, shown, who] = /^([0-9a-f]{32}) (\d{1,6})\n/.exec(greeting) ?? [];
    if (shown === token) {
      socket.off('data', greet);
      watch(socket, Number(who));
    } else if (shown !== undefined || greeting.length > 64) socket.destroy();
  });
});

if (rank === 0) server.listen(0, () => tell({ port: (server.address() as { port: number }).port }));
else tell({ port: 0 });

parentPort!.on('message', (message: 'end' | Ranks) => {
  if (message === 'end') end();
  else {
    names = message.names;
    if (rank > 0) void reach(message.first);
  }
});

/** Where no address can be reached the rank goes without. */
async function reach({ addresses, port, token: shown }: Ranks['first']): Promise<void> {
  for (const address of addresses) {
    const socket = await new Promise<Socket | undefined>((resolve) => {
      const tried = connect({ host: address, port, timeout: 3000 }, () => resolve(tried.setTimeout(0)));
      tried.on('error', () => resolve(undefined));
      tried.on('timeout', () => tried.destroy(new Error('no answer')));
    });
    if (socket === undefined) continue;
    socket.write(`${shown} ${rank}\n`);
    watch(socket, 0);
    if (ended) end();
    return;
  }
}

function watch(socket: Socket, other: number): void {
  let heardAt = Date.now();
  let left = false;
  sockets.add(socket);
  socket.setTimeout(0);
  socket.on('data', (bytes) => {
    heardAt = Date.now();
    left ||= bytes.includes(farewell);
  });
  const beat = setInterval(() => {
    if (Date.now() - heardAt > timeoutMs) socket.destroy();
    else socket.write('.');
  }, timeoutMs / 10);
  socket.on('close', () => {
    clearInterval(beat);
    sockets.delete(socket);
    if (left || ended) return;
    // Of those that miss the first rank, one tells, and the job ends. A rank behind a cut link is left to itself.
    if (rank <= 1) void lose(other);
    else setTimeout(() => void lose(other), patienceMs);
  });
}

/** Told from here and at once: mpirun kills this process, too, a moment later. */
async function lose(other: number): Promise<void> {
  if (ended) return;
  ended = true;
  endLauncher();
  const last = await latestCheckpoint(checkpoints).catch(() => undefined);
  const way =
    last === undefined ? 'there is no checkpoint yet' : `the last checkpoint is ${last}; continue with --resume`;
  writeSync(2, `rmac: ${names[other]} has ended or cannot be reached: ${way}.\n`);
  tell({ lost: other });
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), patienceMs);
}

/** mpirun waits for ever for a host that cannot be reached, which only a process can change that outlives the ranks. */
function endLauncher(): void {
  try {
    for (let pid = process.ppid; pid > 1; ) {
      const [, name, rest = ''] = /\((.*)\) \S (.*)/s.exec(readFileSync(`/proc/${pid}/stat`, 'latin1')) ?? [];
      const fields = rest.split(' '); // of proc(5), from the fourth
      if (launchers.has(name)) {
        // Another process of its number is not taken for it: the 22nd is when it began.
        const same = `[ "$(cut -d ' ' -f 22 /proc/${pid}/stat)" = ${fields[18]} ]`;
        const script = `sleep ${launcherPatience}; ${same} && kill -KILL ${pid}`;
        spawn('sh', ['-c', script], { detached: true, stdio: 'ignore' }).on('error', () => undefined);
        return;
      }
      pid = Number(fields[0]);
    }
  } catch {
    // no /proc: it is not known what has started this process
  }
}

function end(): void {
  ended = true;
  for (const socket of sockets) socket.end(farewell);
  server.close();
  parentPort!.close();
  setTimeout(() => process.exit(), 1000).unref(); // the others need not hear it
}

function tell(message: LifelineMessage): void {
  parentPort!.postMessage(message);
}
