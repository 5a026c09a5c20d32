#!/usr/bin/env -S MALLOC_TRIM_THRESHOLD_=1073741824 MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TOP_PAD_=67108864 node
/**
 * @file Command table and exit codes; the only file that prints errors. 0 ok, 1 the work failed, 2 bad usage. The first line
 * tells glibc to keep the memory of one run of a graph for the next, which a training step is 5 to 20 % faster for
 * (results/engine.md); other allocators ignore it.
 */
import { createRequire } from 'node:module';
import { Command, CommanderError } from 'commander';
import { InputError, messageOf, UsageError } from './errors.js';

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

/** Runs one command line; returns the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const verbose = argv.includes('--verbose');
  try {
    const program = await buildProgram();
    await program.parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    if (!(error instanceof CommanderError)) {
      const known = error instanceof InputError || error instanceof UsageError;
      const line = known ? messageOf(error) : `internal error: ${messageOf(error)} (--verbose shows where)`;
      process.stderr.write(`rmac: ${line.replaceAll('\n', ' ')}\n`);
      if (verbose && error instanceof Error) process.stderr.write(`${error.stack}\n`);
    }
    return exitCodeOf(error);
  }
}

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
process.exitCode = await main(process.argv.slice(2));
