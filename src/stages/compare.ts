/** @file Sets models and published systems side by side on one benchmark: a table with intervals and tests, and a page. */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { recipesFolder, resolveConfig } from '../config.js';
import { writeFileAtomic } from '../data/files.js';
import { withFolderLock } from '../data/folder-lock.js';
import { InputError, UsageError } from '../errors.js';
import { largest } from '../extremes.js';
import { comparisonReport } from '../report/comparison-report.js';
import {
  comparedSystem,
  type ComparedSystem,
  keptResults,
  readComparedSystem,
  writeComparedSystem,
} from '../retrieval/compare/compared-system.js';
import { comparisonNotes, comparisonRows, comparisonTable } from '../retrieval/compare/comparison.js';
import { type ComparisonTableFile, comparisonTableSchema, type TableSystem } from '../retrieval/compare/table-file.js';
import { imagesToDescribe } from '../retrieval/describe-ground-truth.js';
import { mainGroundTruth, openTruth, type Truth } from '../retrieval/protocols/open-truth.js';
import { checkTruthSource, truthPath } from '../retrieval/protocols/truth-source.js';
import { scaleFigures } from '../retrieval/similarity-scale.js';
import { type NamedSystem, namedSystems, type SharedChoice } from './compared-systems.js';
import { type StageContext, silentView } from './context.js';
import { type MeasuredRetrieval, measureRetrieval } from './measure-retrieval.js';

export interface CompareStageOptions extends SharedChoice {
  /** Model files and presets, the first the reference; these or `table`. */
  models?: readonly string[];
  /** Systems of a publication: a file of recipes/tables by name, or a path. */
  table?: string;
  /** Model files whose networks the presets run on. */
  weights?: readonly string[];
  /** Folder of the page; each system is measured once and kept in its `systems`. */
  out: string;
  /** Of the intervals and tests. Default 0. */
  seed?: number;
}

/** The figures of every system, side by side. */
export type CompareStageResult = Awaited<ReturnType<typeof compare>>;

/** A comparison that was stopped goes on in its folder; a system whose files or settings changed is measured again. */
export async function compare(options: CompareStageOptions, context: StageContext = {}) {
  checkTruthSource(options, true);
  const table = options.table === undefined ? undefined : await openTable(options.table);
  const systems = table?.systems ?? (options.models ?? []).map((system): TableSystem => ({ system }));
  if ((options.models === undefined) === (options.table === undefined) || systems.length === 0) {
    throw new UsageError('Give either --models LIST or --table NAME.');
  }
  const { models: _models, weights = [], ...shared } = options;
  const names = systems.map(({ system }) => system);
  const entries = await namedSystems(names, { ...shared, weights });
  const truth = await openTruth(options, { images: true });
  const { out } = options;
  return withFolderLock(
    out,
    async () => {
      const compared = await measureEach(entries, truth, shared, join(out, 'systems'), context);
      return writeComparison(compared, truth, publishedValues(entries, table, options.protocol), table, options);
    },
    { within: ['systems'] },
  );
}

async function measureEach(
  entries: readonly NamedSystem[],
  truth: Truth,
  shared: SharedChoice,
  folder: string,
  context: StageContext,
): Promise<ComparedSystem[]> {
  const { view = silentView } = context;
  const compared: ComparedSystem[] = [];
  for (const { name, file, key, given } of entries) {
    const path = join(folder, file);
    const kept = await readComparedSystem(path, key);
    view.note(`${name}${kept === undefined ? '' : ': measured before'}`);
    const found = kept ?? (await measureOne(truth, { name, key }, { ...shared, ...given }, context));
    if (kept === undefined) await writeComparedSystem(path, found);
    compared.push(found);
  }
  return compared;
}

