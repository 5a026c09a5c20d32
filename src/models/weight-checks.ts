/** @file What can be wrong with a tensor of weights, and lists of them for one error line. */
import type { NamedArray } from './safetensors.js';

/** What is wrong with a tensor, or undefined. */
export function problemOf({ shape, data }: NamedArray, expected: readonly number[], kind: string): string | undefined {
  if (shape.join() !== expected.join()) return `is [${shape.join(', ')}], [${expected.join(', ')}] expected`;
  if (!data.every((value) => Number.isFinite(value))) return 'holds NaN or infinite values';
  if (kind === 'variance' && !data.every((value) => value >= 0)) return 'holds a negative variance';
  return undefined;
}

/** The names joined by commas, at most eight of them. */
export function listed(names: readonly string[]): string {
  const shown = names.slice(0, 8).join(', ');
  return names.length > 8 ? `${shown} and ${names.length - 8} more` : shown;
}
