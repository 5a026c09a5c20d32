/** @file What a benchmark is to the evaluation: one list of queries, one database, and what is right under each setting. */
import { stripImageExtension } from '../../data/image-format.js';
import type { GroundTruth } from '../ground-truth.js';

export const benchmarkProtocols = [
  'oxford5k',
  'paris6k',
  'roxford5k',
  'rparis6k',
  'holidays',
  'holidays-991',
  'ukbench',
  'ukbench-2550',
] as const;
export type BenchmarkProtocol = (typeof benchmarkProtocols)[number];

export interface Setting {
  /** 'easy', 'medium', 'hard'; 'all' where there is one only. */
  name: string;
  /** The same queries and database as every other setting of the benchmark. */
  groundTruth: GroundTruth;
}

export interface Benchmark {
  protocol: BenchmarkProtocol;
  settings: readonly Setting[];
  /** Name of the setting whose figures stand for the benchmark. */
  main: string;
  /** Whether image paths are real; false where only the ground truth and ids were given. */
  hasImages: boolean;
  /** Whether the database is what the benchmark says; false where it is whatever descriptors or rankings name. */
  hasDatabase: boolean;
  /** Names of the benchmark that are passed over in rankings: corrupted images, queries that are not searched for. */
  passedOver: ReadonlySet<string>;
}

/** Queries and database images of the published sets, to say when a folder holds something else. */
export const publishedSizes: Readonly<Record<BenchmarkProtocol, { queries: number; database: number }>> = {
  oxford5k: { queries: 55, database: 5063 },
  paris6k: { queries: 55, database: 6392 },
  roxford5k: { queries: 70, database: 4993 },
  rparis6k: { queries: 70, database: 6322 },
  holidays: { queries: 500, database: 1491 }, // 1490 of them for each query
  'holidays-991': { queries: 500, database: 991 },
  ukbench: { queries: 10200, database: 10200 },
  'ukbench-2550': { queries: 2550, database: 10200 },
};

/** The name that ground truth, images, descriptors and rankings share: no folder, no image extension, no `oxc1_`. */
export function benchmarkId(name: string): string {
  const file = name.slice(Math.max(name.lastIndexOf('/'), name.lastIndexOf('\\')) + 1);
  return stripImageExtension(file).replace(/^oxc1_/, '');
}
