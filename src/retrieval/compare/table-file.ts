/** @file A publication's table as a file: its systems and the values it reports, by protocol. */
import { z } from 'zod';

export const comparisonTableSchema = z.strictObject({
  /** Paper and table. */
  title: z.string().default('Systems'),
  systems: z
    .array(
      z.strictObject({
        /** A preset, or a model file. */
        system: z.string(),
        /** By protocol: mAP from 0 to 1, of `ukbench` and `ukbench-2550` the N-S score from 0 to 4. */
        published: z.record(z.string(), z.number().min(0).max(4)).optional(),
      }),
    )
    .default([]),
});

export type ComparisonTableFile = z.output<typeof comparisonTableSchema>;
export type TableSystem = ComparisonTableFile['systems'][number];
