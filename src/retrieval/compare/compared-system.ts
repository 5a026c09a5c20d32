/**
 * @file What a comparison keeps of one system on one ground truth: figures, costs and the head of every ranking. Small enough
 * to be a file, so that a comparison that was stopped goes on with the systems that are missing.
 */
import { z } from 'zod';
import { writeFileAtomic } from '../../data/files.js';
import type { EvaluationResult } from '../evaluate.js';
import { readText } from '../../data/read-file.js';
import { scaleQuantile, type SimilarityScale } from '../similarity-scale.js';

/** What a system costs on this machine. */
export interface SystemCost {
  /** Describing one image, ms: the mean over the database. */
  describeMs: number;
  /** Ranking the database for one described query, ms. */
  queryMs: number;
  /** What is kept of a database image. */
  bytesPerImage: number;
}

const result = z.object({
  id: z.string(),
  similarity: z.number(),
  relation: z.enum(['positive', 'junk', 'negative']),
});

const query = z.object({
  id: z.string(),
  landmark: z.string().optional(),
  ap: z.number(),
  /** Positives there are. */
  positives: z.number().int().positive(),
  /** 0-based, junk-free ranks of those that were found, ascending. */
  ranks: z.array(z.number().int().nonnegative()),
  /** The first results, without junk. */
  top: z.array(result),
});

const schema = z.object({
  name: z.string(),
  /** What the figures depend on: files by content, settings. A stored system whose key differs is measured again. */
  key: z.string(),
  /** Of the main setting; those of all settings by name where there are several. */
  map: z.number(),
  settings: z.record(z.string(), z.number()).optional(),
  precisionAt1: z.number(),
  databaseSize: z.number().int(),
  failures: z.number().int(),
  /** Size of its images, in words. */
  size: z.string(),
  /** Thousandths of the similarities of unrelated pairs, ascending; systems that were kept earlier have none. */
  unrelated: z.array(z.number()).optional(),
  cost: z.object({ describeMs: z.number(), queryMs: z.number(), bytesPerImage: z.number() }),
  queries: z.array(query).min(1),
});

export type ComparedSystem = z.output<typeof schema>;
export type ComparedQuery = ComparedSystem['queries'][number];

/** Results kept of each ranking: what a report shows, and where another system has them. */
export const keptResults = 200;

/** Takes what is kept from an evaluation with `top` of at least `keptResults`. */
export function comparedSystem(
  name: string,
  key: string,
  { map, precisionAt1, databaseSize, queries, unrelated }: EvaluationResult,
  {
    failures,
    size,
    cost,
    settings,
  }: { failures: number; size: string; cost: SystemCost; settings?: Record<string, number> },
): ComparedSystem {
  return {
    name,
    key,
    map,
    ...(settings && { settings }),
    precisionAt1,
    databaseSize,
    failures,
    size,
    ...(unrelated && unrelated.length > 0 && { unrelated: thousandths(unrelated) }),
    cost,
    queries: queries.map(({ id, landmark, ap, positives, ranks, top }) => ({
      id,
      landmark,
      ap,
      positives,
      ranks: [...ranks],
      top: top.filter(({ relation }) => relation !== 'junk').slice(0, keptResults),
    })),
  };
}

function thousandths(scale: SimilarityScale): number[] {
  return Array.from({ length: 1001 }, (_, i) => scaleQuantile(scale, i / 1000));
}

/** Writes a system atomically, in place of an earlier one. */
export async function writeComparedSystem(file: string, system: ComparedSystem): Promise<void> {
  await writeFileAtomic(file, `${JSON.stringify(system)}\n`, { overwrite: true });
}

/** The system of a file, if it is whole and was measured under the same key; else undefined. */
export async function readComparedSystem(file: string, key: string): Promise<ComparedSystem | undefined> {
  try {
    const parsed = schema.safeParse(JSON.parse(await readText(file)));
    return parsed.success && parsed.data.key === key ? parsed.data : undefined;
  } catch {
    return undefined; // absent or damaged: measured again
  }
}
