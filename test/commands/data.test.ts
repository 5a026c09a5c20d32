import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { register } from '../../src/commands/data.js';
import { readManifest } from '../../src/data/manifest.js';
import { InputError, UsageError } from '../../src/errors.js';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'rmac-data-command-')));
const photos = join(root, 'photos');
afterAll(() => rm(root, { recursive: true, force: true }));

beforeAll(async () => {
  for (const landmark of ['arch', 'tower']) {
    mkdirSync(join(photos, landmark), { recursive: true });
    for (let i = 0; i < 5; i++) {
      const background = { r: 20 * i, g: landmark.length * 30, b: 90 };
      const image = sharp({ create: { width: 32, height: 24, channels: 3, background } });
      await image.jpeg().toFile(join(photos, landmark, `${i}.jpg`));
    }
  }
  writeFileSync(join(photos, 'arch', 'broken.jpg'), 'nothing');
});

/** Runs one command line in this process. */
async function rmac(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const written = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((stream) =>
    vi.spyOn(process[stream], 'write').mockImplementation((text) => {
      written[stream] += String(text);
      return true;
    }),
  );
  try {
    const program = new Command('rmac').exitOverride();
    register(program);
    await program.parseAsync(args, { from: 'user' });
    return written;
  } finally {
    for (const spy of spies) spy.mockRestore();
    process.removeAllListeners('SIGINT');
  }
}

