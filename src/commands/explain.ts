/** @file `rmac explain`: why two photographs match: the patches behind their strongest common components, and where one lies in the other. */
import type { Command } from 'commander';
import type { Box } from '../data/manifest.js';
import { shareText } from '../retrieval/similarity-scale.js';
import { comparedPhotographs, explain, type ExplainStageOptions, type ExplainStageResult } from '../stages/explain.js';
import {
  addCommonOptions,
  boxOption,
  type CommonOptions,
  positiveInteger,
  printResult,
  terminalContext,
} from './console.js';
import { addModelOptions } from './model-options.js';

export function register(program: Command): void {
  const command = program
    .command('explain')
    .argument('<a>', 'photograph')
    .argument('<b>', 'photograph')
    .option('--model <file>', 'describe them with this model (default: the small trunk of checkpoints/)')
    .option(
      '--box <x,y,w,h>',
      'the part of A to look for, px of the upright photograph (default: all of it)',
      boxOption,
    )
    .option('--components <n>', 'common components to show', positiveInteger, 5)
    .option(
      '--among <manifest>',
      'say where the similarity lies among those of unrelated photographs: pairs of different landmarks of this .jsonl',
    )
    .option('--draw <file.png>', 'draw both photographs side by side with the patches and boxes')
    .option('--overwrite', 'replace an existing drawing');
  addCommonOptions(addModelOptions(command))
    .addHelpText(
      'after',
      `
A component is a channel of the feature map; its patch surrounds the cell where the channel is largest. Shares add up, over all
channels, to the cosine of the maxima (MAC). A in B: the box of B whose maxima are most like those of A (AML).
With --box only that part of A's map counts, except for similarity and B in A.
What a similarity is worth differs from model to model: --among shows it, with up to ${comparedPhotographs} photographs of the manifest.

Examples:
  rmac explain front.jpg corner.jpg --model model.safetensors --box 120,80,300,400 --draw why.png
  rmac explain front.jpg corner.jpg --model model.safetensors --among val.jsonl
--json: {"similarity", "unrelated" (with --among): {"pairs", "below" (share), "median", "p90", "p99", "max"}, "macSimilarity", "components": [{"channel", "share", "a": box, "b": box}], "boxInB", "scoreInB", "boxInA",
"scoreInA"}, boxes {"x", "y", "width", "height"} in pixels of the upright photographs; similarity is that of the model's descriptors.`,
    )
    .action(run);
}

async function run(a: string, b: string, options: Omit<ExplainStageOptions, 'a' | 'b'> & CommonOptions): Promise<void> {
  const result = await explain({ ...options, a, b }, terminalContext);
  printResult(result, textOf(result), options);
}

function textOf(explanation: ExplainStageResult): string {
  const { similarity, unrelated, macSimilarity, components, boxInA, boxInB, scoreInA, scoreInB } = explanation;
  const box = ({ x, y, width, height }: Box) => `${x},${y} ${width}x${height}`;
  const lines = [
    `similarity ${similarity.toFixed(4)}, of the maxima ${macSimilarity.toFixed(4)}`,
    unrelated === undefined
      ? 'What that is worth depends on the model: --among MANIFEST shows where it lies among unrelated photographs.'
      : `${shareText(unrelated.below)} of ${unrelated.pairs.toLocaleString('en')} unrelated pairs are less similar ` +
        `(${unrelated.median.toFixed(4)} in the middle, 99 % below ${unrelated.p99.toFixed(4)})`,
    `A in B at ${box(boxInB)} (${scoreInB.toFixed(4)}), B in A at ${box(boxInA)} (${scoreInA.toFixed(4)})`,
    ...components.map(
      ({ channel, share, a, b }, n) =>
        `${n + 1}  channel ${channel}, share ${share.toFixed(4)}: ${box(a)} in A, ${box(b)} in B`,
    ),
  ];
  return lines.join('\n');
}
