/** @file `rmac compare`: models and published systems side by side on one benchmark, as a table and a page. */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Command, Option } from 'commander';
import { InputError, UsageError } from '../errors.js';
import { averagePrecisionRules } from '../retrieval/average-precision.js';
import type { ComparedSystem } from '../retrieval/compare/compared-system.js';
import type { ComparisonTableFile, TableSystem } from '../retrieval/compare/table-file.js';
import {
  addBenchmarkOptions,
  checkBenchmarkUsage,
  mainGroundTruth,
  openTruth,
  protocolsHelp,
  sourceOf,
  type Truth,
} from './benchmark-options.js';
import type { SharedOptions } from './compare-arguments.js';
import { addCommonOptions, nonNegativeInteger, positiveInteger, printResult, say } from './console.js';
import { measure, type Measured } from './evaluate-measure.js';
import { sizeOption } from './open-model.js';
import { addFitOptions } from './preset-options.js';
import { largest } from '../extremes.js';

interface CompareOptions extends SharedOptions {
  models?: string[];
  table?: string;
  weights: string[];
  out: string;
  seed: number;
}

const list = (text: string): string[] => text.split(',').filter((name) => name !== '');

export function register(program: Command): void {
  const command = program.command('compare');
  addBenchmarkOptions(command)
    .option(
      '--models <list>',
      'model files and presets (rmac evaluate --presets), comma-separated; the first is the reference',
      list,
    )
    .option('--table <name>', 'systems of a publication: a file of recipes/tables, or a path')
    .option('--weights <list>', 'model files whose networks the presets run on', list, []);
  addFitOptions(command)
    .option('--size <px>', 'longest side of all (default: each its own)', sizeOption)
    .option('--snap <px>', 'round both sides to multiples of this', positiveInteger)
    .addOption(
      new Option('--ap <rule>', 'trapezoid (Oxford/Paris) or finite-sum')
        .choices(averagePrecisionRules)
        .default('trapezoid'),
    )
    .option('--seed <n>', 'of the intervals and tests', nonNegativeInteger, 0)
    .requiredOption('--out <dir>', 'folder of the page; a comparison that was stopped goes on there');
  addCommonOptions(command)
    .addHelpText(
      'after',
      `
Each system is measured once and kept in DIR/systems; one whose files or settings changed is measured again.
${protocolsHelp}

Examples:
  rmac compare --protocol groundtruth --groundtruth gt.json --models densenet121.safetensors,runs/a/model.safetensors --out compared
  rmac compare --protocol roxford5k --data roxford5k --models runs/a/model.safetensors,rmac-plus,os-rmac --weights resnet50.safetensors --fit train.jsonl --out compared
  rmac compare --protocol oxford5k --data oxford5k --table tolias-2016 --weights vgg16.safetensors --fit paris.jsonl --out compared`,
    )
    .action(run);
}

async function run(options: CompareOptions): Promise<void> {
  checkBenchmarkUsage(options, true);
  const table = options.table === undefined ? undefined : await openTable(options.table);
  const systems = table?.systems ?? (options.models ?? []).map((system): TableSystem => ({ system }));
  if ((options.models === undefined) === (options.table === undefined) || systems.length === 0) {
    throw new UsageError('Give either --models LIST or --table NAME.');
  }
  const { comparedArguments } = await import('./compare-arguments.js');
  const entries = await comparedArguments(
    systems.map(({ system }) => system),
    options,
  );
  const truth = await openTruth(options, { images: true });
  const { withFolderLock } = await import('../data/folder-lock.js');
  await withFolderLock(options.out, () => compare(options, { truth, entries, table }), { within: ['systems'] });
}

interface Comparison {
  truth: Truth;
  entries: Awaited<ReturnType<typeof import('./compare-arguments.js').comparedArguments>>;
  table: ComparisonTableFile | undefined;
}

