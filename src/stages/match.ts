/** @file Keypoint matches of two photographs, the affine map that most agree on, and a picture of them. */
import { detectFeatures } from '../cleaning/features/detect.js';
import { type Detector, type Features, frameLength } from '../cleaning/features/features.js';
import { readGreyImage } from '../cleaning/features/grey-image.js';
import { type AffineMap } from '../cleaning/matching/affine-map.js';
import { matchFeatures } from '../cleaning/matching/matching.js';
import { verify } from '../cleaning/matching/verification.js';
import { assertWritable, writeFileAtomic } from '../data/files.js';
import { UsageError } from '../errors.js';
import { drawMatches } from '../report/draw-matches.js';

/** Which two photographs, by which local features, and how strictly. */
export interface MatchStageOptions {
  /** Two photographs. */
  a: string;
  b: string;
  /** A .png of both side by side with a line for every verified match. Default: none is drawn. */
  draw?: string;
  /** Replace an existing drawing. */
  overwrite?: boolean;
  /** Keypoints of each photograph, the strongest. Default 1500. */
  maxKeypoints?: number;
  /** Default `sift`. */
  detector?: Detector;
  /** Longest side that keypoints are looked for at, px; `none`: full size. Default 640. */
  size?: number | 'none';
  /** Fewer matches on one affine map verify nothing. Default 8. */
  minInliers?: number;
}

/** What two photographs have in common. */
export interface MatchReport {
  /** Of each photograph. */
  keypoints: [number, number];
  /** Before verification. */
  matches: number;
  /** Points [x, y] of both, px of the upright photographs counted from the centre of the first pixel. */
  inliers: { a: [number, number]; b: [number, number] }[];
  /** [[a, b, tx], [c, d, ty]], takes the first to the second; null where they are not verified. */
  affine: number[][] | null;
}

/** @throws UsageError for a drawing of another kind; InputError for a photograph that cannot be read. */
export async function match(options: MatchStageOptions): Promise<MatchReport> {
  const { a, b, draw, maxKeypoints = 1500, detector = 'sift', size: longest = 640, minInliers = 8 } = options;
  if (draw !== undefined) {
    if (!/\.png$/i.test(draw)) throw new UsageError(`--draw: a name that ends in .png expected, got "${draw}".`);
    assertWritable(draw, options);
  }
  const detect = async (path: string) =>
    detectFeatures(await readGreyImage(path, { longest }), { detector, maxKeypoints });
  const [first, second] = [await detect(a), await detect(b)];
  const matches = matchFeatures(first, second);
  const { count, inliers, affine } = verify(first, second, matches, { minInliers });
  const points = Array.from({ length: count }, (_, k) => ({
    a: position(first, inliers[2 * k]),
    b: position(second, inliers[2 * k + 1]),
  }));
  if (draw !== undefined) {
    await writeFileAtomic(draw, await drawMatches({ path: a, ...first }, { path: b, ...second }, points), options);
  }
  return {
    keypoints: [first.count, second.count],
    matches: matches.count,
    inliers: points,
    affine: affine && rowsOf(affine),
  };
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
