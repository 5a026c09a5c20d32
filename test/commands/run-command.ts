/** @file Runs one command of the real command table and catches what it prints. */
import { Command } from 'commander';
import { vi } from 'vitest';

export interface CommandOutput {
  stdout: string;
  stderr: string;
}

/** `rmac <argv>`; rejects with what the command throws, commander's usage errors included. */
export async function runCommand(register: (program: Command) => void, ...argv: string[]): Promise<CommandOutput> {
  const program = new Command('rmac').exitOverride().configureOutput({ writeErr: () => undefined });
  register(program);
  const output: CommandOutput = { stdout: '', stderr: '' };
  const catching = (stream: NodeJS.WriteStream, name: keyof CommandOutput) =>
    vi.spyOn(stream, 'write').mockImplementation((chunk) => {
      output[name] += String(chunk);
      return true;
    });
  const spies = [catching(process.stdout, 'stdout'), catching(process.stderr, 'stderr')];
  try {
    await program.parseAsync(argv, { from: 'user' });
  } finally {
    for (const spy of spies) spy.mockRestore();
    process.removeAllListeners('SIGINT'); // a command waits for Ctrl-C until its process ends
  }
  return output;
}
