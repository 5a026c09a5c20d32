/** @file `rmac match`: keypoint matches of two photographs, the affine map that most agree on, and a picture of them. */
import { type Command, Option } from 'commander';
import { detectorNames } from '../cleaning/features/features.js';
import type { MatchReport, MatchStageOptions } from '../stages/match.js';
import { loadStage } from '../stages/load-stage.js';
import { positiveInteger, printResult } from './console.js';
import { sizeOption } from './model-options.js';

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
    .action(async (a: string, b: string, flags: Omit<MatchStageOptions, 'a' | 'b'> & { json?: boolean }) => {
      const { match } = await loadStage.match();
      const { keypoints, ...report } = await match({ a, b, ...flags });
      printResult(report, summary(keypoints, report), flags);
    });
}

function summary(
  [a, b]: MatchReport['keypoints'],
  { matches, inliers, affine }: Omit<MatchReport, 'keypoints'>,
): string {
  const counts = `${a} and ${b} keypoints, ${matches} matches`;
  if (affine === null) return `${counts}: not verified.`;
  const [first, second] = affine.map((row) => row.map((value) => value.toFixed(4)).join(', '));
  return `${counts}, ${inliers.length} on one affine map: [[${first}], [${second}]].`;
}
