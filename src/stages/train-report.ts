/** @file What a person who watches sees of a training run, and what remains at its end. */
import type { RunState } from '../run/checkpoint.js';
import type {
  AddedWhitening,
  MeasureRecord,
  MiningRecord,
  RunRecord,
  StopReason,
  UpdateRecord,
} from '../run/run-records.js';
import { costs } from '../run/whitening-cost.js';
import type { Criterion } from '../train/trainer.js';
import type { StageProgress, StageView } from './context.js';
import { formatSeconds } from './format-seconds.js';

/** How a trainer's records are told. */
export interface ReportWords {
  /** What the line of an update says between its loss and the gradient's norm. */
  update: (record: UpdateRecord) => string;
  /** What a measurement says behind the criterion. */
  measure?: (record: MeasureRecord) => string;
}

export interface ReportOptions {
  criterion: Criterion;
  words: ReportWords;
  /** Updates of the whole run. */
  steps: number;
  /** By `performance.now()`. */
  startedAt: number;
  /** The state that the run continues from. */
  resumed?: Pick<RunState, 'step' | 'best'> | undefined;
  whitening?: Pick<AddedWhitening, 'mapAsGiven'> | undefined;
}

export interface RunSummary {
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
  best: RunState['best'];
  unreadable: number;
  seconds: number;
}

/** Collects the records of a run and tells them. */
export class TrainReport {
  /** The last measurement. */
  measured: MeasureRecord | undefined;
  private progress: StageProgress | undefined;
  private lastLineAt = -Infinity;
  private updated: UpdateRecord | undefined;
  private first: number | undefined;
  private whitened: number | undefined;
  private best: RunState['best'];
  private reason: StopReason | undefined;

  constructor(
    private readonly options: ReportOptions,
    private readonly view: StageView,
  ) {
    this.best = options.resumed?.best;
  }

  /** Shows work that takes a while, until the next record. */
  working(label: string, done: number, total: number): void {
    this.progress ??= this.view.progress(label, total);
    this.progress.update(done);
  }

  add(record: RunRecord): void {
    this.close();
    if (record.event === 'stop') this.reason = record.reason;
    else if (record.event === 'mine') this.view.note(miningText(record));
    else if (record.event === 'update') this.tellUpdate(record);
    else this.tellMeasurement(record);
  }

  /** Ends the progress bar, if one runs. */
  close(): void {
    this.progress?.stop();
    this.progress = undefined;
  }

  /** What the run came to. */
  summary(): RunSummary {
    const { first, whitened, best, updated, reason } = this;
    const { steps, startedAt, resumed } = this.options;
    return {
      step: updated?.step ?? resumed?.step ?? 0,
      steps,
      stopped: reason,
      loss: updated?.loss,
      first,
      whitened,
      last: this.measured && this.criterionOf(this.measured),
      best,
      unreadable: updated?.unreadable ?? 0,
      seconds: (performance.now() - startedAt) / 1000,
    };
  }

  private criterionOf(record: MeasureRecord): number {
    return record[this.options.criterion.key] as number;
  }

  private tellMeasurement(record: MeasureRecord): void {
    const { criterion, words, whitening } = this.options;
    const value = this.criterionOf(record);
    this.measured = record;
    if (record.step === 0) {
      this.first = whitening === undefined ? value : whitening.mapAsGiven;
      if (whitening !== undefined) this.whitened = value;
    }
    if (record.best) this.best = { step: record.step, [criterion.key]: value };
    this.view.note(
      `update ${record.step}: ${criterion.name} ${value.toFixed(4)}${words.measure?.(record) ?? ''}${record.best ? ' (best)' : ''}`,
    );
    const cost = record.step === 0 ? costText(this.first, this.whitened, criterion.name) : undefined;
    if (cost !== undefined) this.view.note(cost);
  }

  private tellUpdate(record: UpdateRecord): void {
    this.updated = record;
    const { steps, startedAt, resumed, words } = this.options;
    if (this.view.updated !== undefined) return this.view.updated(record.step, steps);
    const now = performance.now();
    if (now - this.lastLineAt < 2000 && record.step < steps) return;
    this.lastLineAt = now;
    // Wall time, so that minings and measurements count.
    const mean = (now - startedAt) / (record.step - (resumed?.step ?? 0));
    this.view.note(
      `update ${record.step}/${steps}  loss ${record.loss.toFixed(4)}  ${words.update(record)}  ` +
        `|g| ${record.gradientNorm.toPrecision(3)}  ${record.imagesPerSecond.toFixed(1)} images/s  ` +
        `ETA ${formatSeconds(((steps - record.step) * mean) / 1000)}`,
    );
  }
}

/** A warning where the whitening that was put in made the model worse than it was given. */
export function costText(given: number | undefined, whitened: number | undefined, name: string): string | undefined {
  if (given === undefined || whitened === undefined || !costs(given, whitened)) return undefined;
  return (
    `The whitening costs ${name} on the validation set: ${whitened.toFixed(4)}, and ${given.toFixed(4)} without it; ` +
    '--set whitenDimension=0 trains without one.'
  );
}

function miningText(record: MiningRecord): string {
  const share = record.possible === 0 ? 0 : (100 * record.withLoss) / record.possible;
  return (
    `mined ${record.images} images: ${record.withLoss.toLocaleString('en')} triplets with a loss (${share.toPrecision(3)} %), ` +
    `hardest negative at similarity ${record.hardestSimilarity.toFixed(3)}` +
    (record.unreadable === 0 ? '' : `, ${record.unreadable} unreadable`) +
    (record.single === 0 ? '' : `, ${record.single} without a positive`)
  );
}
