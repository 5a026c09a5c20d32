/** @file Reading `log.jsonl` of a run, whole or torn. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

/** What any trainer's log records have in common. */
export interface LogRecord {
  event: string;
  /** Finished updates. */
  step: number;
  [figure: string]: unknown;
}

export interface RunLog {
  records: LogRecord[];
  /** Lines that are no records: a kill cuts the last one short. */
  torn: number;
}

/** The records of a log, in its order; none where there is no file. */
export async function readRunLog(file: string): Promise<RunLog> {
  const log: RunLog = { records: [], torn: 0 };
  if (!existsSync(file)) return log;
  for (const line of (await readFile(file, 'utf8')).split('\n')) {
    if (line === '') continue;
    const record = parseRecord(line);
    if (record === undefined) log.torn++;
    else log.records.push(record);
  }
  return log;
}

function parseRecord(line: string): LogRecord | undefined {
  try {
    const value = JSON.parse(line) as Partial<LogRecord> | null;
    const whole = typeof value?.event === 'string' && typeof value.step === 'number';
    return whole ? (value as LogRecord) : undefined;
  } catch {
    return undefined;
  }
}
