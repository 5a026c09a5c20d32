/** Page faults of a process that runs one graph again and again. */
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

/** The least of the later runs (where memory lies settles in some), of a graph whose tensors have 48 MB, more than glibc keeps by itself: 4096 bytes a fault. */
function faultsPerRun(environment: Record<string, string>): number {
  const engine = new URL('../../src/backend/index.ts', import.meta.url).href;
  const program = `
    import * as tf from '@tensorflow/tfjs-core';
    import { startEngine } from '${engine}';
    await startEngine({ threads: 1 });
    const x = tf.zeros([12 * 2 ** 20]);
    let faults = Infinity;
    for (let run = 0; run < 12; run++) {
      const before = process.resourceUsage().minorPageFault;
      tf.tidy(() => void tf.sum(tf.relu(tf.neg(x))).dataSync());
      if (run > 0) faults = Math.min(faults, process.resourceUsage().minorPageFault - before);
    }
    console.log(faults);
    process.exit(0);`;
  const { stdout } = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, ...environment },
  });
  return Number(stdout);
}

test.skipIf(process.platform !== 'linux')(
  'a run finds the memory of the one before, unless the environment says otherwise',
  () => {
    expect(faultsPerRun({})).toBeLessThan(2_000);
    expect(faultsPerRun({ MALLOC_ARENA_MAX: '8' })).toBeGreaterThan(10_000);
  },
);
