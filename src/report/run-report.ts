/** @file One HTML page of a training run, made of what the run folder holds: it need not be finished, nor whole. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { ImageRecord } from '../data/manifest.js';
import { readBytes } from '../data/model-file.js';
import { InputError, messageOf } from '../errors.js';
import { htmlReport, type ReportBlock, type ReportSection } from './page.js';
import { thumbnail } from './thumbnail.js';
import { checkpointFiles, parseState } from '../run/checkpoint.js';
import type { MiningSummary } from '../run/run-records.js';
import { curveBlocks, figureName } from './run-curves.js';
import type { RunFolder } from '../run/run-folder.js';
import { type LogRecord, readRunLog } from '../run/run-log.js';
import { costs } from '../run/whitening-cost.js';
import { largest } from '../extremes.js';

/** What a run folder says of its run. */
export interface RunContents {
  records: LogRecord[];
  config: Record<string, unknown>;
  /** Finished updates, by the log. */
  step: number;
  /** Why it stopped; undefined while it runs or when it was killed. */
  stopped?: string;
  /** Name of the figure that chooses the best model, and the measurements by it. */
  criterion?: string;
  /** Of the model as it was given. */
  first?: number;
  /** With the whitening that the run put in before its first update. */
  whitened?: { dimension: number; value?: number };
  last?: number;
  best?: { step: number; value: number };
  /** Averaging with the start and whitening after the last update; while that goes on, the shares measured so far. */
  finish?: { shares: { share: number; map: number }[]; share?: number; dimension?: number; map?: number };
  /** Ids of images that could not be read, by the newest checkpoint. */
  unreadable: string[];
  /** Manifest of the training images, relative to the run folder. */
  manifest?: string;
  /** What is missing or damaged, in words. */
  problems: string[];
}

/** Reads a run folder. Throws `InputError` where there is none. */
export async function readRun(folder: RunFolder): Promise<RunContents> {
  if (![folder.log, folder.config, folder.checkpoints].some((path) => existsSync(path))) {
    const several = existsSync(join(folder.path, 'seeds.json'));
    throw new InputError(
      several
        ? `${folder.path} holds a run per seed; name one of its folders, seed-N.`
        : `${folder.path} holds no run: expected log.jsonl, config.yaml or checkpoints/, as "rmac train" leaves them.`,
    );
  }
  const problems: string[] = [];
  const attempt = async <T>(work: () => Promise<T | undefined>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      problems.push(messageOf(error));
      return undefined;
    }
  };
  const { records, torn } = await readRunLog(folder.log);
  if (records.length === 0) problems.push('log.jsonl says nothing yet.');
  if (torn > 0) problems.push(`log.jsonl: ${torn} damaged line${torn === 1 ? ' is' : 's are'} left out.`);
  const config = (await attempt(() => folder.readConfig())) ?? {};
  const unreadable = await attempt(async () => {
    const checkpoint = await folder.latestCheckpoint();
    if (checkpoint === undefined) return undefined;
    const file = join(checkpoint, checkpointFiles.state);
    const text = new TextDecoder().decode(await readBytes(file));
    return parseState(text, file, z.looseObject({ unreadable: z.array(z.string()) })).unreadable;
  });
  const start = records.findLast(({ event, manifest }) => event === 'start' && typeof manifest === 'string');
  const last = records.at(-1)?.event === 'finish' ? records.findLast(({ event }) => event === 'stop') : records.at(-1);
  return {
    records,
    config,
    step: Math.max(0, largest(records.filter(({ event }) => event === 'update').map(({ step }) => step))),
    ...(last?.event === 'stop' && { stopped: String(last.reason) }),
    ...measuredValues(records),
    ...finishOf(records),
    unreadable: unreadable ?? [],
    ...(start && { manifest: start.manifest as string }),
    problems,
  };
}

