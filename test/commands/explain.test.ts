import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import seedrandom from 'seedrandom';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { register } from '../../src/commands/explain.js';
import type { Box } from '../../src/data/manifest.js';
import { withSvg } from '../../src/data/raster-loaders.js';
import { InputError, UsageError } from '../../src/errors.js';
import { rowOverlap } from '../../src/rpn/box-rows.js';
import { runCommand } from './run-command.js';

const [width, height] = [640, 480];
const side = 192;
const [from, to] = [
  { x: 64, y: 192 },
  { x: 384, y: 96 },
];
const box = `${from.x},${from.y},${side},${side}`;
const folder = mkdtempSync(join(tmpdir(), 'rmac-explain-'));
const at = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

/** A scene of grey shapes with a patch of coloured ones, the same wherever it lies. */
async function drawScene(seed: string, left: number, top: number): Promise<Buffer> {
  const shapes = (name: string, saturation: number, x: number, y: number, w: number, h: number, count: number) => {
    const random = seedrandom(name);
    return Array.from({ length: count }, () => {
      const [u, v, size] = [x + w * random(), y + h * random(), 4 + 30 * random() ** 2];
      const fill = `hsl(${Math.floor(360 * random())}, ${saturation}%, ${Math.floor(20 + 70 * random())}%)`;
      return `<rect x="${u}" y="${v}" width="${size}" height="${size * (0.4 + random())}" fill="${fill}"/>`;
    }).join('');
  };
  const grey = shapes(seed, 0, 0, 0, width, height, 400);
  const plain = `<rect x="${left}" y="${top}" width="${side}" height="${side}" fill="#888"/>`;
  const colours = shapes('colours', 90, left + 16, top + 16, side - 56, side - 56, 150);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><rect width="100%" height="100%" fill="#888"/>${grey}${plain}${colours}</svg>`;
  return withSvg(() => sharp(Buffer.from(svg)).removeAlpha().png().toBuffer());
}

beforeAll(async () => {
  const image = await drawScene('first', from.x, from.y);
  writeFileSync(at('scene.png'), image);
  const other = await drawScene('second', to.x, to.y);
  writeFileSync(at('other.png'), other);
  // stored lying, upright by its orientation
  const lying = await sharp(other).rotate(-90).toBuffer();
  await sharp(lying).withMetadata({ orientation: 6 }).jpeg({ quality: 95 }).toFile(at('lying.jpg'));
  writeFileSync(at('broken.jpg'), 'no photograph');
});

interface Explained {
  similarity: number;
  unrelated?: { pairs: number; below: number; max: number };
  macSimilarity: number;
  components: { channel: number; share: number; a: Box; b: Box }[];
  boxInA: Box;
  boxInB: Box;
  scoreInA: number;
  scoreInB: number;
}

async function explained(...argv: string[]): Promise<Explained> {
  const { stdout } = await runCommand(register, 'explain', ...argv, '--json');
  expect(stdout.trim().split('\n')).toHaveLength(1);
  return JSON.parse(stdout) as Explained;
}
const row = ({ x, y, width: w, height: h }: Box) => [y, x, y + h, x + w];
const inside = ({ x, y, width: w, height: h }: Box) =>
  x >= 0 && y >= 0 && w > 0 && h > 0 && x + w <= width && y + h <= height;

test('an image and itself: alike in everything, the same patches, nearly the whole as box', async () => {
  const { similarity, macSimilarity, components, boxInA, boxInB, scoreInB } = await explained(
    at('scene.png'),
    at('scene.png'),
  );
  expect(similarity).toBeCloseTo(1, 4);
  expect(macSimilarity).toBeCloseTo(1, 6);
  expect(components).toHaveLength(5);
  for (const { a, b } of components) {
    expect(a).toEqual(b);
    expect(inside(a)).toBe(true);
  }
  expect(boxInA).toEqual(boxInB);
  expect(rowOverlap(row(boxInB), 0, [0, 0, height, width], 0)).toBeGreaterThan(0.8);
  expect(scoreInB).toBeGreaterThan(0.97);
});

test('shares of all components add up to the similarity of the maxima', async () => {
  const { macSimilarity, components } = await explained(at('scene.png'), at('other.png'), '--components', '5000');
  expect(components.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(macSimilarity, 6);
  expect(macSimilarity).toBeLessThan(1);
});

test('the patch of one scene is found in the other, upright or stored lying', async () => {
  const truth = [to.y, to.x, to.y + side, to.x + side];
  const upright = await explained(at('scene.png'), at('other.png'), '--box', box);
  const lying = await explained(at('scene.png'), at('lying.jpg'), '--box', box);
  for (const { boxInB, components } of [upright, lying]) {
    expect(inside(boxInB)).toBe(true);
    // the whole image overlaps the patch by an eighth
    expect(rowOverlap(row(boxInB), 0, truth, 0)).toBeGreaterThan(0.4);
    for (const { a } of components)
      expect(rowOverlap(row(a), 0, [from.y, from.x, from.y + side, from.x + side], 0)).toBeGreaterThan(0);
  }
  // components show the same point: as far from the corner of the patch in both, up to two cells (by chance: one of fifty)
  const same = upright.components.filter(
    ({ a, b }) => Math.abs(a.x - from.x - (b.x - to.x)) <= 32 && Math.abs(a.y - from.y - (b.y - to.y)) <= 32,
  );
  expect(same.length).toBeGreaterThanOrEqual(2);
});

test('the drawing shows both side by side; the text names similarity, boxes and channels', async () => {
  const { stdout } = await runCommand(
    register,
    'explain',
    at('other.png'),
    at('scene.png'),
    '--draw',
    at('why.png'),
    '--components',
    '3',
  );
  expect(stdout).toMatch(/^similarity 0\.\d{4}, of the maxima 0\.\d{4}$/m);
  expect(stdout).toMatch(/^A in B at [\d.]+,[\d.]+ [\d.]+x[\d.]+ \(0\.\d{4}\), B in A at/m);
  expect(stdout.match(/^[123] {2}channel \d+, share 0\.\d{4}: /gm)).toHaveLength(3);
  const picture = sharp(readFileSync(at('why.png')));
  expect(await picture.metadata()).toMatchObject({ width: 640 + 10 + 640, height: 480 });
  // the frames are there: the picture differs from one of the photographs alone
  const right = await picture.extract({ left: 650, top: 0, width, height }).removeAlpha().raw().toBuffer();
  const scene = await sharp(at('scene.png')).raw().toBuffer();
  let changed = 0;
  for (let i = 0; i < right.length; i++) if (right[i] !== scene[i]) changed++;
  expect(changed / right.length).toBeGreaterThan(0.005);
  expect(changed / right.length).toBeLessThan(0.3);
  await expect(
    runCommand(register, 'explain', at('other.png'), at('scene.png'), '--draw', at('why.png')),
  ).rejects.toThrow(/why\.png exists; pass --overwrite/);
});

test('--among says where the similarity lies among unrelated photographs', async () => {
  const manifest = at('among.jsonl');
  const records = ['scene.png', 'other.png', 'lying.jpg'].map((path, i) => ({ id: path, path, landmark: `${i < 1}` }));
  writeFileSync(manifest, records.map((record) => `${JSON.stringify(record)}\n`).join(''));
  const pair = [at('other.png'), at('lying.jpg')];
  const { similarity, unrelated } = await explained(...pair, '--among', manifest);
  // scene and other, scene and lying: both less alike than the two files of one scene
  expect(unrelated).toMatchObject({ pairs: 2, below: 1 });
  expect(unrelated!.max).toBeLessThan(similarity);
  const { stdout } = await runCommand(register, 'explain', ...pair, '--among', manifest);
  expect(stdout).toMatch(
    /^100 % of 2 unrelated pairs are less similar \(0\.\d{4} in the middle, 99 % below 0\.\d{4}\)$/m,
  );
  writeFileSync(manifest, `${JSON.stringify(records[0])}\n`);
  await expect(explained(...pair, '--among', manifest)).rejects.toThrow(/--among .*no two photographs of different/);
});

test('bad input is one clear line', async () => {
  const failing = async (error: typeof InputError, message: RegExp, ...argv: string[]) => {
    const running = runCommand(register, 'explain', ...argv);
    await expect(running).rejects.toThrow(error);
    await expect(running).rejects.toThrow(message);
  };
  await failing(UsageError, /--draw.*\.png/, at('other.png'), at('scene.png'), '--draw', at('why.jpg'));
  await failing(InputError, /broken\.jpg/, at('scene.png'), at('broken.jpg'));
  await failing(InputError, /gone\.jpg: no such image file/, at('gone.jpg'), at('scene.png'));
  await failing(
    InputError,
    /--box 900,0,10,10 has no part of the 640x480 image/,
    at('scene.png'),
    at('other.png'),
    '--box',
    '900,0,10,10',
  );
  for (const wrong of ['1,2,3', '1,2,0,4', '1,2,3,4,5', 'a,b,c,d', ',,,']) {
    await failing(UsageError, /--box: expected x,y,width,height/, at('scene.png'), at('other.png'), '--box', wrong);
  }
  await failing(InputError, /gone\.safetensors/, at('other.png'), at('scene.png'), '--model', at('gone.safetensors'));
  await failing(UsageError, /whole number of at least 1/, at('other.png'), at('scene.png'), '--components', '0');
});
