/** @file `rmac status`: how far the shards of a job are. */
import type { Command } from 'commander';
import { type ShardProgress, shardStatus } from '../stages/shard-status.js';
import { alignedLines, printResult } from './console.js';

export function register(program: Command): void {
  program
    .command('status')
    .argument('<dir>', 'folder that "rmac extract --shard" or "rmac clean --shard" writes into')
    .option('--json', 'print one JSON object on stdout and nothing else')
    .addHelpText(
      'after',
      `
A shard that has stopped or failed goes on when its command is given again. One is silent that runs on another machine and has written
nothing for ten minutes: its work may take so long, or the machine is gone.

Example:
  rmac status descriptors/`,
    )
    .action(run);
}

async function run(folder: string, options: { json?: boolean }): Promise<void> {
  const shards = await shardStatus(folder);
  const done = shards.filter(({ state }) => state === 'done').length;
  const table = alignedLines({
    columns: ['shard', 'state', 'work', 'done', 'host', 'updated'],
    rows: shards.map(cells),
  });
  const text = [...table, `${done} of ${shards.length} shards done`].join('\n');
  printResult({ folder, done, shards }, text, options);
}

function cells({ shard, state, work = '', done = 0, total = 0, host = '', updatedAt = '' }: ShardProgress): string[] {
  return [shard, state, work, state === 'not begun' ? '' : `${done}/${total}`, host, updatedAt];
}
