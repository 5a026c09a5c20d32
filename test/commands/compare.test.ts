import { existsSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { recipesFolder, resolveConfig } from '../../src/config.js';
import { register as registerCompare } from '../../src/commands/compare.js';
import { register as registerEvaluate } from '../../src/commands/evaluate.js';
import { InputError, UsageError } from '../../src/errors.js';
import { comparisonTableSchema } from '../../src/retrieval/compare/table-file.js';
import { parseSystemName } from '../../src/systems/system-name.js';
import { runCommand } from './run-command.js';
import { makeSmallSet, type SmallSet } from './small-set.js';

let set: SmallSet;
beforeAll(async () => {
  set = await makeSmallSet();
});

const compare = (...argv: string[]) => runCommand(registerCompare, 'compare', ...argv);
const truth = () => ['--protocol', 'groundtruth', '--groundtruth', set.groundTruth, '--size', '64'];
const presets = () => ['--weights', set.model, '--fit', set.manifest];
const newFolder = () => mkdtempSync(join(tmpdir(), 'rmac-compared-'));

describe('rmac compare', () => {
  test('a model and presets: the figures of rmac evaluate, intervals, a test against the first, costs and a page', async () => {
    const out = newFolder();
    const models = [set.model, 'tolias-mac@rmac-small', 'rmac-plus-db-regions@rmac-small'].join(',');
    const { stdout } = await compare(...truth(), ...presets(), '--models', models, '--out', out, '--json');
    const json = JSON.parse(stdout);
    expect(json.systems).toHaveLength(3);
    const evaluate = async (...argv: string[]) =>
      JSON.parse((await runCommand(registerEvaluate, 'evaluate', ...truth(), ...argv, '--json')).stdout).map as number;
    const expected = [
      await evaluate('--model', set.model),
      await evaluate('--preset', 'tolias-mac', ...presets()),
      await evaluate('--preset', 'rmac-plus-db-regions', ...presets()),
    ];
    expect(json.systems.map(({ map }: { map: number }) => map)).toEqual(expected);
    const [first, second, third] = json.systems;
    expect(first.against).toBeUndefined();
    expect(second.against.difference).toBeCloseTo(expected[1] - expected[0], 12);
    expect(third.cost.bytesPerImage).toBe(45 * 256 * 4);
    expect(third.cost.describeMs).toBeGreaterThan(0);
    for (const { map, interval } of json.systems) {
      expect(interval.low).toBeLessThanOrEqual(map);
      expect(interval.high).toBeGreaterThanOrEqual(map);
    }
    const page = readFileSync(join(out, 'report.html'), 'utf8');
    for (const word of ['tolias-mac@rmac-small', 'Precision against recall', 'elsewhere', 'data:image']) {
      expect(page.includes(word)).toBe(true);
    }
  });

  test('goes on where it was stopped: measures only what is missing or changed', async () => {
    const out = newFolder();
    const flags = [...truth(), ...presets(), '--out', out];
    await compare(...flags, '--models', set.model);
    const kept = join(out, 'systems', readdirSync(join(out, 'systems'))[0]);
    const writtenAt = statSync(kept).mtimeMs;
    const { stderr } = await compare(...flags, '--models', `${set.model},tolias-mac@rmac-small`);
    expect(stderr).toMatch(/: measured before/);
    expect(statSync(kept).mtimeMs).toBe(writtenAt);
    await compare(...flags, '--models', set.model, '--snap', '16');
    expect(statSync(kept).mtimeMs).toBeGreaterThan(writtenAt);
  });

  test('a table prints the published values beside', async () => {
    const out = newFolder();
    const table = join(out, 'own.yaml');
    const lines = [
      'title: A paper',
      'systems:',
      '  - system: tolias-mac@rmac-small',
      '    published: { groundtruth: 0.25 }',
    ];
    writeFileSync(table, lines.join('\n'));
    const { stdout } = await compare(...truth(), ...presets(), '--table', table, '--out', out);
    expect(stdout).toMatch(/published mAP\n.*0\.250\n/);
    expect(readFileSync(join(out, 'report.html'), 'utf8').includes('A paper')).toBe(true);
  });

  test('wrong usage and unknown systems are one clear error, before anything is measured', async () => {
    const out = join(newFolder(), 'none');
    const failing = async (message: RegExp, kind: typeof UsageError | typeof InputError, ...argv: string[]) => {
      const running = compare(...truth(), '--out', out, ...argv);
      await expect(running).rejects.toThrow(kind);
      await expect(running).rejects.toThrow(message);
    };
    await failing(/Give either --models LIST or --table NAME/, UsageError);
    await failing(/Unknown preset "nothing"/, UsageError, '--models', `${set.model},nothing`);
    await failing(/needs --weights FILE/, UsageError, '--models', 'tolias-mac');
    await failing(/none of --weights has a vgg16/, UsageError, '--models', 'tolias-mac@vgg16', '--weights', set.model);
    await failing(/no such recipe file/, InputError, '--table', 'nowhere.yaml');
    await failing(/is listed twice, as /, UsageError, '--models', `${set.model},./${relative('.', set.model)}`);
    const fitted = ['--models', `${set.model},tolias-mac-whitened`, '--weights', set.model];
    await failing(/Cannot read .*nowhere.jsonl/, InputError, ...fitted, '--fit', join(out, 'nowhere.jsonl'));
    const twice = 'tolias-mac,tolias-mac@rmac-small';
    await failing(/tolias-mac@rmac-small is listed twice/, UsageError, '--models', twice, '--weights', set.model);
    expect(existsSync(out)).toBe(false);
  });

  test('every table of the package names presets that exist', async () => {
    const folder = join(recipesFolder, 'tables');
    const files = readdirSync(folder);
    expect(files.length).toBeGreaterThan(3);
    for (const file of files) {
      const { systems } = await resolveConfig(comparisonTableSchema, { recipe: join(folder, file) });
      expect(systems.length).toBeGreaterThan(0);
      for (const { system } of systems) parseSystemName(system); // throws
    }
  });
});
