/** @file `--seeds N` of the trainers: one run per seed, each as if it had been started alone, and what they come to together. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readText } from '../data/read-file.js';
import { InputError, UsageError } from '../errors.js';
import type { RunContents } from '../report/run-report.js';
import { printResult, say } from './console.js';
import {
  onlyWriter,
  type RunSignals,
  runSignals,
  startFiles,
  type TrainOptions,
  writeBeginning,
} from './train-options.js';

/** What a trainer's command leaves; undefined after `--dry-run`, which prints for itself. */
export type TrainerOutcome = { result: object; text: string } | undefined;

export interface SeedTrainer<Options extends TrainOptions> {
  /** The figure that chooses the best model, and what it is called. */
  words: { criterion: string; name: string };
  /** One run. */
  run: (options: Options, signals?: RunSignals) => Promise<TrainerOutcome>;
  /** The settings of a new run. */
  settings: (options: Options) => Promise<Record<string, unknown> & { seed: number }>;
}

/** RUN/seeds.json. `init`, relative to RUN, where the folders of the runs do not say what they start from. */
const planSchema = z.strictObject({ seeds: z.array(z.int().min(0)).min(1), init: z.string().optional() });
type Plan = z.output<typeof planSchema>;

/** Figures over seeds; the sample's standard deviation (n - 1), null for fewer than two. */
export interface Spread {
  mean: number | null;
  std: number | null;
}

/** Trains once, or with `--seeds` once per seed, as the only process that writes into the folders, and prints the result. */
export async function trainSeeds<Options extends TrainOptions>(
  options: Options,
  trainer: SeedTrainer<Options>,
): Promise<void> {
  if (options.dryRun === true) await trainHere(options, trainer);
  else await onlyWriter(options.run, () => trainHere(options, trainer));
}

async function trainHere<Options extends TrainOptions>(options: Options, trainer: SeedTrainer<Options>): Promise<void> {
  if (options.resume !== true && options.dryRun !== true) await assertNoRuns(options);
  const before = await readPlan(options);
  if (options.dryRun === true || (options.seeds === undefined && before === undefined)) {
    const outcome = await trainer.run(options);
    if (outcome !== undefined) printResult(outcome.result, outcome.text, options);
    return;
  }
  const init = options.init ?? (before?.init && join(options.run, before.init));
  const seeds = await layOut({ ...options, init }, trainer, before);
  const signals = runSignals(options);
  for (const [i, seed] of seeds.entries()) {
    if (signals.either.aborted) break;
    say(`Seed ${seed}, run ${i + 1} of ${seeds.length}: ${folderOf(options, seed)}`);
    // The settings are in the run's folder already; what a resume changes is not.
    const set = before === undefined ? [] : options.set.filter((setting) => !setting.startsWith('seed='));
    const config = before === undefined ? undefined : options.config;
    const own = { set, config, seed: undefined, resume: true, run: folderOf(options, seed), init };
    await onlyWriter(own.run, () => trainer.run({ ...options, ...own }, signals));
  }
  const { result, text } = await summaryOf(options, seeds, trainer.words);
  printResult(result, text, options);
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
  const { run, resume, dryRun } = options;
  const file = planFile(options);
  if (resume !== true || dryRun === true || !existsSync(file)) return undefined;
  try {
    return planSchema.parse(JSON.parse(await readText(file)));
  } catch {
    throw new InputError(`${file} is damaged; resume the runs in ${run} one by one.`);
  }
}

