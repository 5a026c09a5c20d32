/**
 * @file npm runs this after an installation in a clone, and before packing: builds dist/. An installation without the development
 * dependencies (`npm ci --omit=dev`) has no compiler, and says how dist/ comes to be.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import './preinstall.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const compilers = ['typescript', 'assemblyscript', 'esbuild'];
if (compilers.every((name) => existsSync(`${root}node_modules/${name}`))) {
  process.exitCode = spawnSync('npm run --silent build', { cwd: root, stdio: 'inherit', shell: true }).status ?? 1;
} else if (existsSync(`${root}dist/cli.js`)) {
  console.error('rmac: dist/ stays as it was built: the compilers are development dependencies.');
} else {
  console.error(
    'rmac: not built, the compilers are development dependencies. Build first and drop them then: npm ci && npm prune --omit=dev',
  );
  if (process.env.npm_command === 'pack' || process.env.npm_command === 'publish') process.exitCode = 1;
}
