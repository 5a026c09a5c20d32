import { readFileSync } from 'node:fs';

interface Interval {
  groups: number[][];
  mean: number;
}

export interface RevisitedCase {
  gnd: Record<'easy' | 'hard' | 'junk', number[]>[];
  /** [database, queries] */
  ranks: number[][];
  settings: Record<
    'easy' | 'medium' | 'hard',
    { map: number | null; aps: (number | null)[]; mpAt: Record<string, number> | null }
  >;
}

/** What scripts/reference-protocols.py computed. */
export const golden: {
  oxford: { good: string[]; ok: string[]; junk: string[]; database: string[]; ranking: string[]; ap: number }[];
  revisited: RevisitedCase[];
  holidays: {
    names: number[];
    rankings: { query: number; ranking: number[] }[];
    aps: Record<'1490' | '991', number[]>;
    map: Record<'1490' | '991', number>;
  };
  ukbench: { images: number; rankings: number[][]; score: number; scoreOfFirsts: number };
  labels: { ranks: number[]; positives: number; ap: number }[];
  bootstrap: (Interval & { low: [number, number]; high: [number, number] })[];
  signFlips: (Interval & { p: number })[];
} = JSON.parse(readFileSync(new URL('../../golden/protocols.json', import.meta.url), 'utf8'));
