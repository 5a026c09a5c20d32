/** @file `--regions`: what R-MAC pools, the model's grid or its proposals. */
import type { Command } from 'commander';
import { InputError, messageOf, UsageError } from '../errors.js';
import type { DescriptorModel } from '../models/descriptor.js';
import type * as tf from '@tensorflow/tfjs';

export interface Regions {
  grid: boolean;
  /** 0 = none. */
  proposals: number;
}

/** Largest number of proposals; Ren et al. train detectors on 2000. */
export const mostProposals = 2000;

/** Adds `--regions`. */
export function addRegionsOption(command: Command): Command {
  return command.option(
    '--regions <kind>',
    'what R-MAC pools: grid, rpn:K (at most K proposals of a model of train rpn) or grid+rpn:K (default: grid)',
    regionsOption,
  );
}

/** commander parser: "grid", "rpn:64", "grid+rpn:64". */
export function regionsOption(text: string): Regions {
  if (text === 'grid') return { grid: true, proposals: 0 };
  const match = /^(grid\+)?rpn:(\d{1,4})$/.exec(text);
  const proposals = Number(match?.[2]);
  if (match === null || proposals < 1 || proposals > mostProposals) {
    throw new UsageError(
      `--regions: expected grid, rpn:K or grid+rpn:K with K from 1 to ${mostProposals}, such as rpn:64, got "${text}".`,
    );
  }
  return { grid: match[1] !== undefined, proposals };
}

/** The option as it is written. */
export function regionsText({ grid, proposals }: Regions = { grid: true, proposals: 0 }): string {
  return [...(grid ? ['grid'] : []), ...(proposals > 0 ? [`rpn:${proposals}`] : [])].join('+');
}

/** What describes images by these regions. The caller disposes of it and of the model. */
export async function describerFor(
  model: DescriptorModel,
  file: string,
  regions: Regions | undefined,
): Promise<{ dimension: number; describe: (images: tf.Tensor4D) => tf.Tensor2D; dispose: () => void }> {
  if (regions === undefined || regions.proposals === 0) {
    return { dimension: model.dimension, describe: (images) => model.describe(images), dispose: () => {} };
  }
  const { ProposalDescriber } = await import('../rpn/proposal-describer.js');
  try {
    return new ProposalDescriber(model, regions);
  } catch (error) {
    throw error instanceof InputError ? new InputError(`${file}: ${messageOf(error)}`) : error;
  }
}
