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

/** Every command, in the order of the help. A file is loaded, with all that it imports, when its command is asked for. */
const commands: readonly {
  name: string;
  description: string;
  load: () => Promise<{ register(program: Command): void }>;
}[] = [
  {
    name: 'doctor',
    description: 'Show engine, devices and versions, with a 2-second speed check.',
    load: () => import('./commands/doctor.js'),
  },
  {
    name: 'demo',
    description: 'Measure a network, fine-tune it, measure it again and export it: minutes, ends with a report.',
    load: () => import('./commands/demo.js'),
  },
  {
    name: 'data',
    description: 'photographs in folders -> manifests; splits; generated photographs; benchmarks',
    load: () => import('./commands/data.js'),
  },
  {
    name: 'clean',
    description: 'Keep the photographs of each landmark that show one thing, and find its box in each.',
    load: () => import('./commands/clean.js'),
  },
  {
    name: 'weights',
    description: 'import published weights, look into weight files',
    load: () => import('./commands/weights.js'),
  },
  {
    name: 'train',
    description: 'Fine-tune a network on landmark photographs.',
    load: () => import('./commands/train.js'),
  },
  {
    name: 'report',
    description: 'Write one HTML page of a training run: curves, best model, hardest triplets, settings.',
    load: () => import('./commands/report.js'),
  },
  {
    name: 'whiten',
    description: 'Learn a whitening on a data set and store it in the model.',
    load: () => import('./commands/whiten.js'),
  },
  {
    name: 'match',
    description: 'keypoint matches of two photographs and the affine map they agree on',
    load: () => import('./commands/match.js'),
  },
  {
    name: 'explain',
    description:
      'why two photographs match: the patches of their strongest common components, and where one lies in the other',
    load: () => import('./commands/explain.js'),
  },
  { name: 'extract', description: 'Compute the descriptors of images.', load: () => import('./commands/extract.js') },
  {
    name: 'group',
    description: 'Find out which photographs show the same thing, without labels.',
    load: () => import('./commands/group.js'),
  },
  {
    name: 'index',
    description: 'Make photographs a collection that can be searched, and keep it up to date.',
    load: () => import('./commands/index-collection.js'),
  },
  {
    name: 'search',
    description: 'Find the photographs of a collection that show what a photograph shows.',
    load: () => import('./commands/search.js'),
  },
  {
    name: 'evaluate',
    description: 'Measure retrieval: mAP, P@1 and recall@k under a named protocol.',
    load: () => import('./commands/evaluate.js'),
  },
  {
    name: 'compare',
    description: 'Set models and published systems side by side on one benchmark.',
    load: () => import('./commands/compare.js'),
  },
  {
    name: 'regions',
    description: 'Measure how well the grid and the proposals of a model find the boxes of a manifest.',
    load: () => import('./commands/regions.js'),
  },
  { name: 'export', description: 'Write a model for other programs.', load: () => import('./commands/export.js') },
];

async function buildProgram(argv: readonly string[]): Promise<Command> {
  const program = new Command('rmac')
    .description('Train, export and measure CNN descriptors for instance-level image retrieval.')
    .version(version)
    .option('--verbose', 'show stack traces')
    .showHelpAfterError('(add --help for usage)')
    .configureOutput({ writeErr: (text) => process.stderr.write(printable(text)) })
    .exitOverride();
  for (const { name, description, load } of commands) {
    if (argv.includes(name)) (await load()).register(program);
    else program.command(name);
    program.commands.at(-1)?.description(description);
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
    const program = await buildProgram(argv);
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
