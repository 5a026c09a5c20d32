/**
 * @file `npm run check:tensorflow`: what the project uses of @tensorflow/tfjs-node and tfjs-node-gpu against the types they ship.
 * They cannot be dependencies (their install script downloads libtensorflow), so they are unpacked into a temporary folder
 * with no script run. Skips with a message where the registry cannot be reached.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tensorflowBackend, tensorflowPackages } from '../src/backend/tensorflow.js';

const version = '4.22.0';
const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'rmac-tensorflow-'));
try {
  process.exitCode = check();
} finally {
  rmSync(folder, { recursive: true });
}

function check(): number {
  writeFileSync(join(folder, 'package.json'), '{"private":true,"type":"module"}');
  const packages = tensorflowPackages.map((name) => `${name}@${version}`);
  // Errors must be seen even under `npm run --silent`.
  const npm = [
    'install',
    '--loglevel=error',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--fetch-retries=1',
    ...packages,
  ];
  const install = spawnSync('npm', npm, { cwd: folder, encoding: 'utf8', timeout: 180_000 });
  if (install.status !== 0) {
    if (/ENOTFOUND|EAI_AGAIN|ECONN|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH/.test(install.stderr) || install.error) {
      console.log('skipped: the npm registry cannot be reached');
      return 0;
    }
    console.error(install.stderr);
    return 1;
  }
  for (const name of tensorflowPackages) {
    const source = readFileSync(join(folder, 'node_modules', name, 'dist/index.js'), 'utf8');
    if (!source.includes(`registerBackend('${tensorflowBackend}'`)) {
      console.error(`${name} ${version} does not register a backend "${tensorflowBackend}".`);
      return 1;
    }
  }
  const imports = tensorflowPackages.map((name, i) => `import type * as p${i} from '${name}';`).join('\n');
  const uses = tensorflowPackages.map((_, i) => `export const m${i} = (m: typeof p${i}): TensorflowModule => m;`);
  const type = `import type { TensorflowModule } from ${JSON.stringify(join(root, 'src/backend/tensorflow.js'))};`;
  writeFileSync(join(folder, 'use.ts'), [imports, type, ...uses].join('\n'));
  const flags = '--ignoreConfig --noEmit --strict --skipLibCheck --types node --module nodenext --target es2023'.split(
    ' ',
  );
  const typeRoots = ['--typeRoots', join(root, 'node_modules/@types')];
  const tsc = spawnSync(join(root, 'node_modules/.bin/tsc'), [...flags, ...typeRoots, join(folder, 'use.ts')], {
    encoding: 'utf8',
  });
  if (tsc.status !== 0) {
    console.error(tsc.stdout, tsc.stderr);
    return 1;
  }
  console.log(`${packages.join(', ')}: the types fit`);
  return 0;
}
