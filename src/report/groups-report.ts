/** @file One page of groups of photographs that show the same thing. */
import type { PhotographGroups } from '../collection/photograph-groups.js';
import type { ImageRecord } from '../data/manifest.js';
import { htmlReport, type ReportSection } from './page.js';
import { thumbnail } from './thumbnail.js';

/** Groups that are shown with pictures, the largest, and pictures of each. */
const mostGroups = 60;
const mostPictures = 16;

/** The page as one string. */
export async function groupsReport(
  records: readonly ImageRecord[],
  { groups, copyOf }: PhotographGroups,
): Promise<string> {
  const photographs = groups.reduce((sum, nodes) => sum + nodes.length, 0);
  const summary = {
    columns: ['', 'number'],
    rows: [
      ['photographs', records.length],
      ['groups', groups.length],
      ['photographs in groups', photographs],
      ['copies', copyOf.size],
    ],
  };
  const sections: ReportSection[] = [{ heading: 'In numbers', blocks: [{ kind: 'table', ...summary }] }];
  for (const [g, nodes] of groups.slice(0, mostGroups).entries()) {
    const shown = nodes.slice(0, mostPictures);
    const pictures = await Promise.all(
      shown.map(async (node) => {
        const of = copyOf.get(node);
        const copy = of === undefined ? '' : ` (copy of ${records[of].id})`;
        return { image: await thumbnail(records[node].path), caption: `${records[node].id}${copy}` };
      }),
    );
    sections.push({
      heading: `Group ${g + 1}: ${nodes.length} photographs`,
      blocks: [
        { kind: 'pictures', pictures: pictures.map(({ image, caption }) => ({ ...(image && { image }), caption })) },
      ],
    });
  }
  if (groups.length > mostGroups) {
    sections.push({
      heading: 'More',
      blocks: [{ kind: 'text', text: `${groups.length - mostGroups} smaller groups are in groups.csv.` }],
    });
  }
  return htmlReport({ title: 'Photographs that show the same thing', sections });
}
