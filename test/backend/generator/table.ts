/** @file What each registered kernel is called with. */
import type { Calls } from './arbitraries.js';
import { elementwise } from './elementwise.js';
import { forwarded } from './forwarded.js';
import { movement } from './movement.js';
import { reductions } from './reductions.js';
import { windows } from './windows.js';

export const table: Readonly<Record<string, Calls>> = {
  ...elementwise,
  ...forwarded,
  ...movement,
  ...reductions,
  ...windows,
};