async function compare(options: CompareOptions, { truth, entries, table }: Comparison): Promise<void> {
  const { readComparedSystem, writeComparedSystem } = await import('../retrieval/compare/compared-system.js');
  const { models: _models, weights: _weights, ...shared } = options;
  const compared: ComparedSystem[] = [];
  for (const { name, file, key, given } of entries) {
    const path = join(options.out, 'systems', file);
    const kept = await readComparedSystem(path, key);
    say(`${name}${kept === undefined ? '' : ': measured before'}`);
    const found = kept ?? (await measured(truth, { name, key }, { ...shared, ...given }));
    if (kept === undefined) await writeComparedSystem(path, found);
    compared.push(found);
  }
  const { comparisonNotes, comparisonRows, comparisonTable } = await import('../retrieval/compare/comparison.js');
  const { comparisonReport } = await import('../report/comparison-report.js');
  const { scaleFigures } = await import('../retrieval/similarity-scale.js');
  const { writeFileAtomic } = await import('../data/files.js');
  const published = publishedValues(entries, table, options.protocol);
  const { seed } = options;
  const nsScore = options.protocol.startsWith('ukbench');
  const rows = comparisonRows(compared, seed);
  const report = join(options.out, 'report.html');
  const source = `${options.protocol} of ${sourceOf(options)}: ${compared[0].queries.length} queries, ${compared[0].databaseSize} images.`;
  const html = await comparisonReport(compared, mainGroundTruth(truth), {
    source: table === undefined ? source : `${table.title}. ${source}`,
    published,
    nsScore,
    settings: settingRows(options),
    seed,
  });
  await writeFileAtomic(report, html, { overwrite: true });
  const json = {
    protocol: options.protocol,
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
  };
  const notes = comparisonNotes(rows);
  const comparison = comparisonTable(rows, published, { nsScore });
  printResult({ ...json, notes }, tableText(comparison, notes, report), options);
}

/** Measures one system; what is kept of it does not need the images again. */
async function measured(
  truth: Truth,
  { name, key }: { name: string; key: string },
  options: SharedOptions & { model?: string; preset?: string; weights?: string },
): Promise<ComparedSystem> {
  const { comparedSystem, keptResults } = await import('../retrieval/compare/compared-system.js');
  const { imagesToDescribe } = await import('../retrieval/describe-ground-truth.js');
  const groundTruth = mainGroundTruth(truth);
  const mostJunk = Math.max(0, largest(groundTruth.queries.map(({ junk }) => junk.length)));
  const found = await measure(truth, {}, { ...options, recall: [1], top: keptResults + mostJunk });
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
}

function costOf({ seconds, ready, described }: Measured, images: number, queries: number): ComparedSystem['cost'] {
  return {
    describeMs: (1000 * (seconds?.describe ?? 0)) / images,
    queryMs: (1000 * (seconds?.rank ?? 0)) / queries,
    bytesPerImage: ready?.system.bytesPerImage ?? 4 * (described?.database.dimension ?? 0),
  };
}

async function openTable(name: string): Promise<ComparisonTableFile> {
  const { resolveConfig, recipesFolder } = await import('../config.js');
  const { comparisonTableSchema } = await import('../retrieval/compare/table-file.js');
  const own = join(recipesFolder, 'tables', `${name}.yaml`);
  return resolveConfig(comparisonTableSchema, { recipe: existsSync(own) ? own : name });
}

function publishedValues(
  entries: readonly { name: string }[],
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

function settingRows(options: CompareOptions): [string, string][] {
  const { protocol, ap, weights, fit, size, table } = options;
  return [
    ['protocol', `${protocol} of ${sourceOf(options)}`],
    ['average precision', ap],
    ...(table === undefined ? [] : [['table', basename(table)] as [string, string]]),
    ...(weights.length === 0
      ? []
      : [['networks of presets', weights.map((file) => basename(file)).join(', ')] as [string, string]]),
    ...(fit === undefined ? [] : [['learned on', fit] as [string, string]]),
    ['longest side', size === undefined ? "each system's own" : `${size}`],
  ];
}

function tableText(
  { columns, rows }: { columns: string[]; rows: string[][] },
  notes: readonly string[],
  report: string,
): string {
  const widths = columns.map((column, i) => Math.max(column.length, largest(rows.map((row) => row[i].length))));
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ');
  return [line(columns), ...rows.map(line), '', ...notes, `Wrote ${report}.`].join('\n');
}
