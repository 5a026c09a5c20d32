/** @file One HTML page of how regions find the objects of photographs with boxes: recall curves, coverage maps, photographs. */
import type { BoxRows, ImageSides } from '../rpn/box-rows.js';
import type { MeasuredRegions } from '../rpn/measure-regions.js';
import { curveOverlaps, type RegionFigures } from '../rpn/region-statistics.js';
import { heatMapSvg } from './heat-map.js';
import { htmlReport, type Outline, type ReportBlock, type ReportPicture, type ReportSection } from './page.js';
import { thumbnail } from './thumbnail.js';

/** A photograph to show with its regions. */
export interface RegionExample {
  id: string;
  path: string;
  /** By the name of their kind, best proposals first. */
  regions: ReadonlyMap<string, BoxRows>;
  box: BoxRows;
  image: ImageSides;
}

export interface RegionsReportOptions {
  title: string;
  figures: readonly RegionFigures[];
  examples: readonly RegionExample[];
  /** Proposals of an example drawn thick, from the best. Default 3. */
  strong?: number;
}

/** The page. */
export async function regionsReport(
  { kinds, photographs, boxShare, failures }: MeasuredRegions,
  { title, figures, examples, strong = 3 }: RegionsReportOptions,
): Promise<string> {
  const maps = kinds.filter(({ name }) => name !== 'whole image');
  const inImage = maps.map(async ({ name, inImage: map }) => ({
    svg: await heatMapSvg({ values: map.values(), size: map.places }),
    caption: name,
  }));
  const aroundBox = maps.map(async ({ name, aroundBox: map }) => ({
    svg: await heatMapSvg({ values: map.values(), size: map.places, frame: [0.25, 0.25, 0.75, 0.75] }),
    caption: name,
  }));
  const sections: ReportSection[] = [
    {
      heading: 'Recall',
      blocks: [
        text(
          `${photographs} photographs with a box, which takes ${Math.round(100 * boxShare)} % of the image (median)` +
            `${failures.length > 0 ? `; ${failures.length} could not be used` : ''}. A box is found where one region overlaps ` +
            'it (intersection over union) at least as much as asked for.',
        ),
        { kind: 'table', ...recallTable(figures) },
        {
          kind: 'chart',
          xLabel: 'overlap (IoU)',
          yLabel: 'share of boxes found',
          series: figures.map(({ name, recall }) => ({
            name,
            points: recall.map((value, i) => [curveOverlaps[i], value] as const),
          })),
        },
      ],
    },
    {
      heading: 'Coverage of the image',
      blocks: [
        text(
          "Share of an image's regions that cover each place of it, mean over the photographs: dark 0, green a half, yellow 1.",
        ),
        { kind: 'drawings', drawings: await Promise.all(inImage) },
      ],
    },
    {
      heading: 'Coverage of the object',
      blocks: [
        text(
          'The same relative to the box (the white frame) and up to half a side around it, over the photographs that have the place.',
        ),
        { kind: 'drawings', drawings: await Promise.all(aroundBox) },
      ],
    },
    ...(await exampleSections(examples, strong)),
  ];
  return htmlReport({ title, sections });
}

/** One row per kind. */
export function recallTable(figures: readonly RegionFigures[]): { columns: string[]; rows: string[][] } {
  const digits = (value: number) => (Number.isNaN(value) ? '-' : value.toFixed(3));
  return {
    columns: ['regions', 'number', 'recall@0.5', '@0.7', 'average', 'cover the box', 'around it'],
    rows: figures.map(({ name, regions, recall50, recall70, averageRecall, coverageInside, coverageAround }) => [
      name,
      regions.toFixed(1),
      ...[recall50, recall70, averageRecall, coverageInside, coverageAround].map(digits),
    ]),
  };
}

function text(words: string): ReportBlock {
  return { kind: 'text', text: words };
}

async function exampleSections(examples: readonly RegionExample[], strong: number): Promise<ReportSection[]> {
  if (examples.length === 0) return [];
  const pictures = (name: string) =>
    Promise.all(
      examples.map(async ({ id, path, regions, box, image }): Promise<ReportPicture> => {
        const rows = regions.get(name) ?? [];
        const count = rows.length / 4;
        // the best last, so that it lies on top
        const drawn = Array.from({ length: count }, (_, i) => count - 1 - i).map(
          (i): Outline => ({
            box: share(rows, i, image),
            kind: name !== 'grid' && i < strong ? 'strong' : 'region',
            ...(name !== 'grid' && { title: `proposal ${i + 1}` }),
          }),
        );
        const truth: Outline = { box: share(box, 0, image), kind: 'truth' };
        return { image: await thumbnail(path, { longestPx: 240 }), caption: id, outlines: [...drawn, truth] };
      }),
    );
  const blocks: ReportBlock[] = [];
  // More than the fewest proposals would hide the photograph.
  const fewest = [...examples[0].regions.keys()].find((name) => name.startsWith('rpn:'));
  for (const name of fewest === undefined ? ['grid'] : ['grid', fewest]) {
    const best = name === 'grid' ? '' : ` Yellow: the best ${strong}.`;
    blocks.push(text(`${name}. Blue, dashed: the box.${best}`), { kind: 'pictures', pictures: await pictures(name) });
  }
  return [{ heading: 'Photographs', blocks }];
}

function share(rows: BoxRows, i: number, { height, width }: ImageSides): [number, number, number, number] {
  const [yMin, xMin, yMax, xMax] = [0, 1, 2, 3].map((k) => rows[4 * i + k]);
  return [yMin / height, xMin / width, yMax / height, xMax / width];
}
