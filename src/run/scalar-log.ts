/** @file A training run's numbers and pictures as TensorBoard shows them. */
import type { TensorflowModule } from '../backend/tensorflow.js';
import type { EncodedPicture } from './event-bytes.js';

/** Where scalars go. */
export interface ScalarLog {
  scalar(tag: string, value: number, step: number): void;
  /** Writes out what is held back. */
  flush(): void;
}

/** Where everything goes. */
export interface SummaryLog extends ScalarLog {
  /** Values must be finite. */
  histogram(tag: string, values: Float32Array, step: number): void;
  image(tag: string, picture: EncodedPicture, step: number): void;
  close(): void;
}

/** TensorFlow's own event writer, for the device `tensorflow`. The package appends a file of its own to `folder`. */
export function tensorflowScalars(tensorflow: TensorflowModule, folder: string): ScalarLog {
  return tensorflow.node.summaryFileWriter(folder);
}

const groups: Readonly<Record<string, string>> = { update: 'train', measure: 'validation', mine: 'mining' };

/** The numbers of one log record as scalars `train/loss`, `validation/map`, `mining/withLoss` and so on; `step` counts updates. */
export function logScalars(log: ScalarLog, record: { event: string; step?: number }): void {
  const group = groups[record.event];
  const { step } = record;
  if (group === undefined || step === undefined) return;
  for (const [name, value] of Object.entries(record)) {
    if (name !== 'step' && typeof value === 'number' && Number.isFinite(value)) {
      log.scalar(`${group}/${name}`, value, step);
    }
  }
  if (record.event === 'measure') log.flush();
}
