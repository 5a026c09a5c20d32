/** @file What the loop (loop.ts) trains: the contract of a trainer. Ranking, classification and proposals are three of them. */
import type * as tf from '@tensorflow/tfjs-core';
import type { StorableModel } from '../data/model-file.js';
import type { TaggedPicture } from '../run/observe-run.js';
import type { RunRecord } from '../run/run-records.js';
import type { GradientAccumulator } from './gradients.js';
import type { ProcessGroup } from './process-group.js';
import type { RandomStream } from './random.js';

/** The figure that chooses the best model, the higher the better. */
export interface Criterion {
  /** Its key in log, state and results. */
  key: string;
  /** What people call it. */
  name: string;
}

/** What measuring the model gave. */
export interface Measurement {
  /** The criterion. */
  value: number;
  /** What else was measured, for the log. */
  figures: Readonly<Record<string, number>>;
}

/** What one update is made of, whichever rank computed it; its gradient lies in the accumulators of all. */
export interface Gradient {
  /** For the log, besides what the loop says of the update. */
  figures: { loss: number; [figure: string]: number };
  /** Ids of its images, for errors. */
  ids: readonly string[];
  /** Images run forward, and again with a tape. */
  images: number;
}

/** The update that comes next. */
export interface NextUpdate {
  /** Updates before it. */
  step: number;
  /** Aborted when the run is to end: the update in hand is then dropped. */
  signal: AbortSignal;
  /** The processes that make the update together; one where nothing else was said. */
  group: ProcessGroup;
}

/** What is trained, and how one update of it is made. */
export interface Trainer {
  readonly criterion: Criterion;
  /** What is trained, by our names. */
  readonly variables: ReadonlyMap<string, tf.Variable>;
  /** Everything random is drawn from it. The loop stores and restores it. */
  readonly random: RandomStream;
  /** Ids of images that could not be read so far: never drawn again. The loop stores and restores them. */
  readonly unreadable: Set<string>;
  /** What the run's model files hold, as it is now. */
  readonly model: StorableModel;
  /** What else is saved with the model, by name. */
  files?(): Promise<ReadonlyMap<string, Uint8Array>>;

  /** Does what is due before an update (mining), with its log records. `exhausted`: there is nothing left to learn. */
  prepare?(update: NextUpdate): AsyncGenerator<RunRecord, 'ready' | 'exhausted'>;
  /**
   * Leaves this rank's part of one update's gradient in `sums`: the loop adds up those of all ranks. Undefined when interrupted. Throws
   * `NotFiniteError` with the images it comes from.
   */
  gradient(update: NextUpdate, sums: GradientAccumulator): Promise<Gradient | undefined>;
  /** Figures of the model as it is, the same on every rank; undefined when interrupted. Without it nothing is measured. */
  measure?: ((signal: AbortSignal) => Promise<Measurement | undefined>) | undefined;

  /** What else the next update depends on, JSON-ready; later updates do not change what was returned. */
  state(): Readonly<Record<string, unknown>>;
  /**
   * Takes back what `state` gave, read from JSON. Throws zod's error for anything else, and `InputError` where the run that it is of
   * had other images.
   */
  restore(state: unknown): void;

  /** What TensorBoard shows with a record. */
  pictures?(record: RunRecord): Promise<TaggedPicture[]>;
}
