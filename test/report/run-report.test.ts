import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readRun, runReport } from '../../src/report/run-report.js';
import { RunFolder } from '../../src/run/run-folder.js';

test('a run of more updates than a call takes arguments has its report', async () => {
  const path = mkdtempSync(join(tmpdir(), 'rmac-report-'));
  const folder = new RunFolder(path);
  const steps = 200_000; // as the published training of proposals
  const lines = Array.from({ length: steps }, (_, i) =>
    JSON.stringify({ event: 'update', step: i + 1, loss: 1 / (i + 1), learningRate: 1e-3, gradientNorm: 1 }),
  );
  writeFileSync(folder.log, `${lines.join('\n')}\n`);
  const run = await readRun(folder);
  expect(run.step).toBe(steps);
  expect(await runReport(run, { title: 'long' })).toContain('200000');
  rmSync(path, { recursive: true });
});
