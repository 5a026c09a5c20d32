/** @file `rmac data download`: the benchmarks from their own addresses or a mirror, and photographs from lists of links. */
import type { Command } from 'commander';
import { publishedData, publishedDataNamed } from '../data/published-data.js';
import { UsageError } from '../errors.js';
import { downloadBenchmark, downloadLandmarks } from '../stages/download.js';
import { interruptSignal, positiveInteger, printResult, terminalView } from './console.js';

interface DownloadFlags {
  out?: string;
  from?: string;
  list?: string;
  parallel?: number;
  checksums?: string;
  keepArchives?: boolean;
  retryBroken?: boolean;
  json?: boolean;
}

export function registerDownload(data: Command): void {
  data
    .command('download')
    .description('fetch a benchmark, or the photographs of a list of links: resumable, checked, safely unpacked')
    .argument('<name>', 'one of those below, landmarks, or list')
    .option('--out <dir>', 'folder for it')
    .option('--from <place>', 'folder or http address that has the published files, instead of their own addresses')
    .option('--list <path>', 'landmarks: list of links, or folder of LANDMARK.txt')
    .option('--parallel <n>', 'files at once (default: 3; landmarks: 8, two to a server)', positiveInteger)
    .option('--checksums <file>', 'a download.json: these files must have its sha256')
    .option('--keep-archives', 'keep archives after unpacking (in .archives)')
    .option('--retry-broken', 'landmarks: ask again for links that were broken')
    .option('--json', 'print one JSON object on stdout and nothing else')
    .addHelpText(
      'after',
      `
Data sets: oxford5k, paris6k, oxford100k (distractors), roxford5k, rparis6k, holidays, ukbench. The licence is shown first.
The same command continues after any end. Nobody publishes checksums of these files: the sha256 of the first download is
kept in download.json; --checksums holds another download to it.
landmarks: lines "landmark address", or a table with columns url and landmark_id; broken links are listed in links.jsonl.

Examples:
  rmac data download roxford5k --out data/roxford5k
  rmac data download holidays --out data/holidays --from downloads/
  rmac data download landmarks --list links.tsv --out photos`,
    )
    .action(download);
}

async function download(name: string, flags: DownloadFlags): Promise<void> {
  const { out, list, from, json } = flags;
  if (name === 'list') {
    const known = [...publishedData.values()];
    const rows = known.map((data) => `${data.name.padEnd(11)} ${data.size.padEnd(9)} ${data.title}`);
    printResult(known, rows.join('\n'), { json });
    return;
  }
  if (out === undefined) throw new UsageError(`rmac data download ${name} needs --out DIR.`);
  if ((name === 'landmarks') !== (list !== undefined)) {
    throw new UsageError('--list PATH goes with landmarks, and landmarks with it.');
  }
  const context = { signal: interruptSignal(), view: terminalView };
  if (list !== undefined) {
    if (from !== undefined) throw new UsageError('--from is for the benchmarks; a list of links has its addresses.');
    const result = await downloadLandmarks({ ...flags, list, out }, context);
    const text =
      `${result.downloaded} photographs of ${result.landmarks} landmarks, ${result.broken.length} broken links (links.jsonl). ` +
      `Next: rmac data scan ${out} --out ${out}/manifest.jsonl`;
    printResult(result, text, { json });
    return;
  }
  if (flags.retryBroken) throw new UsageError('--retry-broken goes with landmarks.');
  const result = await downloadBenchmark({ ...flags, name, out }, context);
  const rows = result.files.map(({ name: file, bytes, sha256, files, verified }) => {
    const check = verified ? 'as when it first came' : 'recorded; no checksum is published to hold it to';
    return `${file}: ${bytes} bytes, ${files} files, sha256 ${sha256} (${check})`;
  });
  const { next } = publishedDataNamed(name);
  printResult(result, [...rows, ...(next === undefined ? [] : [`Next: ${next.replace('DIR', out)}`])].join('\n'), {
    json,
  });
}
