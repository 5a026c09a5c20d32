/** @file What the person at the terminal sees of a training run, and what remains at its end. */

import type { Best, StopReason, StopRecord, UpdateFigures } from '../train/loop.js';
import { costs } from '../run/whitening-cost.js';
import { formatSeconds, say, startProgress } from './console.js';
import type { StageProgress } from '../stages/context.js';

/** How a trainer's records are told. */
export interface ReportWords<Criterion extends string> {
  criterion: Criterion;
  /** What the criterion is called. */
  name: string;
  /** What the line of an update says between its loss and the gradient's norm. */
  update: (record: { [figure: string]: unknown }) => string;
  /** What a measurement says behind the criterion. */
  measure?: (record: { [figure: string]: unknown }) => string;
}

export interface RunSummary<Criterion extends string> {
  /** Finished updates, of how many. */
  step: number;
  steps: number;
  stopped: StopReason | undefined;
  /** Mean loss of the last update. */
  loss: number | undefined;
  /** The criterion before training (of the model as it was given), with the whitening that the run put in, last, and best. */
  first: number | undefined;
  whitened: number | undefined;
  last: number | undefined;
  best: Best<Criterion> | undefined;
  unreadable: number;
  seconds: number;
}

type UpdateLog = { event: 'update'; step: number; loss: number } & UpdateFigures;
type MeasureLog<Criterion extends string> = { event: 'measure'; step: number; best: boolean } & Record<
  Criterion,
  number
>;
type Log<Criterion extends string> = UpdateLog | MeasureLog<Criterion> | StopRecord;

/** Collects the records of a run and says them. */
export class TrainReport<Criterion extends string> {
  private progress: StageProgress | undefined;
  private lastLineAt = -Infinity;
  private loss: number | undefined;
  private last: number | undefined;
  private first: number | undefined;
  private whitened: number | undefined;
  private best: Best<Criterion> | undefined;
  private step: number;
  private readonly firstStep: number;
  private unreadable = 0;
  private reason: StopReason | undefined;

  constructor(
    private readonly words: ReportWords<Criterion>,
    private readonly steps: number,
    private readonly startedAt: number,
    resumed: { step: number; best?: Best<Criterion> } | undefined,
    private readonly whitening?: { mapAsGiven?: number },
  ) {
    this.firstStep = this.step = resumed?.step ?? 0;
    this.best = resumed?.best;
  }

  /** Shows work that takes a while, until the next record. */
  working(label: string, done: number, total: number): void {
    this.progress ??= startProgress(label, total);
    this.progress.update(done);
  }

  add(record: Log<Criterion>): void {
    this.close();
    if (record.event === 'stop') this.reason = record.reason;
    else if (record.event === 'update') this.updated(record);
    else this.measured(record);
  }

  /** Ends the progress bar, if one runs. */
  close(): void {
    this.progress?.stop();
    this.progress = undefined;
  }

  /** What the run came to. */
  summary(): RunSummary<Criterion> {
    const { step, steps, loss, last, first, whitened, best, unreadable, reason } = this;
    const seconds = (performance.now() - this.startedAt) / 1000;
    return { step, steps, stopped: reason, loss, first, whitened, last, best, unreadable, seconds };
  }

  private measured(record: MeasureLog<Criterion>): void {
    const { criterion, name, measure } = this.words;
    const value: number = record[criterion];
    this.last = value;
    if (record.step === 0) {
      this.first = this.whitening === undefined ? value : this.whitening.mapAsGiven;
      if (this.whitening !== undefined) this.whitened = value;
    }
    if (record.best) this.best = { step: record.step, [criterion]: value } as Best<Criterion>;
    say(`update ${record.step}: ${name} ${value.toFixed(4)}${measure?.(record) ?? ''}${record.best ? ' (best)' : ''}`);
    if (record.step === 0) this.sayCost();
  }

  private sayCost(): void {
    const text = costText(this.first, this.whitened, this.words.name);
    if (text !== undefined) say(text);
  }

  private updated(record: UpdateLog): void {
    this.step = record.step;
    this.loss = record.loss;
    this.unreadable = record.unreadable;
    const now = performance.now();
    if (now - this.lastLineAt < 2000 && record.step < this.steps) return;
    this.lastLineAt = now;
    // Wall time, so that minings and measurements count.
    const mean = (now - this.startedAt) / (record.step - this.firstStep);
    say(
      `update ${record.step}/${this.steps}  loss ${record.loss.toFixed(4)}  ${this.words.update({ ...record })}  ` +
        `|g| ${record.gradientNorm.toPrecision(3)}  ${record.imagesPerSecond.toFixed(1)} images/s  ` +
        `ETA ${formatSeconds(((this.steps - record.step) * mean) / 1000)}`,
    );
  }
}

/** The same in words. */
export function summaryText<Criterion extends string>(
  summary: RunSummary<Criterion>,
  { criterion, name }: Pick<ReportWords<Criterion>, 'criterion' | 'name'>,
  folder: { model: string; best: string },
): string {
  const { step, steps, stopped, first, whitened, last, best, seconds } = summary;
  const lines = [`${stopped} after update ${step} of ${steps} in ${formatSeconds(seconds)}: ${folder.model}`];
  if (best !== undefined) {
    const from =
      first === undefined
        ? ''
        : ` (before training ${first.toFixed(4)}${whitened === undefined ? '' : `, with the whitening ${whitened.toFixed(4)}`})`;
    lines.push(`best ${name} ${best[criterion].toFixed(4)} after update ${best.step}${from}: ${folder.best}`);
  } else if (last !== undefined) lines.push(`${name} ${last.toFixed(4)}`);
  const cost = costText(first, whitened, name);
  if (cost !== undefined) lines.push(cost);
  if (stopped === 'interrupted' || stopped === 'out of time') lines.push('Continue with --resume.');
  return lines.join('\n');
}

/** A warning where the whitening that was put in made the model worse than it was given. */
function costText(given: number | undefined, whitened: number | undefined, name: string): string | undefined {
  if (given === undefined || whitened === undefined || !costs(given, whitened)) return undefined;
  return (
    `The whitening costs ${name} on the validation set: ${whitened.toFixed(4)}, and ${given.toFixed(4)} without it; ` +
    '--set whitenDimension=0 trains without one.'
  );
}
