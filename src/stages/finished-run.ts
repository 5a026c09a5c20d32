/** @file A run that has come to its end, as its folder tells it. */
import { existsSync } from 'node:fs';
import { readRun } from '../report/run-report.js';
import { stepOf } from '../run/checkpoint.js';
import type { RunFolder } from '../run/run-folder.js';
import type { FinishSummary, MeasureRecord, StopReason } from '../run/run-records.js';
import type { RunSummary } from './train-report.js';

/** What a run came to. */
export interface RunOutcome {
  summary: RunSummary;
  /** The last measurement. */
  measured: MeasureRecord | undefined;
  /** Averaging with the start and whitening, where the run ends so. */
  finished?: FinishSummary;
}

/** Whether a run came to its last update. */
export function cameToItsEnd(stopped: string | undefined): boolean {
  return stopped === 'finished' || stopped === 'nothing left to learn';
}

/**
 * What the run of `steps` updates in `folder` came to; `finishes`: whether its model is made after the last one. Undefined where anything
 * is left to do: that nothing is, the log's last record says, which is written last.
 */
export async function finishedRun(
  folder: RunFolder,
  { checkpoint, steps, finishes }: { checkpoint: string; steps: number; finishes: boolean },
): Promise<RunOutcome | undefined> {
  const run = await readRun(folder);
  const { step, stopped, criterion, best, problems } = run;
  if (problems.length > 0 || !existsSync(folder.model) || step !== stepOf(checkpoint)) return undefined;
  if (!cameToItsEnd(stopped) || (stopped === 'finished' && step < steps)) return undefined;
  const { event, step: _, ...finished } = run.records.at(-1)!;
  if (finishes && event !== 'finish') return undefined;
  const last = (name: string) => run.records.findLast((record) => record.event === name);
  const summary: RunSummary = {
    step,
    steps,
    stopped: stopped as StopReason,
    loss: last('update')?.loss,
    first: run.first,
    whitened: run.whitened?.value,
    last: run.last,
    best: best && { step: best.step, [String(criterion)]: best.value },
    unreadable: run.unreadable.length,
    seconds: 0,
  };
  const measured = last('measure') as MeasureRecord | undefined;
  return { summary, measured, ...(finishes && { finished: finished as unknown as FinishSummary }) };
}