describe('rmac data scan', () => {
  test('writes the manifest beside the images; --json is one object on stdout', async () => {
    const out = join(photos, 'manifest.jsonl');
    const { stdout, stderr } = await rmac('data', 'scan', photos, '--out', out, '--json');
    const result = JSON.parse(stdout) as Record<string, unknown>;
    expect(stdout.endsWith('}\n')).toBe(true);
    expect(result).toMatchObject({ manifest: out, images: 10, skipped: 0 });
    expect(result).not.toHaveProperty('link');
    expect(result.broken).toEqual([
      { path: join(photos, 'arch/broken.jpg'), reason: expect.stringMatching(/not a photograph/) as string },
    ]);
    expect(stderr).toMatch(/1 broken, left out:\n {2}.*broken.jpg: not a photograph/);
    expect((await readManifest(out)).map(({ path }) => existsSync(path))).toEqual(Array<boolean>(10).fill(true));
    // the manifest now lies among the images and is no image
    await expect(rmac('data', 'scan', photos, '--out', out)).rejects.toThrow(/exists; pass --overwrite/);
    const again = await rmac('data', 'scan', photos, '--out', out, '--overwrite');
    expect(again.stdout).toBe(
      [
        'landmark     images  broken  copies  in several',
        'arch              5       1       0           0',
        'tower             5       0       0           0',
        '2 landmarks      10       1       0           0',
        `1 other files skipped. Wrote ${out}.`,
        '',
      ].join('\n'),
    );
  });

  test('a manifest elsewhere reaches the images through a link, and names no path outside its folder', async () => {
    const out = join(root, 'elsewhere/manifest.jsonl');
    const { stdout, stderr } = await rmac('data', 'scan', photos, '--out', out, '--json');
    const link = { path: join(root, 'elsewhere/photos'), target: photos };
    expect(JSON.parse(stdout)).toMatchObject({ link });
    expect(stderr).toContain(`${link.path} links to ${photos}`);
    expect(readlinkSync(link.path)).toBe(photos);
    expect(readFileSync(out, 'utf8').split('\n')[0]).toBe(
      '{"id":"arch/0","path":"photos/arch/0.jpg","landmark":"arch"}',
    );
    expect((await readManifest(out)).every(({ path }) => existsSync(path))).toBe(true);
    // a second manifest finds the link; a name that is taken by something else gets a number
    await rmac('data', 'scan', photos, '--out', join(root, 'elsewhere/second.jsonl'));
    expect(readdirSync(join(root, 'elsewhere')).toSorted()).toEqual(['manifest.jsonl', 'photos', 'second.jsonl']);
    mkdirSync(join(root, 'taken/photos'), { recursive: true });
    await rmac('data', 'scan', photos, '--out', join(root, 'taken/m.jsonl'));
    expect((await readManifest(join(root, 'taken/m.jsonl')))[0].path).toBe(join(root, 'taken/photos-2/arch/0.jpg'));
  });

  test('a table: its labels, and its columns through scan and split', async () => {
    const table = join(photos, 'table.csv');
    const rows = ['arch/0', 'arch/1', 'tower/0', 'tower/1'].map((id) => `${id}.jpg;${id[0]};by ${id}`);
    writeFileSync(table, `\ufeffpath;label;author\r\n${rows.join('\r\n')}`);
    const out = join(root, 'table/manifest.jsonl');
    await rmac('data', 'scan', table, '--out', out);
    await rmac('data', 'split', out, '--val', '0.5', '--by', 'photo', '--out', join(root, 'table/split'));
    const halves = await Promise.all(
      ['train', 'val'].map((name) => readManifest(join(root, `table/split/${name}.jsonl`))),
    );
    const records = halves.flat();
    expect(records.map(({ path }) => existsSync(path))).toEqual([true, true, true, true]);
    expect(new Set(records.map(({ landmark, fields }) => `${landmark} ${String(fields?.author)}`))).toEqual(
      new Set(['arch/0', 'arch/1', 'tower/0', 'tower/1'].map((id) => `${id[0]} by ${id}`)),
    );
    rmSync(table);
    await expect(rmac('data', 'scan', 'x.csv', '--label-depth', '2', '--out', out)).rejects.toThrow(UsageError);
  });

  test('the label by depth or by pattern, not by both', async () => {
    const out = join(root, 'labels/m.jsonl');
    const labels = async (...flags: string[]) => {
      await rmac('data', 'scan', root, ...flags, '--out', out, '--overwrite');
      return new Set((await readManifest(out)).map(({ landmark }) => landmark));
    };
    expect(await labels('--label-depth', '2')).toEqual(new Set(['photos/arch', 'photos/tower']));
    expect(await labels('--label-pattern', '/([a-z]+)/\\d')).toEqual(new Set(['arch', 'tower']));
    await expect(labels('--label-depth', '1', '--label-pattern', 'x')).rejects.toThrow(UsageError);
    await expect(labels('--label-pattern', '(')).rejects.toThrow(/--label-pattern: .*Unterminated group/);
  });

  test('nothing usable is an error that counts, and nothing is written', async () => {
    const bad = join(root, 'bad/a');
    mkdirSync(bad, { recursive: true });
    writeFileSync(join(bad, 'x.jpg'), '');
    const out = join(root, 'bad/manifest.jsonl');
    await expect(rmac('data', 'scan', join(root, 'bad'), '--out', out)).rejects.toThrow(InputError);
    await expect(rmac('data', 'scan', join(root, 'bad'), '--out', out)).rejects.toThrow(
      /has no usable image \(1 broken/,
    );
    expect(readdirSync(join(root, 'bad'))).toEqual(['a']);
  });

  test('landmarks with a single photograph are a warning', async () => {
    const single = join(root, 'single/a');
    mkdirSync(single, { recursive: true });
    await sharp(join(photos, 'arch/1.jpg')).png().toFile(join(single, 'x.png'));
    const { stderr } = await rmac('data', 'scan', join(root, 'single'), '--out', join(root, 'single/m.jsonl'));
    expect(stderr).toMatch(/Warning: 1 landmarks have a single photograph/);
    await expect(
      rmac('data', 'scan', join(root, 'single'), '--out', join(root, 'single/n.jsonl'), '--min-images', '2'),
    ).rejects.toThrow(/1 landmarks too small/);
  });

  test('bad usage', async () => {
    await expect(rmac('data', 'scan', photos)).rejects.toThrow(CommanderError);
    await expect(rmac('data', 'scan', photos, '--out', 'x', '--min-images', '0')).rejects.toThrow(UsageError);
  });
});

describe('rmac data split', () => {
  const manifest = join(root, 'photos-split.jsonl');
  const lines = ['arch', 'tower'].flatMap((landmark) =>
    Array.from({ length: 5 }, (_, i) =>
      JSON.stringify({ id: `${landmark}/${i}`, path: `photos/${landmark}/${i}.jpg`, landmark }),
    ),
  );

  test('writes both halves beside the manifest, the same whatever the order of its lines', async () => {
    writeFileSync(manifest, lines.join('\n'));
    const { stdout } = await rmac('data', 'split', manifest, '--val', '0.4', '--by', 'photo', '--seed', '1', '--json');
    expect(JSON.parse(stdout)).toEqual({
      by: 'photo',
      seed: 1,
      train: { manifest: join(root, 'train.jsonl'), images: 6, landmarks: 2, single: 0 },
      val: { manifest: join(root, 'val.jsonl'), images: 4, landmarks: 2, single: 0 },
    });
    const halves = () => ['train.jsonl', 'val.jsonl'].map((name) => readFileSync(join(root, name), 'utf8'));
    const before = halves();
    expect(before.join('').trim().split('\n').toSorted()).toEqual(lines.toSorted());
    writeFileSync(manifest, lines.toReversed().join('\n'));
    const again = ['data', 'split', manifest, '--val', '0.4', '--by', 'photo', '--seed', '1'];
    await expect(rmac(...again)).rejects.toThrow(/exists; pass --overwrite/);
    const { stdout: text } = await rmac(...again, '--overwrite');
    expect(halves()).toEqual(before);
    expect(text).toMatch(/images {2}landmarks {2}with one image\n.*train.jsonl +6 +2 +0\n.*val.jsonl +4 +2 +0\n/);
  });

  test('--out elsewhere links to the images', async () => {
    writeFileSync(manifest, lines.join('\n'));
    const out = join(root, 'splits/landmark');
    const { stdout } = await rmac(
      'data',
      'split',
      manifest,
      '--val',
      '0.5',
      '--by',
      'landmark',
      '--out',
      out,
      '--json',
    );
    expect(JSON.parse(stdout)).toMatchObject({
      link: { target: root },
      train: { landmarks: 1 },
      val: { landmarks: 1 },
    });
    const both = [...(await readManifest(join(out, 'train.jsonl'))), ...(await readManifest(join(out, 'val.jsonl')))];
    expect(both).toHaveLength(10);
    expect(both.every(({ path }) => existsSync(path))).toBe(true);
  });

  test('never replaces its own input, even with --overwrite', async () => {
    const own = join(root, 'own');
    mkdirSync(join(own, 'photos'), { recursive: true });
    writeFileSync(join(own, 'train.jsonl'), lines.join('\n'));
    await expect(
      rmac('data', 'split', join(own, 'train.jsonl'), '--val', '0.4', '--by', 'photo', '--overwrite'),
    ).rejects.toThrow(/would be replaced by its own split; give another folder with --out/);
    expect(readFileSync(join(own, 'train.jsonl'), 'utf8')).toBe(lines.join('\n'));
  });

  test('bad usage', async () => {
    for (const value of ['0', '1', '-0.1', 'x', '']) {
      await expect(rmac('data', 'split', manifest, '--val', value, '--by', 'photo')).rejects.toThrow(
        /--val: expected a share/,
      );
    }
    await expect(rmac('data', 'split', manifest, '--val', '0.5', '--by', 'colour')).rejects.toThrow(CommanderError);
    await expect(rmac('data', 'split', manifest, '--val', '0.5')).rejects.toThrow(CommanderError);
    await expect(rmac('data', 'split', join(root, 'absent'), '--val', '0.5', '--by', 'photo')).rejects.toThrow(
      InputError,
    );
  });
});
