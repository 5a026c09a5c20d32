/** @file What the person at the terminal sees of a training run, and what remains at its end. */
import type { FitRecord, StopReason, TripletState } from '../train/fit-triplets.js';
import { formatSeconds, type Progress, say, startProgress } from './console.js';

export interface RunSummary {
  /** Finished updates, of how many. */
  step: number;
  steps: number;
  stopped: StopReason | undefined;
  /** Mean loss of the last update's triplets. */
  loss: number | undefined;
  /** mAP before training, last, and best. */
  firstMap: number | undefined;
  map: number | undefined;
  best: { step: number; map: number } | undefined;
  unreadable: number;
  seconds: number;
}

/** What the person at the terminal sees of a run, and what remains at its end. */
export class TrainReport {
  private progress: Progress | undefined;
  private lastLineAt = -Infinity;
  private loss: number | undefined;
  private map: number | undefined;
  private firstMap: number | undefined;
  private best: { step: number; map: number } | undefined;
  private step: number;
  private readonly firstStep: number;
  private unreadable = 0;
  private reason: StopReason | undefined;

  constructor(
    private readonly steps: number,
    private readonly startedAt: number,
    resumed: TripletState | undefined,
  ) {
    this.firstStep = this.step = resumed?.step ?? 0;
    this.best = resumed?.best;
  }

  readonly mining = (done: number, total: number): void => {
    this.progress ??= startProgress('describe pool', total);
    this.progress.update(done);
  };

  add(record: FitRecord): void {
    this.close();
    if (record.event === 'mine') {
      const share = record.possible === 0 ? 0 : (100 * record.withLoss) / record.possible;
      say(
        `mined ${record.images} images: ${record.withLoss.toLocaleString('en')} triplets with a loss (${share.toPrecision(3)} %), ` +
          `hardest negative at similarity ${record.hardestSimilarity.toFixed(3)}` +
          (record.unreadable === 0 ? '' : `, ${record.unreadable} unreadable`) +
          (record.single === 0 ? '' : `, ${record.single} without a positive`),
      );
    } else if (record.event === 'measure') {
      this.map = record.map;
      if (record.step === 0) this.firstMap = record.map;
      if (record.best) this.best = { step: record.step, map: record.map };
      say(`update ${record.step}: mAP ${record.map.toFixed(4)}${record.best ? ' (best)' : ''}`);
    } else if (record.event === 'update') {
      this.updated(record);
    } else {
      this.reason = record.reason;
    }
  }

  /** Ends the progress bar, if one runs. */
  close(): void {
    this.progress?.stop();
    this.progress = undefined;
  }

  /** What the run came to. */
  summary(): RunSummary {
    const { step, steps, loss, map, firstMap, best, unreadable, reason } = this;
    const seconds = (performance.now() - this.startedAt) / 1000;
    return { step, steps, stopped: reason, loss, firstMap, map, best, unreadable, seconds };
  }

  private updated(record: Extract<FitRecord, { event: 'update' }>): void {
    this.step = record.step;
    this.loss = record.loss;
    this.unreadable = record.unreadable;
    const now = performance.now();
    if (now - this.lastLineAt < 2000 && record.step < this.steps) return;
    this.lastLineAt = now;
    // Wall time, so that minings and measurements count.
    const mean = (now - this.startedAt) / (record.step - this.firstStep);
    say(
      `update ${record.step}/${this.steps}  loss ${record.loss.toFixed(4)}  active ${Math.round(100 * record.active)} %  ` +
        `|g| ${record.gradientNorm.toPrecision(3)}  ${record.imagesPerSecond.toFixed(1)} images/s  ` +
        `ETA ${formatSeconds(((this.steps - record.step) * mean) / 1000)}`,
    );
  }
}

/** The same in words. */
export function summaryText(summary: RunSummary, folder: { model: string; best: string }): string {
  const { step, steps, stopped, map, firstMap, best, seconds } = summary;
  const lines = [`${stopped} after update ${step} of ${steps} in ${formatSeconds(seconds)}: ${folder.model}`];
  if (best !== undefined) {
    const from = firstMap === undefined ? '' : ` (before training ${firstMap.toFixed(4)})`;
    lines.push(`best mAP ${best.map.toFixed(4)} after update ${best.step}${from}: ${folder.best}`);
  } else if (map !== undefined) lines.push(`mAP ${map.toFixed(4)}`);
  if (stopped === 'interrupted' || stopped === 'out of time') lines.push('Continue with --resume.');
  return lines.join('\n');
}
