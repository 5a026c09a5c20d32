/** @file `rmac match`: keypoint matches of two photographs, the affine map that most agree on, and a picture of them. */
import { type Command, Option } from 'commander';
import { type AffineMap } from '../cleaning/matching/affine-map.js';
import { type Detector, detectorNames, type Features, frameLength } from '../cleaning/features/features.js';
import { UsageError } from '../errors.js';
import { positiveInteger, printResult } from './console.js';
import { sizeOption } from './open-model.js';

interface MatchFlags {
  draw?: string;
  overwrite?: boolean;
  maxKeypoints: number;
  detector: Detector;
  size: number | 'none';
  minInliers: number;
  json?: boolean;
}

export function register(program: Command): void {
  program
    .command('match')
    .argument('<a>', 'photograph')
    .argument('<b>', 'photograph')
    .option('--draw <file.png>', 'draw both photographs side by side with a line for every verified match')
    .option('--overwrite', 'replace an existing drawing')
    .option('--max-keypoints <n>', 'keypoints of each photograph, the strongest', positiveInteger, 1500)
    .addOption(new Option('--detector <name>', 'kind of keypoints').choices(detectorNames).default('sift'))
    .option('--size <px>', 'longest side that keypoints are looked for at; none: full size', sizeOption, 640)
    .option('--min-inliers <n>', 'fewer matches on one affine map verify nothing', positiveInteger, 8)
    .option('--json', 'print one JSON object on stdout and nothing else')
    .addHelpText(
      'after',
      `
Example:
  $ rmac match front.jpg corner.jpg --draw matches.png
--json: {"matches": n, "inliers": [{"a": [x, y], "b": [x, y]}], "affine": [[a, b, tx], [c, d, ty]]}, in pixels of the upright
photographs counted from the centre of the first; affine takes a to b and is null where the two are not verified.`,
    )
    .action(match);
}

async function match(a: string, b: string, flags: MatchFlags): Promise<void> {
  const { assertWritable, writeFileAtomic } = await import('../data/files.js');
  const { detectFeatures } = await import('../cleaning/features/detect.js');
  const { readGreyImage } = await import('../cleaning/features/grey-image.js');
  const { matchFeatures } = await import('../cleaning/matching/matching.js');
  const { verify } = await import('../cleaning/matching/verification.js');
  if (flags.draw !== undefined) {
    if (!/\.png$/i.test(flags.draw))
      throw new UsageError(`--draw: a name that ends in .png expected, got "${flags.draw}".`);
    assertWritable(flags.draw, flags);
  }
  const detect = async (path: string) =>
    detectFeatures(await readGreyImage(path, { longest: flags.size }), {
      detector: flags.detector,
      maxKeypoints: flags.maxKeypoints,
    });
  const [first, second] = [await detect(a), await detect(b)];
  const matches = matchFeatures(first, second);
  const { count, inliers, affine } = verify(first, second, matches, { minInliers: flags.minInliers });
  const points = Array.from({ length: count }, (_, k) => ({
    a: position(first, inliers[2 * k]),
    b: position(second, inliers[2 * k + 1]),
  }));
  if (flags.draw !== undefined) {
    const { drawMatches } = await import('../report/draw-matches.js');
    await writeFileAtomic(flags.draw, await drawMatches({ path: a, ...first }, { path: b, ...second }, points), flags);
  }
  printResult(
    { matches: matches.count, inliers: points, affine: affine && rowsOf(affine) },
    summary(first, second, matches.count, affine, count),
    flags,
  );
}

function position({ frames }: Features, index: number): [number, number] {
  return [frames[index * frameLength], frames[index * frameLength + 1]];
}

function rowsOf([a, b, tx, c, d, ty]: AffineMap): number[][] {
  return [
    [a, b, tx],
    [c, d, ty],
  ];
}

function summary(a: Features, b: Features, matches: number, affine: AffineMap | null, inliers: number): string {
  const counts = `${a.count} and ${b.count} keypoints, ${matches} matches`;
  if (affine === null) return `${counts}: not verified.`;
  const [first, second] = rowsOf(affine).map((row) => row.map((value) => value.toFixed(4)).join(', '));
  return `${counts}, ${inliers} on one affine map: [[${first}], [${second}]].`;
}
