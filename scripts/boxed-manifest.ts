/**
 * @file A manifest with the true boxes of a `rmac data synthesize` collection, wrong photographs left out.
 *
 *   tsx scripts/boxed-manifest.ts COLLECTION OUT.jsonl [train|val|test]
 *
 * OUT.jsonl lies in COLLECTION: paths are relative to it. With a split, its photographs only.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../src/data/files.js';

interface TruthLine {
  id: string;
  path: string;
  landmark: string;
  split: string;
  wrong: boolean;
  box?: object;
}

const [collection, out, split] = process.argv.slice(2);
if (out === undefined) {
  process.stderr.write('usage: boxed-manifest.ts COLLECTION OUT.jsonl [train|val|test]\n');
  process.exit(2);
}
const lines = readFileSync(join(collection, 'truth.jsonl'), 'utf8').trim().split('\n');
const kept = lines
  .map((line) => JSON.parse(line) as TruthLine)
  .filter((line) => !line.wrong && (split === undefined || line.split === split))
  .map(({ id, path, landmark, box }) => `${JSON.stringify({ id, path, landmark, box })}\n`);
await writeFileAtomic(join(collection, out), kept.join(''), { overwrite: true });
process.stdout.write(`${kept.length}\n`);
