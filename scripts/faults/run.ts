/**
 * @file `npm run test:faults [-- --seconds N --seed N]`: commands on damaged files, on a system that refuses a file
 * operation, and killed at one. However the command ends, it says so in one line, leaves no half file under a final name,
 * and after a kill the same command leads to what it would have led to.
 */
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { RandomStream } from '../../src/train/random.js';
import { commands, type FaultCommand, makeInputs } from './commands.js';
import { damaged } from './mutate.js';
import { type Outcome, runCommand, wrongEnd } from './outcome.js';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '180' },
    seed: { type: 'string' },
    only: { type: 'string', default: '' },
    parallel: { type: 'string', default: '2' },
  },
});
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const errnos = ['EACCES', 'ENOSPC', 'EMFILE', 'EIO'];
const chosen = commands.filter(({ name }) => name.includes(values.only));

const root = realpathSync(mkdtempSync(join(tmpdir(), 'rmac-faults-')));
const inputs = join(root, 'inputs');
let passed = 0;
let failed = 0;

/** What a command does without a fault: its file operations, and what it leaves. */
interface Sound {
  operations: number;
  left: string;
}
const sound = new Map<FaultCommand, Promise<Sound>>();

function soundRun(command: FaultCommand): Promise<Sound> {
  const known = sound.get(command);
  if (known !== undefined) return known;
  const run = inCopy(`sound-${chosen.indexOf(command)}`, async (folder) => {
    const read = command.reads.map((name) => ({ name, files: filesOf(folder, name) })); // the command may remove them
    const { code, stderr, operations = 0, opened } = await runCommand(command.args, folder);
    if (code !== (command.code ?? 0)) throw new Error(`${command.name} without a fault: ${code} ${stderr}`);
    // Damage to a file that is never opened would find nothing wrong, whatever the command does.
    const unread = read.find(({ files }) => !files.some((file) => opened.has(file)));
    if (unread !== undefined) throw new Error(`${command.name} does not open ${unread.name}`);
    return { operations, left: contentsOf(command, folder) };
  });
  sound.set(command, run);
  return run;
}

/** The full paths of what a command's `reads` names. */
function filesOf(folder: string, read: string): string[] {
  const path = join(folder, read);
  return statSync(path).isDirectory() ? readdirSync(path).map((name) => join(path, name)) : [path];
}

async function inCopy<T>(name: string, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = join(root, name);
  cpSync(inputs, folder, { recursive: true, preserveTimestamps: true }); // an index knows photographs by them
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What lies under the final names, hidden files left out. */
function contentsOf({ writes = [], durations }: FaultCommand, folder: string): string {
  const parts: string[] = [];
  const visit = (path: string) => {
    const file = join(folder, path);
    if (!existsSync(file)) return;
    if (!statSync(file).isDirectory()) parts.push(path, readFileSync(file, 'latin1'));
    else for (const name of readdirSync(file).toSorted()) if (!name.startsWith('.')) visit(join(path, name));
  };
  writes.forEach(visit);
  const contents = parts.join('\0');
  return durations === undefined ? contents : contents.replaceAll(durations, '');
}

type Fault = (command: FaultCommand, folder: string, random: RandomStream) => Promise<Verdict>;
interface Verdict {
  /** The fault, so that a person can repeat it. */
  fault: string;
  problem: string | undefined;
  outcome?: Outcome;
}

const faults: Record<'damage' | 'refuse' | 'kill', Fault> = {
  async damage(command, folder, random) {
    await soundRun(command);
    const files = filesOf(folder, command.reads[random.below(command.reads.length)]);
    const path = files[random.below(files.length)];
    writeFileSync(path, damaged(readFileSync(path), path, random));
    const outcome = await runCommand(command.args, folder);
    return { fault: `damaged ${relative(folder, path)}`, problem: wrongEnd(outcome), outcome };
  },
  async refuse(command, folder, random) {
    const { operations } = await soundRun(command);
    const fault = `${errnos[random.below(errnos.length)]}:${1 + random.below(operations)}`;
    const outcome = await runCommand(command.args, folder, fault);
    return { fault, problem: wrongEnd(outcome), outcome };
  },
  async kill(command, folder, random) {
    const { operations, left } = await soundRun(command);
    const fault = `kill:${1 + random.below(operations)}`;
    await runCommand(command.args, folder, fault);
    let outcome = await runCommand(command.args, folder);
    // What was finished before the kill is not made again unless one asks for it.
    if (outcome.code === 1 && command.again !== undefined)
      outcome = await runCommand([...command.args, ...command.again], folder);
    const problem =
      wrongEnd(outcome) ??
      (outcome.code !== 0 ? 'the same command does not continue' : undefined) ??
      (contentsOf(command, folder) !== left ? 'another result than without the kill' : undefined);
    return { fault, problem, outcome };
  },
};

async function runCase(number: number): Promise<void> {
  const random = new RandomStream(seed + number);
  // Formats have many commands that only read: what is put to those that write is drawn apart.
  const kind = (['damage', 'refuse', 'kill'] as const)[random.below(3)];
  const suited = chosen.filter(({ reads, writes }) => (kind === 'damage' ? reads.length > 0 : writes !== undefined));
  if (suited.length === 0) return;
  const command = suited[random.below(suited.length)];
  await inCopy(`case-${number}`, async (folder) => {
    const { fault, problem, outcome } = await faults[kind](command, folder, random);
    if (problem === undefined) passed++;
    else {
      failed++;
      const said =
        outcome === undefined
          ? ''
          : `\n      ${outcome.stderr.trim().split('\n').slice(-6).join('\n      ').slice(0, 1500)}`;
      process.stdout.write(
        `FAIL  case ${number} (--seed ${seed + number} --seconds 0): ${command.name}, ${fault}: ${problem}${said}\n`,
      );
    }
  });
}

process.stdout.write(`seed ${seed}\n`);
try {
  await makeInputs(inputs);
  const startedAt = performance.now();
  let next = 0;
  const worker = async () => {
    do await runCase(next++);
    while (performance.now() - startedAt < 1000 * Number(values.seconds));
  };
  const workers = Number(values.seconds) === 0 ? 1 : Number(values.parallel);
  await Promise.all(Array.from({ length: workers }, worker));
} finally {
  rmSync(root, { recursive: true, force: true });
}
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
