/** @file What other settings of a cleaning would keep, and when not to clean: in words, for the terminal and the page. Pure. */
import type { ChooseOptions } from './graph/choose-images.js';

export type CleanSettings = Required<Pick<ChooseOptions, 'minInliers' | 'minImages' | 'profiles'>>;

/** Other settings over the same comparisons, and how many photographs they keep. */
export interface Alternative extends CleanSettings {
  kept: number;
}

/** Inliers below which `verify` takes a map for chance: the lowest threshold that changes anything. */
const fewestInliers = 8;

/** All views in place of the largest, the lowest threshold, both. */
export function otherSettings(settings: CleanSettings): CleanSettings[] {
  const views = settings.profiles === 'all' ? [] : [{ ...settings, profiles: 'all' as const }];
  const inliers = settings.minInliers <= fewestInliers ? [] : [{ ...settings, minInliers: fewestInliers }];
  const both = views.map((other) => ({ ...other, minInliers: fewestInliers }));
  return inliers.length === 0 ? views : [...views, ...inliers, ...both];
}

export interface CleanCounts {
  kept: number;
  /** Photographs left out for want of matches. */
  unmatched: number;
  alternatives: readonly Alternative[];
}

/** Sentences about what was left out for want of matches, and which settings keep more of it; none where nothing was. */
export function cleanAdvice(settings: CleanSettings, { kept, unmatched, alternatives }: CleanCounts): string[] {
  if (unmatched === 0) return [];
  const lines = alternatives
    .filter((other) => other.kept > kept)
    .map((other) => {
      const views = other.profiles === settings.profiles ? [] : [['--profiles all', otherViews(settings)]];
      const inliers =
        other.minInliers === settings.minInliers
          ? []
          : [
              [
                `--min-inliers ${other.minInliers}`,
                'small things and plain surfaces match in few places; look for wrong ones in report.html',
              ],
            ];
      const parts = [...views, ...inliers];
      const why = parts.length === 1 ? `: ${parts[0][1]}` : '';
      return `${parts.map(([flag]) => flag).join(' ')} would keep ${other.kept}${why}.`;
    });
  return [
    ...lines,
    ...(lines.length > 0 ? ['The same command with another choice and --overwrite compares nothing again.'] : []),
    'Cleaning is for folders with wrong photographs in them, from a text search, say. It also leaves out right ones, where view, light or bare ' +
      'surfaces keep local features from matching. If you know what every photograph shows (your own, a catalogue), train on the manifest as it is.',
  ];
}

const otherViews = ({ minImages }: CleanSettings) =>
  `every group of at least ${minImages} matching photographs of a landmark (front and back, inside and outside), not only the largest`;
