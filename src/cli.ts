#!/usr/bin/env -S MALLOC_TRIM_THRESHOLD_=1073741824 MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TOP_PAD_=67108864 node
/**
 * @file Command table and exit codes; the only file that prints errors. 0 ok, 1 the work failed, 2 bad usage,
 * 130 it was asked to stop (Ctrl-C, SIGTERM, SIGHUP) and did. The first line tells glibc to keep the memory of one run of a graph for the next, which a training step is 5 to 20 % faster for
 * (results/engine.md); other allocators ignore it.
 */
import { createRequire } from 'node:module';
import { Command, CommanderError } from 'commander';
import { printable, say, wasInterrupted } from './commands/console.js';
import { InputError, messageOf, systemErrorLine, UsageError } from './errors.js';
import { guardStreams } from './standard-streams.js';

const { version } = createRequire(import.meta.url)('../package.json') as { version: string };

/** Every command file exports `register(program)`; its library code is imported when it runs. */
const commandFiles: string[] = [
  'doctor',
  'demo',
  'data',
  'clean',
  'weights',
  'train',
  'report',
  'whiten',
  'match',
  'explain',
  'extract',
  'evaluate',
  'compare',
  'regions',
  'export',
];

export async function buildProgram(): Promise<Command> {
  const program = new Command('rmac')
    .description('Train, export and measure CNN descriptors for instance-level image retrieval.')
    .version(version)
    .option('--verbose', 'show stack traces')
    .showHelpAfterError('(add --help for usage)')
    .configureOutput({ writeErr: (text) => process.stderr.write(printable(text)) })
    .exitOverride();
  for (const file of commandFiles) {
    const command = (await import(`./commands/${file}.js`)) as { register(program: Command): void };
    command.register(program);
  }
  return program;
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  return error instanceof UsageError ? 2 : 1;
}

/** One line on stderr for whatever was thrown; with --verbose the stack, too. */
function tell(error: unknown): void {
  if (error instanceof CommanderError) return; // commander has said it
  const known = error instanceof InputError || error instanceof UsageError ? messageOf(error) : systemErrorLine(error);
  say(`rmac: ${(known ?? `internal error: ${messageOf(error)} (--verbose shows where)`).replaceAll(/[\r\n]+/g, ' ')}`);
  if (process.argv.includes('--verbose') && error instanceof Error) say(`${error.stack}`);
}

/** Runs one command line; returns the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  let code = 0;
  try {
    const program = await buildProgram();
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    tell(error);
    code = exitCodeOf(error);
  }
  return wasInterrupted() ? 130 : code;
}

guardStreams((error) => {
  tell(error);
  process.exitCode = 1;
});
// What is thrown outside of the command's own promises: an event that nobody listens to.
process.on('uncaughtException', (error) => {
  tell(error);
  process.exit(1);
});
let ended = false;
process.on('exit', (code) => {
  if (ended || code !== 0) return;
  say('rmac: the command ended before its work was done: nothing is left that it could wait for. Run it again.');
  process.exitCode = 1;
});
// No await at the top: Node would end with code 13 and its own words where `main` never settles.
void main(process.argv.slice(2)).then((code) => {
  ended = true;
  process.exitCode ||= code;
});
