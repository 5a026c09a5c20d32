/**
 * @file `npm run check:package`: the packed package in an empty project, and a clone without development dependencies, installed
 * from the npm registry while every other host is out of reach. Skips with a message where the registry cannot be reached.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const mostMegabytes = 350;
const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'rmac-installed-'));

// Not what `npm run` sets for this project; and onnxruntime-node's install script, which honours this proxy, reaches nothing.
const inherited = Object.entries(process.env).filter(([name]) => !/^npm_|^onnxruntime/i.test(name));
const env = { ...Object.fromEntries(inherited), GLOBAL_AGENT_HTTPS_PROXY: 'http://127.0.0.1:9' };

class Unreachable extends Error {}

function run(cwd: string, command: string, args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, env, encoding: 'utf8', timeout: 300_000 });
  if (status === 0 && !stderr.includes('Unknown project config')) return stdout;
  if (command === 'npm' && /npm error (code|errno) (ENOTFOUND|EAI_AGAIN|ECONN\w+|ETIMEDOUT)/.test(stderr)) {
    throw new Unreachable();
  }
  throw new Error(`${command} ${args.join(' ')}: status ${status} ${error ?? ''}\n${stdout}${stderr}`);
}

function megabytes(path: string): number {
  const entry = lstatSync(path);
  if (!entry.isDirectory()) return (entry.blocks * 512) / 2 ** 20;
  return readdirSync(path).reduce((sum, name) => sum + megabytes(join(path, name)), 0);
}

function checkSize(project: string, what: string): void {
  const size = megabytes(join(project, 'node_modules'));
  console.log(`${what}: ${size.toFixed(0)} MB`);
  if (process.platform === 'linux' && size > mostMegabytes) throw new Error(`${what}: more than ${mostMegabytes} MB`);
}

const program = `
import { startEngine, l2Normalize } from 'rmac';
import * as tf from '@tensorflow/tfjs-core';
await startEngine({ threads: 1 });
const gradient = tf.grad((x) => l2Normalize(x).sum())(tf.tensor2d([[3, 4]]));
console.log(tf.getBackend(), [...gradient.dataSync()].map((value) => value.toFixed(3)).join(' '));
`;

function checkTarball(): void {
  const project = join(folder, 'project');
  mkdirSync(project);
  const tarball = run(root, 'npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder]).trim();
  const packed = join(folder, tarball);
  // npm 12 runs the install scripts of approved packages only.
  const allowScripts = { [`file:${packed}`]: true };
  writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module', allowScripts }));
  run(project, 'npm', ['install', '--no-audit', '--no-fund', '--fetch-retries=1', packed]);
  run(project, 'npx', ['--no', 'rmac', '--version']);
  writeFileSync(join(project, 'program.js'), program);
  // d/dx of (x + y) / |(x, y)| at (3, 4): (y² − x y) / |.|³ = 4 / 125, and (x² − x y) / |.|³ = −3 / 125.
  const output = run(project, 'node', ['program.js']).trim();
  if (!output.endsWith('onnx 0.032 -0.024')) throw new Error(`The program printed: ${output}`);
  checkSize(project, 'the package in an empty project');
}

function checkClone(): void {
  const clone = join(folder, 'clone');
  for (const file of run(root, 'git', ['ls-files', '-z']).split('\0').slice(0, -1)) {
    mkdirSync(dirname(join(clone, file)), { recursive: true });
    cpSync(join(root, file), join(clone, file));
  }
  run(clone, 'npm', ['ci', '--omit=dev', '--no-audit', '--no-fund', '--fetch-retries=1']);
  cpSync(join(root, 'dist'), join(clone, 'dist'), { recursive: true });
  run(clone, 'node', ['dist/cli.js', 'doctor', '--threads', '1']);
  checkSize(clone, 'a clone without development dependencies');
}

try {
  checkTarball();
  checkClone();
} catch (error) {
  if (error instanceof Unreachable) {
    console.log('skipped: the npm registry cannot be reached');
  } else {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}
