/** @file A training run's numbers as TensorBoard scalars. */
import type { TensorflowModule } from '../backend/tensorflow.js';
import type { FitRecord } from './fit-triplets.js';

/** Where scalars go. */
export interface ScalarLog {
  scalar(tag: string, value: number, step: number): void;
  /** Writes out what is held back. */
  flush(): void;
}

/** TensorFlow's own event writer, for the device `tensorflow`. The package appends a file of its own to `folder`. */
export function tensorflowScalars(tensorflow: TensorflowModule, folder: string): ScalarLog {
  return tensorflow.node.summaryFileWriter(folder);
}

/** The scalars of one record; `step` counts updates. */
export function logScalars(log: ScalarLog, record: FitRecord): void {
  if (record.event === 'update') {
    log.scalar('loss', record.loss, record.step);
    log.scalar('active', record.active, record.step);
    log.scalar('gradientNorm', record.gradientNorm, record.step);
  } else if (record.event === 'measure') {
    log.scalar('map', record.map, record.step);
    log.flush();
  }
}
