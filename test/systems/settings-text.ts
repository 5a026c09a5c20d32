/** @file A system's settings as one line, for tables. */
import type { SystemPooling, SystemSettings } from '../../src/systems/settings.js';

/** Sides, query crop where it is not the usual one, maps, pooling, fit, what is kept and compared. */
export function settingsText(settings: SystemSettings): string {
  const { sides, upscale, queryCrop, maps, mapWeights, fusion, mask, fit, database, distance, expansion } = settings;
  const fusions = { early: 'maps added', late: 'vectors added', list: 'regions in one list' };
  const parts = [
    `${upscale ? '' : 'at most '}${sides.join(', ')} px${sides.length > 1 ? ` (${fusions[fusion]})` : ''}`,
    ...(queryCrop === 'image' ? [] : [`query cut from the ${queryCrop === 'map' ? 'maps' : 'maps less a column'}`]),
    ...(maps.join() === '0' ? [] : [`maps ${maps.map((map) => (map === 0 ? 'j' : `j-${map}`)).join(', ')}`]),
    poolingText(settings.pooling),
    ...(mask === undefined ? [] : [`second vector where the class activation exceeds ${mask.threshold} of its mean`]),
    ...(fit === undefined ? [] : [fitText(fit)]),
    ...(database === 'regions' ? ['database keeps regions'] : []),
    distance === 'layers' ? `distances of the maps ${(mapWeights ?? maps.map(() => 1)).join(' : ')}` : distance,
    ...(expansion === undefined ? [] : [`query expanded by ${expansion.results}`]),
  ];
  return parts.join('; ');
}

function poolingText(pooling: SystemPooling): string {
  if (pooling.kind === 'mac') return 'MAC';
  if (pooling.kind === 'sum') return pooling.centrePrior ? 'sum under a Gaussian' : 'sum';
  if (pooling.kind === 'sliding') return `windows slid by ${pooling.stride}, L = ${pooling.levels}`;
  const { grid, levels, plane, of } = pooling;
  const what = of === 'max' ? '' : ', summed';
  return grid === 'rmac-plus'
    ? `15 regions${what}`
    : `grid in ${plane === 'map' ? 'cells' : 'pixels'}, L = ${levels}${what}`;
}

function fitText(fit: NonNullable<SystemSettings['fit']>): string {
  if (fit.kind === 'zca') return `ZCA${fit.floor === 'published' ? ', 1e-18' : ''}`;
  if (fit.kind === 'pca') return fit.dimension === 'all' ? 'PCA' : `PCA to ${fit.dimension}`;
  return `${fit.dimension} values by PFA${fit.absolute ? '' : ' of signed entries'}`;
}
