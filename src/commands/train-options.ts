/** @file What the trainers' commands share: their options, and how a run, runs per seed and a dry run are told. */
import type { Command } from 'commander';
import { UsageError } from '../errors.js';
import { RunFolder } from '../run/run-folder.js';
import type { StageContext } from '../stages/context.js';
import { finishText } from '../stages/finish-text.js';
import { costText } from '../stages/train-report.js';
import type { TrainResult } from '../stages/train-run.js';
import { firstKeyOf, type SeedsResult, type Spread } from '../stages/train-seeds.js';
import type { TrainOptions } from '../stages/train-settings.js';
import { topOne } from '../train/classify/classify-trainer.js';
import { recallCriterion } from '../train/proposals/proposals-trainer.js';
import { rankOfProcess } from '../train/mpi.js';
import { meanAveragePrecision } from '../train/ranking/ranking-trainer.js';
import type { Criterion } from '../train/trainer.js';
import {
  addCommonOptions,
  collect,
  type CommonOptions,
  endTogether,
  formatSeconds,
  interruptSignal,
  nonNegativeInteger,
  positiveInteger,
  printResult,
  terminalView,
} from './console.js';
import { imageRootOption } from './image-root-option.js';

export interface TrainCommandOptions extends TrainOptions, CommonOptions {
  device: string;
  threads?: number;
  dryRun?: boolean;
}

/** A trainer's stages. */
export interface TrainStages<Estimate> {
  train: (options: TrainOptions, context: StageContext) => Promise<TrainResult | SeedsResult>;
  estimate: (options: TrainOptions, context: StageContext) => Promise<Estimate>;
  estimateText: (estimate: Estimate) => string;
}

/** Adds the trainers' options. `contents`: what the run folder will hold; `val`: what `--val` takes; `seeds`: what `--seed` seeds. */
export function addTrainOptions(
  command: Command,
  { contents, val, seeds }: { contents: string; val: string; seeds: string },
): Command {
  command
    .requiredOption('--manifest <file>', '.jsonl manifest of the training images')
    .requiredOption('--run <dir>', `run folder: ${contents}`)
    .option('--config <recipe>', 'a recipe by name (recipes/NAME.yaml) or path')
    .option('--set <key=value>', 'one setting, over the recipe; repeatable', collect, [])
    .option('--init <file>', 'model to start from (.safetensors; default: the small trunk of this package)')
    .option('--val <file>', val)
    .option(...imageRootOption)
    .option(
      '--resume',
      'continue the run from its last checkpoint; begins it if there is none, and leaves it as it is if it is finished',
    )
    .option('--dry-run', 'say what the run would do and cost, measured on a few images; write nothing')
    .option('--max-hours <h>', 'stop after this time, with a checkpoint', hours)
    .option('--seed <n>', `seed of ${seeds} (the setting "seed")`, nonNegativeInteger)
    .option(
      '--seeds <n>',
      'n runs with seeds from that one on, in RUN/seed-N each; mean and deviation',
      positiveInteger,
    );
  return addCommonOptions(command);
}

/** commander parser: hours, above 0. */
function hours(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0 && value < Infinity)) {
    throw new UsageError(`--max-hours: expected a number above 0, got "${text}".`);
  }
  return value;
}

/** Trains, or says with `--dry-run` what that would cost. */
export async function runTrainer<Estimate>(
  { dryRun, ...options }: TrainCommandOptions,
  { train, estimate, estimateText }: TrainStages<Estimate>,
): Promise<void> {
  if (dryRun === true) {
    const cost = await estimate(options, { view: terminalView });
    printResult(cost, estimateText(cost), options);
    return;
  }
  const result = await train(options, { signal: interruptSignal(), view: terminalView, endedTogether: endTogether });
  if (rankOfProcess() > 0) return; // the first one tells
  printResult(result, isOfSeeds(result) ? seedsText(result) : resultText(result), options);
}

function isOfSeeds(result: TrainResult | SeedsResult): result is SeedsResult {
  return Array.isArray(result.seeds);
}

/** The criterion that a result is by. */
function criterionOf(result: object): Criterion {
  return [meanAveragePrecision, topOne, recallCriterion].find(({ key }) => key in result) as Criterion;
}

/** A run in words. */
export function resultText(result: TrainResult): string {
  const { key, name } = criterionOf(result);
  const { step, steps, stopped, best, seconds } = result;
  const [first, whitened, last] = [firstKeyOf(key), 'whitenedMap', key].map((k) => result[k] as number | undefined);
  const lines = [`${stopped} after update ${step} of ${steps} in ${formatSeconds(seconds)}: ${result.model}`];
  if (best !== undefined) {
    const from =
      first === undefined
        ? ''
        : ` (before training ${first.toFixed(4)}${whitened === undefined ? '' : `, with the whitening ${whitened.toFixed(4)}`})`;
    lines.push(
      `best ${name} ${best[key].toFixed(4)} after update ${best.step}${from}: ${new RunFolder(result.run).best}`,
    );
  } else if (last !== undefined) lines.push(`${name} ${last.toFixed(4)}`);
  if (result.finished !== undefined) lines.push(finishText(result.finished));
  const cost = costText(first, whitened, name);
  if (cost !== undefined) lines.push(cost);
  if (stopped === 'interrupted' || stopped === 'out of time') lines.push('Continue with --resume.');
  return lines.join('\n');
}

/** Runs per seed in words. */
function seedsText(result: SeedsResult): string {
  const { key, name } = criterionOf(result);
  const { seeds, finished, best } = result;
  const figure = (value: unknown) => (typeof value === 'number' ? value.toFixed(4) : '-');
  const spread = ({ mean, std }: Spread) => `${figure(mean)} ± ${figure(std)}`;
  const [last, first] = [result[key] as Spread, result[firstKeyOf(key)] as Spread];
  return [
    ...seeds.map(
      (run) =>
        `seed ${run.seed}: ${run.stopped ?? 'not finished'} after update ${run.step}, ${name} ${figure(run[key])}, best ${figure(run.best?.[key])}`,
    ),
    `${finished} of ${seeds.length} seeds, mean ± standard deviation: ${name} ${spread(last)}, best ${spread(best[key])}, before training ${spread(first)}`,
    ...(finished < seeds.length ? ['Continue with --resume.'] : []),
  ].join('\n');
}
