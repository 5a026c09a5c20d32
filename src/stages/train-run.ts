/** @file One training run in its folder, begun or continued. */
import { availableParallelism, cpus } from 'node:os';
import type { z } from 'zod';
import { loadTensorflow } from '../backend/tensorflow.js';
import { type RunState, readCheckpoint } from '../run/checkpoint.js';
import type { RunFolder } from '../run/run-folder.js';
import type { AddedWhitening, FinishSummary, MeasureRecord, StopReason } from '../run/run-records.js';
import type { StartFiles } from '../run/run-start.js';
import { type ScalarLog, tensorflowScalars } from '../run/scalar-log.js';
import type { Collective } from '../train/collective.js';
import { openLifeline } from '../train/lifeline.js';
import type { LoopOptions } from '../train/loop.js';
import { ProcessGroup } from '../train/process-group.js';
import { trainInFolder } from '../train/train-in-folder.js';
import { finishes } from '../train/finish-config.js';
import type { Trainer } from '../train/trainer.js';
import { type StageContext, type StageView, silentView } from './context.js';
import { cameToItsEnd, finishedRun } from './finished-run.js';
import { openEngine } from './open-model.js';
import { type FinishPlan, finishRun } from './train-finish.js';
import { type ReportWords, type RunSummary, TrainReport } from './train-report.js';
import { startFiles, type TrainOptions, writeBeginning } from './train-settings.js';

/** What a run is given from outside. */
export interface RunContext {
  /** The ranks that train together, and their endings: Ctrl-C, and the time of `maxHours`. */
  group: ProcessGroup;
  /** Told by the first rank only. */
  view: StageView;
}

/** The time of `maxHours` starts now. */
export function runContext(
  { signal, view = silentView }: StageContext,
  { maxHours }: TrainOptions,
  collective: Collective,
): RunContext {
  // A timer beyond 2^31 ms would fire at once.
  const timeout =
    maxHours === undefined ? undefined : AbortSignal.timeout(Math.min(2 ** 31 - 1, Math.round(maxHours * 3.6e6)));
  const group = new ProcessGroup(collective, { signal, timeout });
  return { group, view: group.leads ? view : silentView };
}

/** The object that `--json` prints. The criterion is under its key, before training under `first` and the key, as firstMap. */
export interface TrainResult {
  run: string;
  model: string;
  /** Finished updates, of how many. */
  step: number;
  steps: number;
  stopped: StopReason | undefined;
  /** Mean loss of the last update. */
  loss: number | undefined;
  /** With the criterion under its key. */
  best: RunState['best'];
  unreadable: number;
  seconds: number;
  /** Averaging with the start and whitening after the last update, where the settings ask for them. */
  finished?: FinishSummary;
  [figure: string]: unknown;
}

/** A trainer with the models that it trains. */
export interface OpenedTrainer {
  trainer: Trainer;
  /** What was put into the model before the first update. */
  whitening?: AddedWhitening | undefined;
  /** Said before the first update. */
  remark?: string | undefined;
  dispose(): void;
}

/** Shows work that takes a while. */
export type Working = (label: string) => (done: number, total: number) => void;

/** A run whose settings and data are read and fit together. */
export interface TrainJob {
  config: LoopOptions['config'] & Readonly<Record<string, unknown>>;
  schema: z.ZodObject;
  words: ReportWords;
  /** Compiled graphs that the engine keeps. Default: its own. */
  maxSessions?: number | undefined;
  /** A new run's trainer. `begun` is called when the model is known to fit. */
  start(files: StartFiles, working: Working, begun: () => Promise<void>): Promise<OpenedTrainer>;
  /** The trainer of a checkpoint's model. */
  reopen(checkpoint: string, working: Working): Promise<OpenedTrainer>;
  /** What is done after the last update. Default: nothing. */
  finish?: FinishPlan;
  resultOf(summary: RunSummary, place: { run: string; model: string }, last: MeasureRecord | undefined): TrainResult;
}

