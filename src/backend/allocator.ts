/**
 * @file Keeps the memory of one run for the next. glibc gives what was freed back to the system, and every run of a graph faults it in
 * again, page by page: 2 to 9 % of a training step (`results/engine.md`).
 */

/** glibc's malloc.h. */
const [trimThreshold, topPad, mmapThreshold] = [-1, -2, -3];
/** Bytes, as the command `rmac` has them (first line of `src/cli.ts`). */
const settings = [
  [trimThreshold, 2 ** 30],
  [mmapThreshold, 2 ** 30],
  [topPad, 2 ** 26],
] as const;

type Koffi = { load(library: string): { func(prototype: string): (parameter: number, value: number) => number } };

let asked: Promise<void> | undefined;

/**
 * Asks glibc to keep freed memory, once in a process. Nothing happens where the optional package koffi or glibc is missing, or the
 * environment says it already.
 */
export function keepFreedMemory(): Promise<void> {
  asked ??= ask();
  return asked;
}

async function ask(): Promise<void> {
  if (process.platform !== 'linux' || Object.keys(process.env).some((name) => name.startsWith('MALLOC_'))) return;
  try {
    const { default: koffi } = (await import('koffi')) as unknown as { default: Koffi };
    const mallopt = koffi.load('libc.so.6').func('int mallopt(int parameter, int value)');
    for (const [parameter, value] of settings) mallopt(parameter, value);
  } catch {
    // Slower, and the same results.
  }
}
