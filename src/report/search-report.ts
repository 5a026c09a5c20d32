/** @file One page of queries and what was found for them: pictures, what was matched in both, and what is known of each photograph. */
import { uprightSize } from '../data/upright-size.js';
import type { Box } from '../data/manifest.js';
import { htmlReport, type ReportPicture, type ReportSection } from './page.js';
import { thumbnail } from './thumbnail.js';

/** A query and its results in order, as the page shows them. */
export interface ReportedSearch {
  query: string;
  /** Said above the pictures. */
  verdict: string;
  /** The part of the query that was asked for, or that the best result was matched by. */
  part?: Box | undefined;
  results: readonly { path: string; region?: Box | undefined; lines: readonly string[] }[];
}

const picturePx = 220;

/** The page as one string. */
export async function searchReport(searches: readonly ReportedSearch[]): Promise<string> {
  const sections: ReportSection[] = [];
  for (const { query, verdict, part, results } of searches) {
    const pictures = [await pictureOf(query, part, ['the query'])];
    for (const { path, region, lines } of results) pictures.push(await pictureOf(path, region, lines));
    sections.push({
      heading: query,
      blocks: [
        { kind: 'text', text: verdict },
        { kind: 'pictures', pictures },
      ],
    });
  }
  return htmlReport({ title: 'Search', sections });
}

async function pictureOf(path: string, region: Box | undefined, lines: readonly string[]): Promise<ReportPicture> {
  const caption = lines.join(' · ');
  const image = await thumbnail(path, { longestPx: picturePx });
  if (image === undefined) return { caption: `${caption} (cannot be shown)` };
  if (region === undefined) return { image, caption };
  const { width, height } = await uprightSize(path);
  const { x, y } = region;
  const box = [y / height, x / width, (y + region.height) / height, (x + region.width) / width] as const;
  return { image, caption, outlines: [{ box, kind: 'strong', title: 'what was matched' }] };
}
