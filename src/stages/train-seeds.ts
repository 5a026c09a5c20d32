/** @file A trainer's runs in a folder: one, or one per seed, each as if it had been started alone, and what these come to together. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../data/files.js';
import { readText } from '../data/read-file.js';
import { InputError, UsageError } from '../errors.js';
import { readRun } from '../report/run-report.js';
import { RunFolder } from '../run/run-folder.js';
import { openCollective } from '../train/mpi.js';
import { EndedTogether, type ProcessGroup } from '../train/process-group.js';
import type { Criterion } from '../train/trainer.js';
import type { StageContext } from './context.js';
import { cameToItsEnd } from './finished-run.js';
import { errorOfRank, tellIfAlone } from './rank-notes.js';
import { type RunContext, runContext, type TrainResult } from './train-run.js';
import { onlyWriter, startFiles, type TrainOptions, writeBeginning } from './train-settings.js';

export interface SeededTrainer<Options extends TrainOptions> {
  criterion: Criterion;
  /** One run. */
  run: (options: Options, context: RunContext) => Promise<TrainResult>;
  /** The settings of a run in `folder`. */
  settings: (options: Options, folder: RunFolder) => Promise<Record<string, unknown> & { seed: number }>;
}

/** Figures over seeds; the sample's standard deviation (n - 1), null for fewer than two. */
export interface Spread {
  mean: number | null;
  std: number | null;
}

/** The object that `--json` prints of runs per seed; the criterion's spread is under its key, before training under `first` and the key. */
export interface SeedsResult {
  run: string;
  /** Runs that came to their end: the spreads are over them. */
  finished: number;
  /** Of each run, with the criterion under its key. */
  seeds: {
    seed: number;
    run: string;
    step: number;
    stopped: string | undefined;
    best?: Record<string, number>;
    [figure: string]: unknown;
  }[];
  best: Record<string, Spread>;
  [figure: string]: unknown;
}

/** RUN/seeds.json. `init`, relative to RUN, where the folders of the runs do not say what they start from. */
const planSchema = z.strictObject({ seeds: z.array(z.int().min(0)).min(1), init: z.string().optional() });
type Plan = z.output<typeof planSchema>;

/** Trains once, or with `seeds` once per seed, as the only process that writes into the folders; with the other ranks of its job. */
export async function trainSeeded<Options extends TrainOptions>(
  trainer: SeededTrainer<Options>,
  options: Options,
  context: StageContext,
): Promise<TrainResult | SeedsResult> {
  const collective = await openCollective();
  const run = runContext(context, options, collective);
  tellIfAlone(run);
  try {
    const { group } = run;
    const result = await onlyWriter(options.run, () => trainHere(trainer, options, run), group);
    await group.gather(undefined); // all is written, and each knows what any of them was asked for
    if (group.size > 1) context.endedTogether?.(group.interruptedBy);
    collective.close();
    return result;
  } catch (error) {
    if (!(error instanceof EndedTogether)) throw await errorOfRank(error, run.group);
    if (run.group.size > 1) context.endedTogether?.(run.group.interruptedBy);
    collective.close();
    throw error;
  }
}

async function trainHere<Options extends TrainOptions>(
  trainer: SeededTrainer<Options>,
  options: Options,
  context: RunContext,
): Promise<TrainResult | SeedsResult> {
  const { group } = context;
  if (options.resume !== true && group.leads) await assertNoRuns(options);
  const before = options.resume === true ? await readPlan(options) : undefined;
  if (options.seeds === undefined && before === undefined) return trainer.run(options, context);
  const init = options.init ?? (before?.init && join(options.run, before.init));
  const seeds = await laidOut(group, () => layOut(trainer, { ...options, init }, { before, context }));
  for (const [i, seed] of seeds.entries()) {
    if (group.ending.aborted) break;
    context.view.note(`Seed ${seed}, run ${i + 1} of ${seeds.length}: ${folderOf(options, seed)}`);
    // The settings are in the run's folder already; what a resume changes is not.
    const set = before === undefined ? [] : options.set?.filter((setting) => !setting.startsWith('seed='));
    const config = before === undefined ? undefined : options.config;
    const own = { set, config, seed: undefined, resume: true, run: folderOf(options, seed), init };
    await onlyWriter(own.run, () => trainer.run({ ...options, ...own }, context), group);
  }
  return seedsResult(options, seeds, trainer.criterion);
}

/** What the first rank lays out, and tells the others. */
async function laidOut(group: ProcessGroup, layOutSeeds: () => Promise<number[]>): Promise<number[]> {
  await group.collective.barrier(); // all have read what was there
  const [seeds] = await group.gather(group.leads ? await layOutSeeds() : []);
  return seeds;
}

