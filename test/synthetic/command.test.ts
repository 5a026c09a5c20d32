import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { registerSynthesize } from '../../src/commands/data-synthesize.js';
import { UsageError } from '../../src/errors.js';
import { runCommand } from '../commands/run-command.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rmac-synthesize-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('data synthesize', () => {
  test('--json prints one object that counts what was written', async () => {
    const out = join(folder, 'set');
    const { stdout } = await runCommand(
      registerSynthesize,
      ...`synthesize --out ${out} --landmarks 2 --photos 4 --noise 0.25 --size 64 --json`.split(' '),
    );
    // 1 of 4 wrong in both landmarks; one landmark is for testing: 3 queries, 4 of its own images and 1 wrong one of the other
    expect(JSON.parse(stdout)).toEqual({
      out,
      landmarks: 2,
      testLandmarks: 1,
      images: 8,
      wrong: 2,
      queries: 3,
      database: 5,
    });
    expect(existsSync(join(out, 'groundtruth.json'))).toBe(true);
  });

  test.each(['--landmarks 1', '--photos two', '--noise 1.5', '--noise 0.95', '--size 8', '--seed -1'])(
    '%s is a usage error and writes nothing',
    async (flags) => {
      const out = join(folder, 'bad');
      await expect(
        runCommand(registerSynthesize, 'synthesize', '--out', out, ...flags.split(' ')),
      ).rejects.toBeInstanceOf(UsageError);
      expect(existsSync(out)).toBe(false);
    },
  );
});
