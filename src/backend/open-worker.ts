/** @file Worker threads that run from the compiled and from the source tree. */
import { SHARE_ENV, Worker } from 'node:worker_threads';

/**
 * A worker thread of the module beside `here` (an `import.meta.url`). From dist/ the compiled file; from src/, where tests and scripts run,
 * the source through tsx, whose hooks a worker does not inherit. It sets the process's own environment, which libraries read, not a copy.
 */
export function openWorker(here: string, file: `./${string}.js`, workerData: unknown): Worker {
  const url = new URL(file, here);
  if (!here.endsWith('.ts')) return new Worker(url, { workerData, env: SHARE_ENV });
  const tsx = import.meta.resolve('tsx/esm/api');
  const source = url.href.replace(/js$/, 'ts');
  const code = `import('${tsx}').then(({ register }) => { register(); return import('${source}'); })`;
  return new Worker(code, { workerData, env: SHARE_ENV, eval: true });
}