function folderOf({ run }: TrainOptions, seed: number): string {
  return join(run, `seed-${seed}`);
}

function planFile({ run }: TrainOptions): string {
  return join(run, 'seeds.json');
}

/** Throws `InputError` if runs per seed have begun here. Those that ended before their first checkpoint may be begun again. */
async function assertNoRuns(options: TrainOptions): Promise<void> {
  const { run, seeds } = options;
  if (!existsSync(planFile(options))) return;
  const begun = (await readdir(run)).find((name) => existsSync(join(run, name, 'checkpoints')));
  if (begun === undefined && seeds !== undefined) return;
  throw new InputError(
    `${run} holds a run per seed (${begun ?? 'seeds.json'}); continue them with --resume, or choose another --run folder.`,
  );
}

async function readPlan(options: TrainOptions): Promise<Plan | undefined> {
  const file = planFile(options);
  if (!existsSync(file)) return undefined;
  try {
    return planSchema.parse(JSON.parse(await readText(file)));
  } catch {
    throw new InputError(`${file} is damaged; resume the runs in ${options.run} one by one.`);
  }
}

/** Writes settings and start of every run that has not begun, so that resuming needs none of the options again. Returns the seeds. */
async function layOut<Options extends TrainOptions>(
  { settings }: SeededTrainer<Options>,
  options: Options,
  { before, context }: { before: Plan | undefined; context: RunContext },
): Promise<number[]> {
  const { run, seeds: count = before?.seeds.length ?? 1, seed: asked } = options;
  if (before !== undefined && asked !== undefined && asked !== before.seeds[0]) {
    throw new UsageError(`The runs in ${run} begin with the seed ${before.seeds[0]}; leave --seed out of --resume.`);
  }
  const whole = new RunFolder(run);
  whole.assertNew();
  const config =
    before === undefined
      ? await settings({ ...options, resume: false }, whole)
      : ((await new RunFolder(folderOf(options, before.seeds[0])).readConfig()) ?? {});
  const first = before?.seeds[0] ?? Number(config.seed);
  const seeds = Array.from({ length: count }, (_, i) => first + i);
  const folders = seeds.map((seed) => ({ seed, folder: new RunFolder(folderOf(options, seed)) }));
  const missing = folders.filter(({ folder }) => options.resume !== true || !existsSync(folder.config));
  if (missing.length > 0) {
    // Runs that are added later start from what the first one did.
    const files = await startFiles(options, before === undefined ? whole : folders[0].folder, context.view);
    for (const { seed, folder } of missing) await writeBeginning(folder, { ...config, seed }, files);
  }
  const kept = (before?.seeds.length ?? 0) > seeds.length ? before!.seeds : seeds;
  const plan = `${JSON.stringify({ ...before, seeds: kept } satisfies Plan)}\n`;
  await writeFileAtomic(planFile(options), plan, { overwrite: true });
  return seeds;
}

async function seedsResult(options: TrainOptions, seeds: readonly number[], { key }: Criterion): Promise<SeedsResult> {
  const read = async (seed: number) => {
    const run = folderOf(options, seed);
    return { seed, run, ...(await readRun(new RunFolder(run))) };
  };
  const runs = await Promise.all(seeds.map(read));
  const whole = runs.filter(({ stopped }) => cameToItsEnd(stopped));
  const over = (value: (run: (typeof runs)[number]) => number | undefined) =>
    spreadOf(whole.map(value).filter((number) => number !== undefined));
  const firstKey = firstKeyOf(key);
  return {
    run: options.run,
    finished: whole.length,
    seeds: runs.map(({ seed, run, step, stopped, first, last, best }) => ({
      seed,
      run,
      step,
      stopped,
      [firstKey]: first,
      [key]: last,
      ...(best && { best: { step: best.step, [key]: best.value } }),
    })),
    [firstKey]: over(({ first }) => first),
    [key]: over(({ last }) => last),
    best: { [key]: over(({ best }) => best?.value) },
  };
}

/** Key of the criterion before training: firstMap. */
export function firstKeyOf(key: string): string {
  return `first${key[0].toUpperCase()}${key.slice(1)}`;
}

/** Mean and sample standard deviation. */
export function spreadOf(values: readonly number[]): Spread {
  const n = values.length;
  if (n === 0) return { mean: null, std: null };
  const mean = values.reduce((a, b) => a + b) / n;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, std: n < 2 ? null : Math.sqrt(squares / (n - 1)) };
}
