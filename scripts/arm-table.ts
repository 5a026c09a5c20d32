/**
 * Training arms as a table, from what `rmac evaluate --json` printed for each seed:
 *
 *   npx tsx scripts/arm-table.ts off-the-shelf=base.json classification=c1.json,c2.json,c3.json
 *
 * The first arm is what the others are compared with. Deviation: over seeds, n - 1. Interval: bootstrap over landmarks of the
 * APs' means over seeds. p: paired sign-flip test against the first arm, whole landmarks flipped.
 */
import { readFile } from 'node:fs/promises';
import { bootstrapInterval } from '../src/retrieval/protocols/bootstrap.js';
import { pairedTest } from '../src/retrieval/protocols/paired-test.js';

interface Evaluation {
  map: number;
  queries: { id: string; ap: number }[];
}

const arms = await Promise.all(
  process.argv.slice(2).map(async (argument) => {
    const [name, files] = argument.split('=');
    const seeds = await Promise.all(
      files.split(',').map(async (file) => JSON.parse(await readFile(file, 'utf8')) as Evaluation),
    );
    const apOf = new Map<string, number>();
    for (const { queries } of seeds) {
      for (const { id, ap } of queries) apOf.set(id, (apOf.get(id) ?? 0) + ap / seeds.length);
    }
    return { name, maps: seeds.map(({ map }) => map), apOf };
  }),
);

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
const deviation = (values: readonly number[]) =>
  Math.sqrt(values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0) / (values.length - 1));
const landmarkOf = (id: string) => id.slice(0, id.lastIndexOf('/'));
const figure = (value: number) => value.toFixed(3).replace(/^(-?)0/, '$1');

const [first] = arms;
console.log(
  '| arm | seeds | mAP | deviation over seeds | 95 % interval over landmarks | p against the first | 1 - mAP cut by |',
);
console.log('|---|---|---|---|---|---|---|');
for (const { name, maps, apOf } of arms) {
  const { low, high } = bootstrapInterval([...apOf].map(([id, value]) => ({ unit: landmarkOf(id), value })));
  const scores = [...apOf].map(([id, ap]) => ({
    unit: landmarkOf(id),
    first: first.apOf.get(id) ?? Number.NaN,
    second: ap,
  }));
  const isFirst = apOf === first.apOf;
  const cut = (mean(maps) - mean(first.maps)) / (1 - mean(first.maps));
  const cells = [
    name,
    maps.length,
    figure(mean(maps)),
    maps.length > 1 ? figure(deviation(maps)) : '-',
    `${figure(low)} to ${figure(high)}`,
    isFirst ? '-' : figure(pairedTest(scores).p),
    isFirst ? '-' : `${(100 * cut).toFixed(0)} %`,
  ];
  console.log(`| ${cells.join(' | ')} |`);
}
