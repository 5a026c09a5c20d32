/** @file What R-MAC pools: the rigid grid, proposals of the model's own network (src/rpn/), or both; and how that is written. */

export interface RegionSource {
  grid: boolean;
  /** Proposals per image at most; 0 = none. */
  proposals: number;
}

/** Largest number of proposals; Ren et al. train detectors on 2000. */
export const mostProposals = 2000;

/** What `parseRegions` reads, in words. */
export const regionsSyntax = `grid, rpn:K or grid+rpn:K with K from 1 to ${mostProposals}, such as rpn:64`;

/** "grid", "rpn:64", "grid+rpn:64"; undefined for anything else. */
export function parseRegions(text: string): RegionSource | undefined {
  if (text === 'grid') return { grid: true, proposals: 0 };
  const match = /^(grid\+)?rpn:(\d{1,4})$/.exec(text);
  const proposals = Number(match?.[2]);
  if (match === null || proposals < 1 || proposals > mostProposals) return undefined;
  return { grid: match[1] !== undefined, proposals };
}

/** As `parseRegions` reads it. */
export function regionsText({ grid, proposals }: RegionSource = { grid: true, proposals: 0 }): string {
  return [...(grid ? ['grid'] : []), ...(proposals > 0 ? [`rpn:${proposals}`] : [])].join('+');
}
