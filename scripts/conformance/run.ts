/**
 * @file `npm run test:conformance`: tfjs-core's own suite against this backend. The suite lies in tfjs-core's npm package
 * as browser modules; it is bundled together with the backend so that both see one tfjs-core.
 *
 *   npm run test:conformance -- [--backend=onnx|cpu] [--grep=TEXT] [--verbose]
 *
 * Prints every failed spec, the kernel counts, how many kernels a training step hands to the JavaScript backend, and as
 * the last line `N passed, N failed, N skipped`. Exit code 1 if a spec fails that known-failures.ts does not explain, if
 * fewer than 4,148 pass, or if a training step leaves the backend.
 */
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { knownFailures } from './known-failures.js';

const option = (name: string, fallback = '') =>
  process.argv.find((argument) => argument.startsWith(`--${name}=`))?.slice(name.length + 3) ?? fallback;
const backend = option('backend', 'onnx') as 'onnx' | 'cpu';
const grep = option('grep');
const verbose = process.argv.includes('--verbose');

const folder = fileURLToPath(new URL('../../node_modules/.cache/rmac/', import.meta.url));
const bundle = `${folder}conformance.cjs`;
mkdirSync(folder, { recursive: true });
await build({
  entryPoints: [fileURLToPath(new URL('suite.ts', import.meta.url))],
  outfile: bundle,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  mainFields: ['module', 'main'],
  ignoreAnnotations: true, // tfjs declares modules free of side effects that register kernels
  alias: { '@tensorflow/tfjs': '@tensorflow/tfjs-core' },
  external: ['onnxruntime-node', 'jasmine-core', '@tensorflow/tfjs-node', '@tensorflow/tfjs-node-gpu'],
  define: { 'import.meta.url': 'bundleUrl' },
  banner: { js: "const bundleUrl = require('node:url').pathToFileURL(__filename).href;" },
  logLevel: 'error',
  // What src/backend loads from dist is bundled here, for the same tfjs-core.
  plugins: [
    {
      name: 'tfjs-registrations',
      setup: (bundling) =>
        bundling.onResolve({ filter: /\/tfjs-registrations\.js$/ }, () => ({
          path: fileURLToPath(new URL('../npm/tfjs-registrations.js', import.meta.url)),
        })),
    },
  ],
});

interface SpecResult {
  fullName: string;
  status: 'passed' | 'failed' | 'pending' | 'disabled' | 'excluded';
  failedExpectations: { message: string; stack: string }[];
}

interface JasmineEnvironment {
  configure(options: { random: boolean; specFilter: (spec: { getFullName(): string }) => boolean }): void;
  clearReporters(): void;
  addReporter(reporter: { specDone(result: SpecResult): void; jasmineDone(): void }): void;
  execute(): void;
}

const require = createRequire(import.meta.url);
const jasmineCore = require('jasmine-core') as { boot(core: unknown): { getEnv(): JasmineEnvironment } };
const environment = jasmineCore.boot(jasmineCore).getEnv();
const suite = require(bundle) as typeof import('./suite.js');
// The suite warns about flags and dtypes thousands of times.
console.warn = () => {};
await suite.start(backend);
// First: the specs leave the engine in a state of their own.
const forwardedInTraining = backend === 'onnx' ? await suite.forwardedInTraining() : 0;
await suite.defineSpecs(backend);

let unexplained = 0;
const counts = { passed: 0, failed: 0, skipped: 0 };
const finished = new Promise<void>((resolve) => {
  environment.clearReporters();
  environment.addReporter({
    specDone({ fullName, status, failedExpectations }: SpecResult) {
      if (status === 'passed') counts.passed++;
      else if (status === 'failed') {
        counts.failed++;
        const reason = Object.entries(knownFailures).find(([name]) => fullName === name)?.[1];
        if (reason === undefined) unexplained++;
        process.stdout.write(`FAILED ${fullName}${reason === undefined ? '' : ` (known: ${reason})`}\n`);
        for (const { message, stack } of verbose ? failedExpectations : failedExpectations.slice(0, 1)) {
          process.stdout.write(`  ${verbose ? stack : message.slice(0, 200)}\n`);
        }
      } else counts.skipped++;
    },
    jasmineDone: () => resolve(),
  });
});
environment.configure({ random: false, specFilter: (spec) => spec.getFullName().includes(grep) });
environment.execute();
await finished;
const { native, forwarded } = suite.kernels();
process.stdout.write(`${native.length} kernels native, ${forwarded.length} forwarded to the JavaScript backend\n`);
process.stdout.write(`${forwardedInTraining} forwarded in three training steps\n`);
process.stdout.write(`${unexplained} failures are not explained in known-failures.ts\n`);
process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
// What tfjs's JavaScript backend was once seen to pass; fewer means that specs did not run.
const enough = counts.passed >= 4148 || grep !== '';
process.exitCode = backend === 'onnx' && (unexplained > 0 || forwardedInTraining > 0 || !enough) ? 1 : 0;
