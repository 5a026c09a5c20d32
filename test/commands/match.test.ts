import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import seedrandom from 'seedrandom';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AffineMap, applyMap } from '../../src/cleaning/matching/affine-map.js';
import { register } from '../../src/commands/match.js';
import { withSvg } from '../../src/data/raster-loaders.js';
import { runCommand } from './run-command.js';

const [width, height] = [1280, 960];
const folder = mkdtempSync(join(tmpdir(), 'rmac-match-'));
const at = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

/** Blotches of many sizes, as PNG. */
function blotches(seed: string): Promise<Buffer> {
  const random = seedrandom(seed);
  const circles = Array.from({ length: 900 }, () => {
    const grey = Math.floor(256 * random());
    const size = 4 + 50 * random() ** 2;
    return `<ellipse cx="${width * random()}" cy="${height * random()}" rx="${size}" ry="${size * (0.4 + random())}" fill="rgb(${grey},${grey},${grey})"/>`;
  });
  const svg = Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><rect width="100%" height="100%" fill="#888"/>${circles.join('')}</svg>`,
  );
  return withSvg(() => sharp(svg).removeAlpha().png().toBuffer());
}

beforeAll(async () => {
  const scene = await blotches('scene');
  writeFileSync(at('whole.png'), scene);
  // part of it, enlarged
  await sharp(scene)
    .extract({ left: 200, top: 100, width: 900, height: 800 })
    .resize(1350, 1200)
    .jpeg()
    .toFile(at('part.jpg'));
  // stored lying, upright by its orientation
  await sharp(await sharp(scene).rotate(-90).toBuffer())
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toFile(at('lying.jpg'));
  writeFileSync(at('other.png'), await blotches('another scene'));
  await sharp({ create: { width: 300, height: 200, channels: 3, background: '#777' } })
    .png()
    .toFile(at('empty.png'));
  writeFileSync(at('broken.jpg'), 'no photograph');
});

interface Result {
  matches: number;
  inliers: { a: [number, number]; b: [number, number] }[];
  affine: [[number, number, number], [number, number, number]] | null;
}

async function matched(...argv: string[]): Promise<Result> {
  const { stdout } = await runCommand(register, 'match', ...argv, '--json');
  expect(stdout.trim().split('\n')).toHaveLength(1);
  return JSON.parse(stdout) as Result;
}

test('match: the known map between a picture and an enlarged part of it, in pixels of both files', async () => {
  const { matches, inliers, affine } = await matched(at('whole.png'), at('part.jpg'));
  expect(matches).toBeGreaterThanOrEqual(inliers.length);
  expect(inliers.length).toBeGreaterThan(100);
  // pixel centres: x' + 1/2 = 1.5 (x + 1/2 - 200)
  const truth: AffineMap = [1.5, 0, 1.5 * (0.5 - 200) - 0.5, 0, 1.5, 1.5 * (0.5 - 100) - 0.5];
  for (const { a, b } of inliers) {
    const [x, y] = applyMap(truth, ...a);
    // 8 px at 640 are 17 of 1350
    expect(Math.hypot(x - b[0], y - b[1])).toBeLessThan(20);
  }
  const found = affine!.flat() as unknown as AffineMap;
  for (const corner of [
    [250, 150],
    [1050, 150],
    [250, 850],
    [1050, 850],
  ] as const) {
    const [x, y] = applyMap(truth, corner[0], corner[1]);
    const [u, v] = applyMap(found, corner[0], corner[1]);
    expect(Math.hypot(u - x, v - y)).toBeLessThan(2);
  }
});

test('match: pixels are those of the upright photograph', async () => {
  const { affine } = await matched(at('whole.png'), at('lying.jpg'), '--max-keypoints', '400');
  const found = affine!.flat();
  const identity = [1, 0, 0, 0, 1, 0];
  found.forEach((value, k) => expect(Math.abs(value - identity[k])).toBeLessThan(k % 3 === 2 ? 2 : 0.005));
});

test('match: different scenes, or nothing to see, are not verified', async () => {
  const other = await matched(at('whole.png'), at('other.png'));
  expect(other).toMatchObject({ inliers: [], affine: null });
  expect(await matched(at('empty.png'), at('whole.png'))).toEqual({ matches: 0, inliers: [], affine: null });
  const { stdout } = await runCommand(register, 'match', at('empty.png'), at('whole.png'));
  expect(stdout).toMatch(/^0 and \d{4} keypoints, 0 matches: not verified\.\n$/);
});

test('match --max-keypoints bounds the matches', async () => {
  expect((await matched(at('whole.png'), at('part.jpg'), '--max-keypoints', '50')).matches).toBeLessThanOrEqual(50);
});

test('match --draw: both photographs side by side with lines, replaced only with --overwrite', async () => {
  const file = at('drawn.png');
  await matched(at('whole.png'), at('part.jpg'), '--draw', file);
  // 1280x960 and 1350x1200 become 800x600 and 800x711
  expect(await sharp(file).metadata()).toMatchObject({ format: 'png', width: 800 + 10 + 800, height: 711 });
  const { data, info } = await sharp(file).raw().toBuffer({ resolveWithObject: true });
  let colourful = 0;
  for (let k = 0; k < data.length; k += info.channels) {
    if (Math.max(...data.subarray(k, k + 3)) - Math.min(...data.subarray(k, k + 3)) > 100) colourful++;
  }
  // the photographs are grey: a hundred lines of hundreds of pixels are not
  expect(colourful).toBeGreaterThan(20_000);

  const before = readFileSync(file);
  await expect(matched(at('whole.png'), at('whole.png'), '--draw', file)).rejects.toThrow(
    /drawn.png exists; pass --overwrite/,
  );
  expect(readFileSync(file).equals(before)).toBe(true);
  await matched(at('whole.png'), at('whole.png'), '--draw', file, '--overwrite');
  expect(readFileSync(file).equals(before)).toBe(false);
});

test('match: bad input and bad usage', async () => {
  await expect(matched(at('whole.png'), at('missing.jpg'))).rejects.toThrow(/missing\.jpg: no such image file/);
  await expect(matched(at('broken.jpg'), at('whole.png'))).rejects.toThrow(/broken\.jpg/);
  await expect(matched(at('whole.png'), at('part.jpg'), '--draw', at('x.jpg'))).rejects.toThrow(
    'ends in .png expected',
  );
  await expect(runCommand(register, 'match', at('whole.png'))).rejects.toThrow("missing required argument 'b'");
  await expect(matched(at('whole.png'), at('part.jpg'), '--detector', 'surf')).rejects.toThrow(/choices are sift/i);
});
