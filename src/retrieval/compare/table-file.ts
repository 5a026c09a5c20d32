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
        /** mAP from 0 to 1 by protocol. */
        published: z.record(z.string(), z.number().min(0).max(1)).optional(),
      }),
    )
    .default([]),
});

export type ComparisonTableFile = z.output<typeof comparisonTableSchema>;
export type TableSystem = ComparisonTableFile['systems'][number];
