/** @file `rmac train`: the group of the trainers, one file each. */
import type { Command } from 'commander';
import { registerClassify } from './train-classify.js';
import { registerRpn } from './train-rpn.js';
import { registerTriplet } from './train-triplet.js';

export function register(program: Command): void {
  const train = program.command('train');
  registerClassify(train);
  registerTriplet(train);
  registerRpn(train);
}
