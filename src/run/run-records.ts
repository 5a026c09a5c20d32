/** @file The records of a run's log, as a trainer's loop yields them and `log.jsonl` keeps them; run-log.ts reads them back. */

/** One update. Besides these figures it has those of its trainer. */
export interface UpdateRecord {
  event: 'update';
  /** Finished updates. */
  step: number;
  /** Mean over what the update was made of. */
  loss: number;
  learningRate: number;
  gradientNorm: number;
  msPerStep: number;
  /** Images run forward, and again with a tape, per second of the update. */
  imagesPerSecond: number;
  /** Images that could not be read so far. */
  unreadable: number;
  rssBytes: number;
  numTensors: number;
  [figure: string]: unknown;
}

/** A measurement. It has the criterion under its own key, and further figures of the trainer. */
export interface MeasureRecord {
  event: 'measure';
  step: number;
  /** Whether the criterion is higher than ever before. */
  best: boolean;
  ms: number;
  [figure: string]: unknown;
}

/** Of one mining. */
export interface MiningSummary {
  /** Images of the pool that were described, and those that could not be read. */
  images: number;
  unreadable: number;
  /** Images whose landmark has no other one in the pool: negatives only. */
  single: number;
  /** Triplets of the pool, those with a loss, and those kept. */
  possible: number;
  withLoss: number;
  kept: number;
  /** Mean similarity of a query to its hardest negative. */
  hardestSimilarity: number;
  /** The triplets with the largest loss, one per query, by image id. */
  hardest: { query: string; positive: string; negative: string; loss: number }[];
  ms: number;
}

/** `step`: the update that the mining is for. */
export type MiningRecord = { event: 'mine'; step: number } & MiningSummary;

export type StopReason = 'finished' | 'interrupted' | 'out of time' | 'nothing left to learn';

export interface StopRecord {
  event: 'stop';
  step: number;
  reason: StopReason;
}

/** What a loop yields. */
export type RunRecord = UpdateRecord | MeasureRecord | MiningRecord | StopRecord;

/** The model with a share of the start's weights, measured on landmarks held back from training. */
export interface MeasuredShare {
  share: number;
  map: number;
}

/** What a run appends when its last update is done: each share that was measured, and the model that it ended with. */
export type FinishRecord =
  | ({ event: 'share'; step: number } & MeasuredShare)
  | ({ event: 'finish'; step: number } & FinishSummary);

/** How the model of a run came about from its last weights. */
export interface FinishSummary {
  /** Of the start's weights in the model. */
  share: number;
  /** Those that it was chosen from, if it was. */
  shares: readonly MeasuredShare[];
  /** Of the final whitening, 0 for none, and what is doubtful about it. */
  dimension: number;
  warnings: readonly string[];
  /** mAP of the model on --val, at the size that is stored in it. */
  map?: number;
}

/** A whitening that a run learned at its start. */
export interface AddedWhitening {
  dimension: number;
  /** What is doubtful about it. */
  warnings: readonly string[];
  /** mAP on --val of the model as it was given, where there is one: the first measurement is of the whitened model. */
  mapAsGiven?: number;
}