/** Writes settings and start of every run that has not begun, so that --resume needs none of the options again. Returns the seeds. */
async function layOut<Options extends TrainOptions>(
  options: Options,
  { settings }: SeedTrainer<Options>,
  before: Plan | undefined,
): Promise<number[]> {
  const { RunFolder } = await import('../run/run-folder.js');
  const { writeFileAtomic } = await import('../data/files.js');
  const { run, seeds: count = before?.seeds.length ?? 1, seed: asked } = options;
  if (before !== undefined && asked !== undefined && asked !== before.seeds[0]) {
    throw new UsageError(`The runs in ${run} begin with the seed ${before.seeds[0]}; leave --seed out of --resume.`);
  }
  new RunFolder(run).assertNew();
  const config =
    before === undefined
      ? await settings({ ...options, resume: false })
      : ((await new RunFolder(folderOf(options, before.seeds[0])).readConfig()) ?? {});
  const first = before?.seeds[0] ?? Number(config.seed);
  const seeds = Array.from({ length: count }, (_, i) => first + i);
  const folders = seeds.map((seed) => ({ seed, folder: new RunFolder(folderOf(options, seed)) }));
  const missing = folders.filter(({ folder }) => options.resume !== true || !existsSync(folder.config));
  if (missing.length > 0) {
    // Runs that are added later start from what the first one did.
    const files = await startFiles(options, before === undefined ? new RunFolder(run) : folders[0].folder);
    for (const { seed, folder } of missing) await writeBeginning(folder, { ...config, seed }, files);
  }
  const kept = (before?.seeds.length ?? 0) > seeds.length ? before!.seeds : seeds;
  const plan = `${JSON.stringify({ ...before, seeds: kept } satisfies Plan)}\n`;
  await writeFileAtomic(planFile(options), plan, { overwrite: true });
  return seeds;
}

async function summaryOf(
  options: TrainOptions,
  seeds: readonly number[],
  { criterion, name }: { criterion: string; name: string },
): Promise<{ result: object; text: string }> {
  const { RunFolder } = await import('../run/run-folder.js');
  const { readRun } = await import('../report/run-report.js');
  const runs: ({ seed: number; run: string } & Pick<RunContents, 'step' | 'stopped' | 'first' | 'last' | 'best'>)[] =
    [];
  for (const seed of seeds) {
    const run = folderOf(options, seed);
    const { step, stopped, first, last, best } = await readRun(new RunFolder(run));
    runs.push({ seed, run, step, stopped, first, last, best });
  }
  const whole = runs.filter(({ stopped }) => stopped === 'finished' || stopped === 'nothing left to learn');
  const over = (value: (run: (typeof runs)[number]) => number | undefined) =>
    spreadOf(whole.map(value).filter((number) => number !== undefined));
  const [first, last, best] = [over((run) => run.first), over((run) => run.last), over((run) => run.best?.value)];
  const upper = criterion[0].toUpperCase() + criterion.slice(1);
  const result = {
    run: options.run,
    finished: whole.length,
    seeds: runs.map(({ seed, run, step, stopped, ...measured }) => ({
      seed,
      run,
      step,
      stopped,
      [`first${upper}`]: measured.first,
      [criterion]: measured.last,
      ...(measured.best && { best: { step: measured.best.step, [criterion]: measured.best.value } }),
    })),
    [`first${upper}`]: first,
    [criterion]: last,
    best: { [criterion]: best },
  };
  const figure = (value: number | null | undefined) => (value ?? undefined)?.toFixed(4) ?? '-';
  const spread = ({ mean, std }: Spread) => `${figure(mean)} ± ${figure(std)}`;
  const lines = [
    ...runs.map(
      (run) =>
        `seed ${run.seed}: ${run.stopped ?? 'not finished'} after update ${run.step}, ${name} ${figure(run.last)}, best ${figure(run.best?.value)}`,
    ),
    `${whole.length} of ${runs.length} seeds, mean ± standard deviation: ${name} ${spread(last)}, best ${spread(best)}, before training ${spread(first)}`,
    ...(whole.length < runs.length ? ['Continue with --resume.'] : []),
  ];
  return { result, text: lines.join('\n') };
}

/** Mean and sample standard deviation. */
export function spreadOf(values: readonly number[]): Spread {
  const n = values.length;
  if (n === 0) return { mean: null, std: null };
  const mean = values.reduce((a, b) => a + b) / n;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, std: n < 2 ? null : Math.sqrt(squares / (n - 1)) };
}
