import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { register as registerEvaluate } from '../../src/commands/evaluate.js';
import { register as registerExtract } from '../../src/commands/extract.js';
import { UsageError } from '../../src/errors.js';
import { presets } from '../../src/systems/presets.js';
import { runCommand } from './run-command.js';
import { makeSmallSet, type SmallSet } from './small-set.js';

let set: SmallSet;
beforeAll(async () => {
  set = await makeSmallSet();
});

const evaluate = (...argv: string[]) => runCommand(registerEvaluate, 'evaluate', ...argv);
const truth = () => ['--protocol', 'groundtruth', '--groundtruth', set.groundTruth];
const preset = (name: string, ...argv: string[]) => ['--preset', name, '--weights', set.model, '--size', '64', ...argv];

describe('rmac evaluate --preset', () => {
  test('R-MAC+ with db regions: its figures, what it is, what it keeps, what it was fitted on', async () => {
    const argv = [...truth(), ...preset('rmac-plus-db-regions@rmac-small', '--fit', set.manifest)];
    const { stdout, stderr } = await evaluate(...argv, '--json');
    const json = JSON.parse(stdout);
    expect(json.queries).toHaveLength(12);
    expect(json.map).toBeGreaterThan(0);
    expect(json.preset).toMatchObject({
      name: 'rmac-plus-db-regions@rmac-small',
      network: { architecture: 'rmac-small', layers: ['out'] },
      settings: { sides: [64, 48, 80], database: 'regions', fit: { kind: 'zca' } },
      bytesPerImage: 45 * 256 * 4,
      fit: { images: 12, rows: 12 * 45, transductive: true },
    });
    expect(stderr).toMatch(/images that are searched.*transductive/);
  });

  test('the table names the system; a fit on other images is not transductive', async () => {
    const other = await makeSmallSet();
    const report = join(mkdtempSync(join(tmpdir(), 'rmac-page-')), 'report.html');
    const argv = [...truth(), ...preset('gordo', '--fit', other.manifest, '--fit-images', '10'), '--report', report];
    const { stdout, stderr } = await evaluate(...argv);
    expect(stdout).toMatch(/^system +gordo@rmac-small at 64 px$/m);
    // 10 images of 8 regions, some of which are sums of others: fewer than 79 directions
    const kept = Number(/^kept per image +(\d+) values/m.exec(stdout)?.[1]);
    expect(kept).toBeLessThan(79);
    expect(kept).toBeGreaterThan(40);
    expect(stderr).toMatch(
      new RegExp(`gordo@rmac-small: 80 vectors to learn from, which vary in ${kept} directions and not in 80`),
    );
    expect(stderr).toMatch(/dimensions from 80 vectors, 1\.\d for each: so few say little/);
    expect(stdout).toMatch(/^fit +80 vectors of 10 images of .*manifest\.jsonl$/m);
    expect(stderr).not.toContain('transductive');
    expect(readFileSync(report, 'utf8').includes('<td>gordo</td>')).toBe(true);
  });

  test('the same weights under another name are used and said to be', async () => {
    const { stderr } = await evaluate(...truth(), ...preset('tolias-mac@vgg16'), '--json');
    expect(stderr).toMatch(/holds rmac-small, which is used in place of vgg16/);
  });

  test('usage: what goes together', async () => {
    for (const [argv, message] of [
      [['--preset', 'gordo'], /--preset needs --weights/],
      [['--model', set.model, '--weights', set.model], /go with --preset/],
      [preset('gordo', '--model', set.model), /either --model FILE or --preset NAME/],
      [preset('gordo'), /gordo is learned from training images first: --fit MANIFEST/],
      [preset('no-such'), /Unknown preset "no-such"/],
      [preset('tolias-mac', '--pooling', 'mac'), /do not go with --preset/],
      [preset('tolias-mac', '--qe', 'aqe:2'), /do not go with --preset/],
      [['--preset', 'tolias-mac', '--weights', set.model, '--size', 'none'], /sides in pixels/],
      [preset('os-rmac-cam', '--fit', set.manifest), /--classifier FILE/],
    ] as const) {
      const outcome = evaluate(...truth(), ...argv);
      await expect(outcome).rejects.toThrow(UsageError);
      await expect(outcome).rejects.toThrow(message);
    }
  });

  test('--presets lists all and ends well, without a protocol', async () => {
    const program = new Command('rmac').exitOverride();
    registerEvaluate(program);
    let stdout = '';
    const spy = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
      stdout += String(chunk);
      return true;
    });
    const outcome = await program.parseAsync(['evaluate', '--presets'], { from: 'user' }).catch((e: unknown) => e);
    spy.mockRestore();
    expect(outcome).toBeInstanceOf(CommanderError);
    expect(outcome).toMatchObject({ exitCode: 0 });
    expect(stdout.trim().split('\n')).toHaveLength(presets.size);
    for (const name of presets.keys()) expect(stdout).toMatch(new RegExp(`^${name} .*\\(.*\\)$`, 'm'));
  });
});

describe('rmac extract --preset', () => {
  const extract = (...argv: string[]) => runCommand(registerExtract, 'extract', '--images', set.manifest, ...argv);

  test('writes descriptors that score as the preset does', async () => {
    const out = join(mkdtempSync(join(tmpdir(), 'rmac-out-')), 'descriptors');
    await extract(...preset('tolias-rmac-plain'), '--out', out);
    const meta = JSON.parse(readFileSync(join(out, 'meta.json'), 'utf8'));
    expect(meta).toMatchObject({ images: 12, dimension: 256, system: { name: 'tolias-rmac-plain@rmac-small' } });
    const byDescriptors = JSON.parse((await evaluate(...truth(), '--descriptors', out, '--json')).stdout);
    const byPreset = JSON.parse((await evaluate(...truth(), ...preset('tolias-rmac-plain'), '--json')).stdout);
    expect(byDescriptors.map).toBeCloseTo(byPreset.map, 10);
  });

  test('a broken image is listed, and several vectors per image are refused', async () => {
    const out = join(mkdtempSync(join(tmpdir(), 'rmac-out-')), 'descriptors');
    const list = join(set.images, 'list.txt');
    writeFileSync(join(set.images, 'broken.png'), 'no picture');
    writeFileSync(list, 'stripes/0.png\nbroken.png\n');
    const { stdout } = await runCommand(
      registerExtract,
      'extract',
      '--images',
      list,
      '--out',
      out,
      ...preset('tolias-mac'),
      '--json',
    );
    expect(JSON.parse(stdout)).toMatchObject({ images: 1, failures: [{ id: 'broken' }] });
    await expect(
      extract(...preset('rmac-plus-db-regions', '--fit', set.manifest), '--out', join(out, 'more')),
    ).rejects.toThrow(/keeps 45 vectors per image; extract writes one/);
    await expect(extract('--out', out)).rejects.toThrow(/either --model FILE or --preset/);
  });
});
