/** @file What a run leaves for TensorBoard beside its log: scalars of the log, pictures, and the weights at every checkpoint. */
import { join } from 'node:path';
import type { NamedArrays } from '../models/safetensors.js';
import type { EncodedPicture } from './event-bytes.js';
import { EventFile } from './event-file.js';
import { logScalars, type ScalarLog, type SummaryLog } from './scalar-log.js';

/** A picture of a log record. */
export interface TaggedPicture {
  tag: string;
  picture: EncodedPicture;
}

export class RunObserver {
  private readonly summaries: SummaryLog;
  private readonly scalars: ScalarLog;

  /** `resumedAfter`: the update of the checkpoint. `scalars`: a writer of its own for them, default none. */
  constructor(folder: string, { resumedAfter, scalars }: { resumedAfter?: number; scalars?: ScalarLog }) {
    // TensorBoard follows one growing file of a folder, so where another writer has one there, the rest lies apart.
    const place = scalars === undefined ? folder : join(folder, 'pictures');
    this.summaries = new EventFile(place, { resumedAfter });
    this.scalars = scalars ?? this.summaries;
  }

  record(record: { event: string; step?: number }, pictures: readonly TaggedPicture[] = []): void {
    logScalars(this.scalars, record);
    for (const { tag, picture } of pictures) this.summaries.image(tag, picture, record.step ?? 0);
  }

  /** Norm of the `trained` weights together, and a histogram of each that is a matrix or a kernel. */
  weights(weights: NamedArrays, trained: { has(name: string): boolean }, step: number): void {
    let squares = 0;
    for (const [name, { data, shape }] of weights) {
      if (!trained.has(name)) continue;
      const own = data.reduce((sum, value) => sum + value * value, 0);
      squares += own;
      if (shape.length > 1 && Number.isFinite(own)) this.summaries.histogram(`weights/${name}`, data, step);
    }
    this.scalars.scalar('train/weightNorm', Math.sqrt(squares), step);
  }

  close(): void {
    this.scalars.flush();
    this.summaries.close();
  }
}