/** What is kept of a system does not need the images again. */
async function measureOne(
  truth: Truth,
  { name, key }: { name: string; key: string },
  options: SharedChoice & { model?: string; preset?: string; weights?: string },
  context: StageContext,
): Promise<ComparedSystem> {
  const groundTruth = mainGroundTruth(truth);
  const mostJunk = Math.max(0, largest(groundTruth.queries.map(({ junk }) => junk.length)));
  const measuring = { ...options, recall: [1], top: keptResults + mostJunk };
  return measureRetrieval(truth, {}, measuring, context, (found) => {
    const at = Math.max(
      0,
      truth.settings.findIndex((setting) => setting.name === truth.main),
    );
    const result = found.results[at];
    if (result.queries.length === 0) throw new InputError(`${name}: no query could be described.`);
    const settings = Object.fromEntries(truth.settings.map((setting, i) => [setting.name, found.results[i].map]));
    return comparedSystem(name, key, result, {
      failures: found.failures.length,
      size: found.size ?? '-',
      cost: costOf(found, imagesToDescribe(groundTruth), result.queries.length),
      ...(truth.settings.length > 1 && { settings }),
    });
  });
}

function costOf(
  { seconds, ready, described }: MeasuredRetrieval,
  images: number,
  queries: number,
): ComparedSystem['cost'] {
  return {
    describeMs: (1000 * (seconds?.describe ?? 0)) / images,
    queryMs: (1000 * (seconds?.rank ?? 0)) / queries,
    bytesPerImage: ready?.system.bytesPerImage ?? 4 * (described?.database.dimension ?? 0),
  };
}

async function writeComparison(
  compared: readonly ComparedSystem[],
  truth: Truth,
  published: ReadonlyMap<string, number>,
  table: ComparisonTableFile | undefined,
  options: CompareStageOptions,
) {
  const { protocol, out, seed = 0 } = options;
  const nsScore = protocol.startsWith('ukbench');
  const rows = comparisonRows(compared, seed);
  const report = join(out, 'report.html');
  const source = `${protocol} of ${truthPath(options)}: ${compared[0].queries.length} queries, ${compared[0].databaseSize} images.`;
  const html = await comparisonReport(compared, mainGroundTruth(truth), {
    source: table === undefined ? source : `${table.title}. ${source}`,
    published,
    nsScore,
    settings: settingRows(options),
    seed,
  });
  await writeFileAtomic(report, html, { overwrite: true });
  return {
    protocol,
    systems: rows.map(
      ({ system: { name, map, settings, precisionAt1, cost, failures, queries, ...system }, interval, test }) => ({
        name,
        map,
        settings,
        interval,
        against: test,
        published: published.get(name),
        precisionAt1,
        cost,
        failures,
        imageSize: system.size,
        ...(system.unrelated && { unrelated: scaleFigures(system.unrelated) }),
        queries: queries.map(({ id, ap }) => ({ id, ap })),
      }),
    ),
    report,
    notes: comparisonNotes(rows),
    /** The same for people. */
    table: comparisonTable(rows, published, { nsScore }),
  };
}

async function openTable(name: string): Promise<ComparisonTableFile> {
  const own = join(recipesFolder, 'tables', `${name}.yaml`);
  return resolveConfig(comparisonTableSchema, { recipe: existsSync(own) ? own : name });
}

function publishedValues(
  entries: readonly NamedSystem[],
  table: ComparisonTableFile | undefined,
  protocol: string,
): Map<string, number> {
  return new Map(
    (table?.systems ?? []).flatMap(({ published }, i) => {
      const value = published?.[protocol];
      return value === undefined ? [] : [[entries[i].name, value] as const];
    }),
  );
}

function settingRows(options: CompareStageOptions): [string, string][] {
  const { protocol, ap = 'trapezoid', weights = [], fit, size, table } = options;
  const rows: [string, string][] = [
    ['protocol', `${protocol} of ${truthPath(options)}`],
    ['average precision', ap],
  ];
  if (table !== undefined) rows.push(['table', basename(table)]);
  if (weights.length > 0) rows.push(['networks of presets', weights.map((file) => basename(file)).join(', ')]);
  if (fit !== undefined) rows.push(['learned on', fit]);
  rows.push(['longest side', size === undefined ? "each system's own" : `${size}`]);
  return rows;
}
