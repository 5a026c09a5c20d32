/**
 * @file `npm run demo`: runs the demo as the `rmac` command does, with the settings of glibc's allocator that the first line of cli.js
 * has for it, on systems too that do not read that line.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const [firstLine] = readFileSync(cli, 'utf8').split('\n', 1);
const allocator = Object.fromEntries([...firstLine.matchAll(/(MALLOC_\w+)=(\w+)/g)].map(([, name, value]) => [name, value]));
const { status } = spawnSync(process.execPath, [cli, 'demo', ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: { ...allocator, ...process.env },
});
process.exitCode = status ?? 1;