function measuredValues(
  records: readonly LogRecord[],
): Pick<RunContents, 'criterion' | 'first' | 'whitened' | 'last' | 'best'> {
  const measured = records.filter(({ event }) => event === 'measure');
  const criterion = ['map', 'top1', 'recall'].find((name) =>
    measured.some((record) => typeof record[name] === 'number'),
  );
  const whitening = records.findLast(({ event }) => event === 'whitening');
  const start = criterion && measured.find(({ step }) => step === 0)?.[criterion];
  const whitened = whitening && {
    whitened: { dimension: Number(whitening.dimension), ...(typeof start === 'number' && { value: start }) },
  };
  if (criterion === undefined) return { ...whitened };
  const best = measured.findLast((record) => record.best === true);
  const first = whitening === undefined ? start : whitening.mapAsGiven;
  const last = measured.at(-1)?.[criterion];
  return {
    criterion,
    ...whitened,
    ...(typeof first === 'number' && { first }),
    ...(typeof last === 'number' && { last }),
    ...(best && { best: { step: best.step, value: Number(best[criterion]) } }),
  };
}

function finishOf(records: readonly LogRecord[]): Pick<RunContents, 'finish'> {
  const last = records.at(-1);
  if (last?.event !== 'finish' && last?.event !== 'share') return {};
  const measured = records.filter(({ event, step }) => event === 'share' && step === last.step);
  const shares = measured.flatMap(({ share, map }) =>
    share === undefined || map === undefined ? [] : [{ share, map }],
  );
  if (last.event === 'share') return { finish: { shares } };
  const { share, dimension, map } = last;
  return { finish: { shares, share, dimension, map } };
}

export interface RunReportOptions {
  title: string;
  /** By id, to show pictures. */
  records?: ReadonlyMap<string, ImageRecord>;
  /** What the page says of single neurons, as neuron-patches.ts makes it; without it how to get it. */
  neurons?: readonly ReportBlock[];
  /** The classification that the run began with. */
  classify?: RunContents;
  /** Which places make queries and positives similar; without it how to get it. */
  places?: readonly ReportBlock[];
}

/** The page. */
export async function runReport(
  run: RunContents,
  { title, records, neurons, classify, places }: RunReportOptions,
): Promise<string> {
  const { problems, unreadable } = run;
  const sections: ReportSection[] = [
    ...(classify === undefined ? [] : [classifySection(classify)]),
    { heading: 'Run', blocks: [summaryTable(run), ...problems.map(textBlock)] },
    ...(run.finish === undefined ? [] : [{ heading: 'Finished model', blocks: finishBlocks(run.finish) }]),
    { heading: 'Measurements', blocks: curveBlocks(run.records, 'measure') },
    { heading: 'Training', blocks: curveBlocks(run.records, 'update') },
    ...(await miningSections(run.records, { records, places })),
    {
      heading: 'Neurons',
      blocks: neurons ?? [
        textBlock(
          'Image patches that excite single neurons, before and after training, are shown with --init FILE (the model that ' +
            'training started from) and --manifest FILE where the run does not know its own.',
        ),
      ],
    },
    ...(unreadable.length > 0
      ? [{ heading: 'Unreadable images', blocks: [unreadableTable(unreadable, records)] }]
      : []),
    { heading: 'Settings', blocks: [settingsTable(run.config)] },
  ];
  return htmlReport({ title, sections: sections.filter(({ blocks }) => blocks.length > 0) });
}

function classifySection(run: RunContents): ReportSection {
  return {
    heading: 'Classification before it',
    blocks: [summaryTable(run), ...run.problems.map(textBlock), ...curveBlocks(run.records, 'update')],
  };
}

function textBlock(text: string): ReportBlock {
  return { kind: 'text', text };
}

function finishBlocks({ shares, share, dimension, map }: NonNullable<RunContents['finish']>): ReportBlock[] {
  const rows: [string, string][] = [
    ...(share === undefined ? [] : ([["share of the start's weights", String(share)]] as [string, string][])),
    ...(dimension === undefined || dimension === 0
      ? []
      : ([['whitened to', `${dimension} values`]] as [string, string][])),
    ...(map === undefined ? [] : ([['mAP on the validation set', map.toFixed(4)]] as [string, string][])),
  ];
  const table = shares.map((each): [string, string] => [
    `${each.share}${each.share === share ? ' (chosen)' : ''}`,
    each.map.toFixed(4),
  ]);
  return [
    ...(rows.length === 0 ? [] : [{ kind: 'table', columns: ['', ''], rows } as const]),
    ...(table.length === 0
      ? []
      : [{ kind: 'table', columns: ['share of the start', 'mAP on landmarks held back'], rows: table } as const]),
  ];
}

