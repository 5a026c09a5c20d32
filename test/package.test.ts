import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'esbuild';
import { afterEach, beforeEach, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rmac-package-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(path: string, text = ''): string {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
  return join(folder, path);
}

function node(script: string, env: NodeJS.ProcessEnv = {}) {
  const inherited = Object.entries(process.env).filter(([name]) => !/^npm_|^onnxruntime/i.test(name));
  return spawnSync(process.execPath, [script], {
    encoding: 'utf8',
    env: { ...Object.fromEntries(inherited), ...env },
  });
}

test('package-lock.json: npm ci runs no install script of onnxruntime-node', () => {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  // npm sets it again when it changes the package: remove the line "hasInstallScript" of node_modules/onnxruntime-node.
  expect(packages['node_modules/onnxruntime-node']).not.toHaveProperty('hasInstallScript');
});

/** An installed package rmac beside an onnxruntime-node whose install script says that it ran. */
function fakeInstallation(binaries: string[]): { preinstall: string; ort: string } {
  write('node_modules/onnxruntime-node/package.json', '{"name":"onnxruntime-node"}');
  write('node_modules/onnxruntime-node/script/install.js', 'console.log("downloads")');
  for (const binary of binaries) write(`node_modules/onnxruntime-node/bin/napi-v6/${binary}/x.node`);
  const installed = join(folder, 'node_modules/rmac/scripts/npm');
  cpSync(join(root, 'scripts/npm'), installed, { recursive: true });
  return { preinstall: join(installed, 'preinstall.mjs'), ort: join(folder, 'node_modules/onnxruntime-node') };
}

const platforms = ['darwin/arm64', 'linux/arm64', 'linux/x64', 'win32/x64'];
const target = { npm_config_os: 'linux', npm_config_cpu: 'x64' };

test('preinstall: CUDA libraries are downloaded when asked for, only', () => {
  const { preinstall, ort } = fakeInstallation(platforms);
  expect(node(preinstall, target)).toMatchObject({ status: 0, stderr: '' });
  const script = join(ort, 'script/install'); // as its package.json names it
  expect(node(script).stdout).toBe('');
  expect(node(script, { ONNXRUNTIME_NODE_INSTALL: 'cuda12' }).stdout).toBe('downloads\n');
  expect(node(script, { npm_config_onnxruntime_node_install_cuda: 'v12' }).stdout).toBe('downloads\n');
});

test("preinstall: keeps this machine's binaries, all on request, and all where this machine has none", () => {
  const left = (env: NodeJS.ProcessEnv, binaries = platforms) => {
    const { preinstall, ort } = fakeInstallation(binaries);
    expect(node(preinstall, { ...target, ...env }).status).toBe(0);
    const bin = join(ort, 'bin/napi-v6');
    const found = readdirSync(bin).flatMap((os) => readdirSync(join(bin, os)).map((cpu) => `${os}/${cpu}`));
    rmSync(ort, { recursive: true });
    return found.toSorted();
  };
  expect(left({})).toEqual(['linux/x64']);
  expect(left({ RMAC_ALL_PLATFORMS: '1' })).toEqual(platforms);
  expect(left({ npm_config_os: 'freebsd' })).toEqual(platforms);
});

test('preinstall: nothing to do before there are dependencies; what fails is one line and no failure', () => {
  const { preinstall, ort } = fakeInstallation([]);
  rmSync(join(ort, 'script'), { recursive: true });
  const { status, stderr } = node(preinstall);
  expect(status).toBe(0);
  expect(stderr).toMatch(/^rmac: onnxruntime-node is left as it is: Error: ENOENT.*\n$/);
  rmSync(ort, { recursive: true });
  expect(node(preinstall)).toMatchObject({ status: 0, stderr: '' });
});

test('prepare: does what preinstall could not do yet', () => {
  const { preinstall, ort } = fakeInstallation(platforms);
  write('node_modules/rmac/dist/cli.js');
  expect(node(join(preinstall, '../prepare.mjs'), target).status).toBe(0);
  expect(readdirSync(join(ort, 'bin/napi-v6'))).toEqual(['linux']);
  rmSync(join(folder, 'node_modules/rmac/dist'), { recursive: true });
});

test('prepare: without compilers an installation says that nothing was built, packing fails', () => {
  write('package.json', '{"type":"module"}');
  cpSync(join(root, 'scripts/npm'), join(folder, 'scripts/npm'), { recursive: true });
  const prepare = join(folder, 'scripts/npm/prepare.mjs');
  const notBuilt =
    'rmac: not built, the compilers are development dependencies. Build first and drop them then: npm ci && npm prune --omit=dev\n';
  expect(node(prepare, { npm_command: 'ci' })).toMatchObject({ status: 0, stderr: notBuilt });
  expect(node(prepare, { npm_command: 'pack' })).toMatchObject({ status: 1, stderr: notBuilt });
  write('dist/cli.js');
  expect(node(prepare, { npm_command: 'pack' }).status).toBe(0);
});

test('the packed package: its types hold without skipLibCheck, its texts point at files it has', () => {
  const pack = spawnSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], {
    cwd: root,
    encoding: 'utf8',
  });
  const ours = pack.stderr.replaceAll(/^npm warn Unknown (env|user) config .*$/gm, ''); // the machine's are not
  expect(ours).not.toContain('Unknown');
  // a list, of npm 12 an object by name
  const [{ filename }] = Object.values(JSON.parse(pack.stdout) as Record<string, { filename: string }>);
  const installed = join(folder, 'node_modules/rmac');
  mkdirSync(installed, { recursive: true });
  spawnSync('tar', ['xzf', join(folder, filename), '--strip-components=1', '-C', installed]);

  // Its dependencies and no others: a type that is only a development dependency's must be missing.
  const { dependencies } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  for (const name of [
    ...Object.keys(dependencies),
    '@types/node',
    'undici-types',
    '@webgpu/types',
    'onnxruntime-common',
  ]) {
    mkdirSync(dirname(join(folder, 'node_modules', name)), { recursive: true });
    if (existsSync(join(root, 'node_modules', name)))
      symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
  }
  write('package.json', '{"type":"module"}');
  const use = write('use.ts', "export * as rmac from 'rmac';\nexport * as backend from 'rmac/backend';\n");
  const examples = ['fine-tune.ts', 'own-loss.ts'].map((name) =>
    write(name, readFileSync(join(installed, 'examples', name), 'utf8')),
  );
  for (const resolution of [
    ['--module', 'nodenext'],
    ['--module', 'esnext', '--moduleResolution', 'bundler'],
  ]) {
    const tsc = spawnSync(
      process.execPath,
      [
        join(root, 'node_modules/typescript/bin/tsc'),
        '--ignoreConfig',
        '--noEmit',
        '--strict',
        '--target',
        'es2023',
        '--lib',
        'es2023',
        '--types',
        'node',
        '--preserveSymlinks',
        ...resolution,
        use,
        ...examples,
      ],
      { cwd: folder, encoding: 'utf8' },
    );
    // tfjs-core's own declarations have errors (Long); ours and the program's must have none.
    expect(
      tsc.stdout
        .split('\n')
        .filter((line) => /^(\S*node_modules\/rmac\/|(use|fine-tune|own-loss)\.ts|error)/.test(line)),
    ).toEqual([]);
    expect(tsc.stdout).toContain('tfjs-core/dist/hash_util.d.ts'); // it did look into libraries
  }

  const texts = readdirSync(join(installed, 'dist'), { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.js'),
  );
  const named = texts.flatMap((file) => {
    const text = readFileSync(join(installed, 'dist', file), 'utf8');
    const { code } = transformSync(text, { minifyWhitespace: true, legalComments: 'none' }); // comments are for readers of src
    return [...code.matchAll(/\b(?:src|docs|recipes|checkpoints|results|scripts|examples)\/[\w./-]*\w/g)].map(
      ([path]) => path,
    );
  });
  expect(named).toContain('docs/protocols.md');
  const guides = readdirSync(join(installed, 'docs')).filter((file) => file.endsWith('.md'));
  const pages = ['README.md', ...guides.map((file) => join('docs', file))];
  const linked = pages.flatMap((file) => {
    const links = readFileSync(join(installed, file), 'utf8').matchAll(/\]\((?!https?:)([^)#]+)/g);
    return [...links].map(([, link]) => join(dirname(file), link));
  });
  const missing = [...named, ...linked].filter((path) => !path.includes('NAME') && !existsSync(join(installed, path)));
  expect(missing).toEqual([]);
});

test('npm run demo has the settings of the allocator that the command has', () => {
  const [firstLine] = readFileSync(join(root, 'src/cli.ts'), 'utf8').split('\n', 1);
  const wanted = [...firstLine.matchAll(/MALLOC_\w+=\d+/g)].map(([setting]) => setting);
  expect(wanted).toHaveLength(3);
  const print =
    "Object.entries(process.env).filter(([name]) => name.startsWith('MALLOC_')).map((pair) => pair.join('='))";
  write(
    'dist/cli.js',
    `${firstLine}\nconsole.log(JSON.stringify([process.argv.slice(2), ${print}])); process.exit(3);`,
  );
  mkdirSync(join(folder, 'scripts/npm'), { recursive: true });
  cpSync(join(root, 'scripts/npm/demo.mjs'), join(folder, 'scripts/npm/demo.mjs'));
  const { stdout, status } = node(join(folder, 'scripts/npm/demo.mjs'));
  const [given, settings] = JSON.parse(stdout) as [string[], string[]];
  expect(given).toEqual(['demo']);
  expect(settings).toEqual(expect.arrayContaining(wanted));
  expect(status).toBe(3);
});
