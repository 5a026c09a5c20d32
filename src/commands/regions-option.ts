/** @file `--regions`: what R-MAC pools, the model's grid or its proposals. */
import type { Command } from 'commander';
import { UsageError } from '../errors.js';
import { parseRegions, type RegionSource, regionsSyntax } from '../models/region-source.js';

/** Adds `--regions`. */
export function addRegionsOption(command: Command): Command {
  return command.option(
    '--regions <kind>',
    "what R-MAC pools: grid, rpn:K (at most K proposals of a model of train rpn) or grid+rpn:K (default: the model's own)",
    regionsOption,
  );
}

/** commander parser: "grid", "rpn:64", "grid+rpn:64". */
export function regionsOption(text: string): RegionSource {
  const regions = parseRegions(text);
  if (regions === undefined) throw new UsageError(`--regions: expected ${regionsSyntax}, got "${text}".`);
  return regions;
}
