/** @file What a stage is given from outside: how it ends early, and who watches. */

export interface StageContext {
  /** Ends the stage early. What it had finished is kept where the stage says so. */
  signal?: AbortSignal;
  /** Of processes that end together: tells each of them which signal of the system ended them all, or that none did. */
  endedTogether?: (signalName: string | undefined) => void;
  /** Default: nobody watches. */
  view?: StageView;
}

/** The progress of one piece of work. */
export interface StageProgress {
  /** Sets the number of finished items. */
  update(done: number): void;
  /** The work is over, finished or not. */
  stop(): void;
}

/** How a stage shows what it does; it prints nothing itself. */
export interface StageView {
  /** Work of `total` items begins. */
  progress(label: string, total: number): StageProgress;
  /** A line for the person. */
  note(line: string): void;
  /** Where it is there, it is told every update of a training, in place of a line now and then. */
  updated?(step: number, steps: number): void;
}

/** A view that shows nothing. */
export const silentView: StageView = {
  progress: () => ({ update() {}, stop() {} }),
  note() {},
};
