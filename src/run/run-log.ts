/** @file Reading `log.jsonl` of a run, whole or torn. */
import { existsSync } from 'node:fs';
import { z } from 'zod';
import { readText } from '../data/read-file.js';
import { parseJson } from '../data/whole-lines.js';

/** What any trainer's log records have in common, and what is read of some; other figures pass unread. */
const recordSchema = z.looseObject({
  event: z.string(),
  /** Finished updates. */
  step: z.number(),
  loss: z.number().optional(),
  unreadable: z.number().optional(),
  best: z.boolean().optional(),
  map: z.number().optional(),
  testMap: z.number().optional(),
  top1: z.number().optional(),
  recall: z.number().optional(),
  /** Of a stop. */
  reason: z.string().optional(),
  /** Of a finish and of what it was chosen from. */
  share: z.number().optional(),
  shares: z.array(z.looseObject({ share: z.number(), map: z.number() })).optional(),
  dimension: z.number().optional(),
  /** Of a start. */
  seed: z.number().optional(),
  manifest: z.string().optional(),
  versions: z.record(z.string(), z.string()).optional(),
  /** Of a mining. */
  hardest: z
    .array(z.looseObject({ query: z.string(), positive: z.string(), negative: z.string(), loss: z.number() }))
    .optional(),
});
export type LogRecord = z.output<typeof recordSchema>;

export interface RunLog {
  records: LogRecord[];
  /** Lines that are no records: a kill cuts the last one short. */
  torn: number;
}

/** The records of a log, in its order; none where there is no file. */
export async function readRunLog(file: string): Promise<RunLog> {
  const log: RunLog = { records: [], torn: 0 };
  if (!existsSync(file)) return log;
  for (const line of (await readText(file)).split('\n')) {
    if (line === '') continue;
    const record = parseRecord(line);
    if (record === undefined) log.torn++;
    else log.records.push(record);
  }
  return log;
}

function parseRecord(line: string): LogRecord | undefined {
  return recordSchema.safeParse(parseJson(line)).data;
}
