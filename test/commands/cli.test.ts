import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, openSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'rmac-cli-'));

function start(args: readonly string[], stdio: ('pipe' | number)[] = ['pipe', 'pipe']): ChildProcess {
  return spawn(process.execPath, ['--import', 'tsx', cli, ...args], { stdio: ['ignore', ...stdio] });
}

async function endOf(child: ChildProcess): Promise<{ code: number | null; errors: string }> {
  let errors = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, errors };
}

describe('the standard streams', () => {
  test('a reader that closes the pipe before the first line is no failure', async () => {
    const child = start(['weights', 'export', '--help']);
    child.stdout?.destroy();
    expect(await endOf(child)).toEqual({ code: 0, errors: '' });
  });

  test.skipIf(!existsSync('/dev/full'))('a full disk under stdout is an error, under stderr none', async () => {
    const full = openSync('/dev/full', 'w');
    const lost = await endOf(start(['doctor', '--json'], [full, 'pipe']));
    expect(lost.code).toBe(1);
    expect(lost.errors).toMatch(/^rmac: The result cannot be written to standard output, and is lost: ENOSPC.*\n$/);
    expect((await endOf(start(['doctor', '--json'], ['pipe', full]))).code).toBe(0);
  });
});

test('an error of the system is a line, and what a name would do to the terminal is not done', async () => {
  const missing = await endOf(start(['data', 'scan', 'no\u001b[31mfolder', '--out', join(folder, 'm.jsonl')]));
  expect(missing.code).toBe(1);
  expect(missing.errors).toMatch(/^rmac: .*no\\u001b\[31mfolder.*\n$/);
});

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s ends a command in order, with code 130', async (signal) => {
  const child = start(['data', 'synthesize', '--out', join(folder, signal), '--landmarks', '30']);
  const ended = endOf(child);
  // It listens when it has begun its folder under a temporary name.
  while (child.exitCode === null && !readdirSync(folder).some((name) => name.includes(signal))) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  child.kill(signal);
  const { code, errors } = await ended;
  expect(code).toBe(130);
  expect(errors).toMatch(/Interrupted: finishing/);
  expect(existsSync(join(folder, signal))).toBe(false);
});

test.each(['demo', 'clean', 'report', 'whiten', 'match', 'extract', 'evaluate', 'compare'])(
  '%s --help is answered without the engine and the decoder',
  async (command) => {
    const atExit = `process.on('exit', () => console.error(process.report.getReport().sharedObjects.join('\\n')))`;
    const preload = `data:text/javascript,${encodeURIComponent(atExit)}`;
    const args = ['--import', preload, '--import', 'tsx', cli, command, '--help'];
    const { code, errors } = await endOf(spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] }));
    expect(code).toBe(0);
    expect(errors).not.toBe('');
    expect(errors).not.toMatch(/onnxruntime|sharp/);
  },
);
