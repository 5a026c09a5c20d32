import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const engine = new URL('../support/engine-worker.ts', import.meta.url).href;
const workers = new URL('../../src/backend/open-worker.ts', import.meta.url).href;

test.each([
  ['the main thread', `await import('${engine}');`],
  ['a worker, as the service has one', `(await import('${workers}')).openWorker('${engine}', './engine-worker.js');`],
])("ONNX Runtime's telemetry client, which leaves files behind, does not start on %s", (_, code) => {
  const folder = mkdtempSync(join(tmpdir(), 'rmac-telemetry-'));
  const { ORT_DISABLE_TELEMETRY: _set, ...env } = process.env;
  const child = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
    encoding: 'utf8',
    env: { ...env, TMPDIR: folder, HOME: folder },
  });
  expect(child.stdout, child.stderr).toContain('e^0 = 1 in runs: 1');
  const left = readdirSync(folder).filter((name) => !name.startsWith('tsx-'));
  expect(left).toEqual([]);
  rmSync(folder, { recursive: true });
});
