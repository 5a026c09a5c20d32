/**
 * @file Stages that bring the engine, the networks or the decoders with them, each loaded when its command runs: `--help` and bad usage
 * are answered without.
 */

/** A stage's module by its name. */
export const loadStage = {
  clean: () => import('./clean.js'),
  compare: () => import('./compare.js'),
  demo: () => import('./demo.js'),
  evaluate: () => import('./evaluate.js'),
  extract: () => import('./extract.js'),
  generateViews: () => import('./generate-views.js'),
  match: () => import('./match.js'),
  mergeShards: () => import('../retrieval/merge-shards.js'),
  report: () => import('./report.js'),
  whiten: () => import('./whiten.js'),
} as const;