function summaryTable({
  records,
  config,
  step,
  stopped,
  criterion,
  first,
  whitened,
  last: end,
  best,
  unreadable,
}: RunContents): ReportBlock {
  const start = records.findLast(({ event }) => event === 'start');
  const versions = Object.entries(start?.versions ?? {});
  const name = criterion === undefined ? '' : figureName('measure', criterion);
  const last = records.findLast(({ event }) => event === 'update');
  const rows: [string, string | number][] = [
    ['updates', typeof config.steps === 'number' ? `${step} of ${config.steps}` : step],
    ['state', stopped ?? 'running, or ended without saying so'],
    ...(best === undefined ? [] : [[`best ${name}`, `${best.value.toFixed(4)} after update ${best.step}`] as const]),
    ...(end === undefined ? [] : [[`last ${name}`, end.toFixed(4)] as const]),
    ...(first === undefined ? [] : [[`${name} before training`, first.toFixed(4)] as const]),
    ...(whitened === undefined
      ? []
      : [
          [
            `whitening to ${whitened.dimension} values put in before the first update`,
            whitened.value === undefined ? '' : `${name} ${whitened.value.toFixed(4)}`,
          ] as const,
        ]),
    ...(whitened?.value === undefined || first === undefined || !costs(first, whitened.value)
      ? []
      : [['', `The whitening costs ${name}: ${whitened.value.toFixed(4)} after ${first.toFixed(4)}.`] as const]),
    ...(typeof last?.loss === 'number' ? [['last loss', last.loss.toPrecision(4)] as const] : []),
    ['unreadable images', Math.max(unreadable.length, last?.unreadable ?? 0)],
    ...(start === undefined ? [] : [['seed', String(start.seed)] as const]),
    ...versions.map(([what, version]) => [what, version] as const),
  ].map(([what, value]) => [String(what), value]);
  return { kind: 'table', columns: ['', ''], rows };
}

async function miningSections(
  log: readonly LogRecord[],
  { records, places }: Pick<RunReportOptions, 'records' | 'places'>,
): Promise<ReportSection[]> {
  const mined = lastMining(log);
  if (mined === undefined) return [];
  const picture = async (id: string, caption: string) => {
    const path = records?.get(id)?.path;
    return { image: path && (await thumbnail(path)), caption };
  };
  const rows = [];
  for (const { query, positive, negative, loss } of mined.hardest) {
    rows.push({
      query: await picture(query, `${query}, loss ${loss.toFixed(3)}`),
      results: [
        { ...(await picture(positive, positive)), relation: 'positive' as const },
        { ...(await picture(negative, negative)), relation: 'negative' as const },
      ],
    });
  }
  const curves = curveBlocks(log, 'mine');
  const text = `The hardest triplets of the mining for update ${mined.step}: query, positive, negative.`;
  const hint = 'Which places make query and positive similar is shown with --heat-maps N.';
  return [
    {
      heading: 'Mining',
      blocks: [...curves, textBlock(text), { kind: 'results', rows }, ...(places ?? [textBlock(hint)])],
    },
  ];
}

/** The newest mining that names triplets. */
export function lastMining(log: readonly LogRecord[]): { step: number; hardest: MiningSummary['hardest'] } | undefined {
  const mined = log.findLast((record) => record.event === 'mine' && Array.isArray(record.hardest));
  return mined && { step: mined.step, hardest: mined.hardest as MiningSummary['hardest'] };
}

function unreadableTable(ids: readonly string[], records: ReadonlyMap<string, ImageRecord> | undefined): ReportBlock {
  const shown = ids.slice(0, 100);
  const rows = shown.map((id) => [id, records?.get(id)?.path ?? '']);
  if (shown.length < ids.length) rows.push([`and ${ids.length - shown.length} more`, '']);
  return { kind: 'table', columns: ['id', 'path'], rows };
}

function settingsTable(config: Readonly<Record<string, unknown>>): ReportBlock {
  const rows = Object.entries(config).map(([key, value]) => [
    key,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);
  return { kind: 'table', columns: ['setting', 'value'], rows };
}
