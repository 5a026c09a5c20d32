/**
 * @file What programs put before every tensor's name: `module.` (DataParallel), `_orig_mod.` (torch.compile), `model.`
 * (Lightning), `backbone.`, a mix of these, or anything else. Found by what is left behind it: the names that a network has.
 */
import type { NamedArray, NamedArrays } from './safetensors.js';

/** Separators of a name that are looked at: no wrapper is deeper, and a name may be hostile. */
const mostSeparators = 32;

export interface FittingPrefix {
  /** Ends with `.` or `/`, or is empty. */
  prefix: string;
  /** How many names fit behind it. */
  names: number;
}

/** Every prefix behind which a name `fits`, the one with the most of them first, the shortest of equal ones. */
export function fittingPrefixes(names: Iterable<string>, fits: (name: string) => boolean): FittingPrefix[] {
  const counts = new Map<string, number>();
  for (const name of names) {
    const separators = [...name.matchAll(/[./]/g)].slice(0, mostSeparators);
    for (const end of [0, ...separators.map(({ index }) => index + 1)]) {
      const prefix = name.slice(0, end);
      if (fits(name.slice(end))) counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
    }
  }
  return [...counts]
    .map(([prefix, count]) => ({ prefix, names: count }))
    .sort((a, b) => b.names - a.names || a.prefix.length - b.prefix.length);
}

/** The tensors under a prefix, named by what is behind it. */
export function withoutPrefix(tensors: NamedArrays, prefix: string): Map<string, NamedArray> {
  return new Map(
    [...tensors].flatMap(([name, array]): [string, NamedArray][] =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), array]] : [],
    ),
  );
}
