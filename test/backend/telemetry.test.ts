import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

test("ONNX Runtime's telemetry client, which leaves files in the temporary folder, does not start", () => {
  const folder = mkdtempSync(join(tmpdir(), 'rmac-telemetry-'));
  const engine = new URL('../../src/backend/index.ts', import.meta.url).href;
  const code = `const { startEngine, engineStats } = await import(${JSON.stringify(engine)});
    const tf = await import('@tensorflow/tfjs');
    await startEngine({ threads: 1 });
    console.log('e^0 =', tf.exp(tf.scalar(0)).dataSync()[0], 'in runs:', engineStats().runs);`;
  const { ORT_DISABLE_TELEMETRY: _, ...env } = process.env;
  const child = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
    encoding: 'utf8',
    env: { ...env, TMPDIR: folder },
  });
  expect(child.stdout).toContain('e^0 = 1 in runs: 1');
  expect(readdirSync(folder).filter((name) => name.startsWith('mat-') || name === '.ses')).toEqual([]);
  rmSync(folder, { recursive: true });
});
