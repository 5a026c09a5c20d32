/**
 * @file `npm run gpu:pack -- [OUT.tar.xz]`: check.ts and all that it needs on a bare Linux machine with a GPU's driver and no network: Node.js,
 * ONNX Runtime, sharp, the Vulkan loader. There: `tar xf rmac-gpu.tar.xz && rmac-gpu/check --out gpu.json`.
 */
import { spawnSync } from 'node:child_process';
import { copyFile, cp, mkdir, mkdtemp, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const out = resolve(process.argv[2] ?? 'rmac-gpu.tar.xz');
const root = fileURLToPath(new URL('../..', import.meta.url));
const work = await mkdtemp(join(tmpdir(), 'rmac-gpu-'));
const pack = join(work, 'rmac-gpu');
const program = join(pack, 'gpu');
if (process.platform !== 'linux' || process.arch !== 'x64')
  throw new Error('The pack is for Linux x64 and made there.');

/** Packages with native code, which stay as they are; all else is bundled. */
const native = ['onnxruntime-node', 'onnxruntime-common', 'sharp', '@img', 'detect-libc', 'semver'];
const loader = ['/usr/lib/x86_64-linux-gnu/libvulkan.so.1', '/usr/lib64/libvulkan.so.1'];

try {
  await mkdir(join(pack, 'lib'), { recursive: true });
  await build({
    entryPoints: [
      ...['gpu/check', 'gpu/kernels-worker', 'gpu/models-worker', 'bench/worker', 'bench/update-worker'].map((name) =>
        join(root, `scripts/${name}.ts`),
      ),
      join(root, 'src/backend/lane-worker.ts'),
    ],
    outdir: program,
    entryNames: '[name]',
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    mainFields: ['module', 'main'], // one copy of tfjs-core, whose parts are modules
    external: [
      'onnxruntime-node',
      'onnxruntime-node/*',
      'sharp',
      'koffi',
      '@tensorflow/tfjs-backend-wasm',
      '@tensorflow/tfjs-node*',
    ],
    alias: { '@tensorflow/tfjs': '@tensorflow/tfjs-core' },
    banner: {
      js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);",
    },
    plugins: [
      {
        name: 'gradients and methods of tensors come with the bundle',
        setup: (building) => {
          const imports = ['@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-cpu', './tfjs-registrations.js'];
          const contents = imports.map((name) => `import '${name}';`).join('\n');
          building.onLoad({ filter: /backend\/tfjs-registrations\.ts$/ }, () => ({
            contents,
            resolveDir: join(root, 'scripts/npm'),
          }));
        },
      },
    ],
    logLevel: 'warning',
  });
  await writeFile(join(program, 'lane-worker.js'), "import('./lane-worker.mjs');\n"); // by the name that the engine knows
  for (const name of ['worker.py', 'update.py']) await copyFile(join(root, 'scripts/bench', name), join(program, name));
  for (const name of native) {
    const from = join(root, 'node_modules', name);
    await cp(from, join(pack, 'node_modules', name), {
      recursive: true,
      filter: (path) =>
        !/\.(map|md)$|\/bin\/napi-v6\/(darwin|win32)|\/linux\/arm64|sharp.*(musl|wasm|arm|win32|darwin)/.test(path),
    });
  }
  await copyFile(await realpath(process.execPath), join(pack, 'node'));
  const found = await firstOf(loader);
  if (found === undefined) process.stderr.write('No libvulkan.so.1 here (Debian: libvulkan1): the pack is without.\n');
  else await copyFile(await realpath(found), join(pack, 'lib/libvulkan.so.1'));
  await writeFile(
    join(pack, 'check'),
    `#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
# The machine's own Vulkan loader goes first.
ldconfig -p 2>/dev/null | grep -q libvulkan.so.1 || export LD_LIBRARY_PATH="$here/lib:$LD_LIBRARY_PATH"
exec "$here/node" "$here/gpu/check.mjs" "$@"
`,
    { mode: 0o755 },
  );
  await mkdir(dirname(out), { recursive: true });
  const tar = spawnSync('tar', ['-cJf', out, '-C', work, 'rmac-gpu'], {
    stdio: 'inherit',
    env: { XZ_OPT: '-6 -T0', ...process.env },
  });
  if (tar.status !== 0) throw new Error('tar failed.');
  process.stdout.write(`${out}: ${((await stat(out)).size / 1e6).toFixed(1)} MB\n`);
} finally {
  await rm(work, { recursive: true });
}

async function firstOf(files: readonly string[]): Promise<string | undefined> {
  for (const file of files) {
    if (
      await stat(file).then(
        () => true,
        () => false,
      )
    )
      return file;
  }
  return undefined;
}