/** Trains in `folder`; `given`: where the run starts, if the folder says nothing of it. */
export async function trainJob(
  job: TrainJob,
  folder: RunFolder,
  options: TrainOptions,
  { group, view }: RunContext,
  given?: StartFiles,
): Promise<TrainResult> {
  const { config, schema, words } = job;
  const startedAt = performance.now();
  const place = { run: folder.path, model: folder.model };
  const plan = job.finish && finishes(job.finish.config) ? job.finish : undefined;
  const checkpoint = options.resume === true ? await folder.latestCheckpoint() : undefined;
  if (checkpoint !== undefined) {
    const { steps } = config;
    const read = group.leads
      ? await finishedRun(folder, { checkpoint, steps, finishes: plan !== undefined })
      : undefined;
    const [before] = await group.gather(read);
    if (before !== undefined) {
      view.note(`${folder.path} is finished; nothing is left to do.`);
      const { summary, measured, finished } = before;
      return { ...job.resultOf(summary, place, measured), ...(finished && { finished }) };
    }
  }
  const threads = threadsOf(options, group);
  await openEngine({ ...options, threads }, job.maxSessions);
  let report: TrainReport | undefined;
  const working: Working = (label) => (done, total) => report?.working(label, done, total);
  let resume: LoopOptions['resume'];
  let opened: OpenedTrainer;
  if (checkpoint === undefined) {
    const files = given ?? (await startFiles(options, folder, view));
    const begun = async () => {
      await group.collective.barrier(); // all have read what was there
      if (given === undefined && group.leads) await writeBeginning(folder, config, files);
    };
    opened = await job.start(files, working, begun);
  } else opened = await job.reopen(checkpoint, working);
  const { trainer, whitening } = opened;
  const lifeline = await openLifeline(group, folder.checkpoints);
  try {
    if (checkpoint !== undefined) {
      resume = await readCheckpoint(checkpoint, (own) => trainer.restore(own));
      view.note(`Continuing ${folder.path} after update ${resume.state.step} of ${config.steps}.`);
    }
    if (opened.remark !== undefined) view.note(opened.remark);
    const { criterion } = trainer;
    const { steps } = config;
    report = new TrainReport({ criterion, words, steps, startedAt, resumed: resume?.state, whitening }, view);
    const notes = { manifest: options.manifest, scalars: await scalarsOf(options), whitening };
    const records = trainInFolder(folder, trainer, { config, schema, resume, group, ...notes });
    for await (const record of records) report.add(record);
    await group.collective.barrier(); // the others may read what the first one has written
    const summary = report.summary();
    if (plan === undefined || !cameToItsEnd(summary.stopped)) return job.resultOf(summary, place, report.measured);
    const { step } = summary;
    const finished = await finishRun(plan, { trainer, step, folder, options, threads }, { group, view });
    const stopped = group.signal.aborted ? 'interrupted' : 'out of time';
    const seconds = (performance.now() - startedAt) / 1000;
    const ended = { ...summary, seconds, ...(finished === undefined && ({ stopped } as const)) };
    return { ...job.resultOf(ended, place, report.measured), ...(finished && { finished }) };
  } finally {
    report?.close();
    await lifeline.end();
    opened.dispose();
  }
}

/** What was asked for; else the ranks of one machine share its cores, as they were bound to them or evenly. Undefined: all. */
export function threadsOf({ threads }: TrainOptions, { size }: ProcessGroup): number | undefined {
  if (threads !== undefined || size === 1) return threads;
  const { SLURM_CPUS_PER_TASK: given, OMPI_COMM_WORLD_LOCAL_SIZE: ranksHere = '1' } = process.env;
  return Number(given) || Math.min(availableParallelism(), Math.max(1, Math.floor(cpus().length / Number(ranksHere))));
}

async function scalarsOf({ device, run }: TrainOptions): Promise<ScalarLog | undefined> {
  return device === 'tensorflow' ? tensorflowScalars(await loadTensorflow(), run) : undefined;
}
