/** @file What the planner makes of recorded ops, and the fusion reads. */
import type { Op } from './value.js';

/** One operator of a program; inputs are tensor names, '' where the op has a constant. Output i is `name_i`. */
export interface Node {
  type: string;
  inputs: string[];
  op: Op;
  outputs: number;
  name: string;
}
