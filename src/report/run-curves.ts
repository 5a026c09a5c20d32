/** @file The curves of a training log: a chart for every figure that it holds, whatever the trainer. */
import type { ReportBlock } from './page.js';
import type { LogRecord } from '../run/run-log.js';

type Points = (readonly [step: number, value: number])[];

/** Known figures in the order of the page, with the name and the factor of what is shown. Others follow by their own name. */
const known: Readonly<Record<string, Record<string, { name: string; factor?: number }>>> = {
  measure: {
    map: { name: 'mAP' },
    testMap: { name: 'test mAP' },
    top1: { name: 'top-1' },
    top5: { name: 'top-5' },
    recall: { name: 'average recall' },
    recall50: { name: 'recall at 0.5' },
    recall70: { name: 'recall at 0.7' },
    valLoss: { name: 'validation loss' },
  },
  update: {
    loss: { name: 'loss' },
    active: { name: 'share of triplets with a loss' },
    top1: { name: 'top-1 of the batch' },
    hardestSimilarity: { name: 'similarity to the hardest negative' },
    learningRate: { name: 'learning rate' },
    gradientNorm: { name: 'gradient norm' },
    imagesPerSecond: { name: 'images per second' },
    waiting: { name: 'share of time waiting for images' },
    rssBytes: { name: 'memory, MB', factor: 1e-6 },
  },
  mine: { withLoss: { name: 'triplets of the pool with a loss' } },
};

/** Figures that are told elsewhere or say nothing as a curve. */
const omitted: Readonly<Record<string, readonly string[]>> = {
  measure: ['ms', 'valUnreadable'],
  update: ['msPerStep', 'unreadable', 'numTensors', 'epoch'],
  mine: ['images', 'unreadable', 'single', 'possible', 'kept', 'hardestSimilarity', 'ms'],
};

/** Points of a curve; longer ones are shown by means. */
const longest = 200;

/** What a figure is called. */
export function figureName(event: string, key: string): string {
  return known[event]?.[key]?.name ?? key;
}

/** A chart per figure of the records of one kind; measured shares (0 to 1: mAP, top-1, recall) together in the first. */
export function curveBlocks(records: readonly LogRecord[], event: 'measure' | 'update' | 'mine'): ReportBlock[] {
  const curves = [...figuresOf(records, event)].map(([key, points]) => {
    const factor = known[event][key]?.factor ?? 1;
    const scaled = points.map(([step, value]): Points[number] => [step, value * factor]);
    return { name: figureName(event, key), ...thinned(scaled) };
  });
  const isShare = ({ points }: { points: Points }) => points.every(([, value]) => value >= 0 && value <= 1);
  const together = event === 'measure' ? curves.filter(isShare) : [];
  const alone = curves.filter((curve) => !together.includes(curve));
  const chart = (series: typeof curves): ReportBlock => {
    const { every } = series[0];
    const names = series.map(({ name }) => name).join(', ');
    const yLabel = every === 1 ? names : `${names} (means of ${every})`;
    return { kind: 'chart', xLabel: 'updates', yLabel, series };
  };
  return [...(together.length > 0 ? [chart(together)] : []), ...alone.map((curve) => chart([curve]))];
}

/** The numbers of the records of one kind by name, known ones first. */
function figuresOf(records: readonly LogRecord[], event: string): Map<string, Points> {
  const figures = new Map<string, Points>(Object.keys(known[event]).map((key) => [key, []]));
  for (const record of records) {
    if (record.event !== event) continue;
    for (const [key, value] of Object.entries(record)) {
      if (key === 'step' || typeof value !== 'number' || omitted[event].includes(key)) continue;
      const points = figures.get(key) ?? [];
      points.push([record.step, value]);
      figures.set(key, points);
    }
  }
  return new Map([...figures].filter(([, points]) => points.length > 0));
}

/** At most `longest` points: means of `every` neighbours. */
function thinned(points: Points): { points: Points; every: number } {
  const every = Math.ceil(points.length / longest);
  if (every <= 1) return { points, every: 1 };
  const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;
  const groups = Array.from({ length: Math.ceil(points.length / every) }, (_, i) =>
    points.slice(i * every, (i + 1) * every),
  );
  return { points: groups.map((group) => [mean(group.map(([x]) => x)), mean(group.map(([, y]) => y))]), every };
}
