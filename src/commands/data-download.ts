/** @file `rmac data download`: the benchmarks from their own addresses or a mirror, and photographs from lists of links. */
import type { Command } from 'commander';
import type { DownloadedData } from '../data/download-data.js';
import type { PublishedData } from '../data/published-data.js';
import { InputError, UsageError } from '../errors.js';
import { interruptSignal, positiveInteger, printResult, say, startProgress } from './console.js';
import type { StageProgress } from '../stages/context.js';

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
  const { publishedData, publishedDataNamed } = await import('../data/published-data.js');
  if (name === 'list') {
    const rows = [...publishedData.values()].map(
      (data) => `${data.name.padEnd(11)} ${data.size.padEnd(9)} ${data.title}`,
    );
    printResult([...publishedData.values()], rows.join('\n'), flags);
    return;
  }
  const isLinks = name === 'landmarks';
  if (flags.out === undefined) throw new UsageError(`rmac data download ${name} needs --out DIR.`);
  if (isLinks !== (flags.list !== undefined))
    throw new UsageError('--list PATH goes with landmarks, and landmarks with it.');
  if (isLinks) return downloadLinkList(flags.list!, flags.out, flags);
  if (flags.retryBroken) throw new UsageError('--retry-broken goes with landmarks.');
  await downloadNamed(publishedDataNamed(name), flags.out, flags);
}

async function downloadNamed(data: PublishedData, out: string, flags: DownloadFlags): Promise<void> {
  const { downloadData } = await import('../data/download-data.js');
  say(`${data.title}, about ${data.size}: ${data.page}`);
  say(`Licence: ${data.licence}.`);
  const megabytes = (bytes: number) => Math.round(bytes / 1e6);
  let progress: StageProgress | undefined;
  let total = 0;
  const unpacking = new Map<string, number>();
  const { files }: DownloadedData = await downloadData(data, out, {
    ...flags,
    signal: interruptSignal(),
    onBytes(done, all) {
      // a bar's total is fixed: a server that says more starts a new one
      if (megabytes(all) > total) {
        progress?.stop();
        total = megabytes(all);
        progress = startProgress('MB', total);
      }
      progress?.update(megabytes(done));
    },
    onUnpacked(name, count) {
      if (count - (unpacking.get(name) ?? 0) < 1000 && unpacking.has(name)) return;
      unpacking.set(name, count);
      say(`unpacking ${name}: ${count} files`);
    },
  }).finally(() => progress?.stop());
  const rows = files.map(({ name, bytes, sha256, files: count, verified }) => {
    const check = verified ? 'as when it first came' : 'recorded; no checksum is published to hold it to';
    return `${name}: ${bytes} bytes, ${count} files, sha256 ${sha256} (${check})`;
  });
  const next = data.next === undefined ? [] : [`Next: ${data.next.replace('DIR', out)}`];
  printResult(
    { name: data.name, out, licence: data.licence, page: data.page, files },
    [...rows, ...next].join('\n'),
    flags,
  );
}

async function downloadLinkList(list: string, out: string, flags: DownloadFlags): Promise<void> {
  const { downloadLinks } = await import('../data/download-links.js');
  const { readLinkList } = await import('../data/link-list.js');
  if (flags.from !== undefined)
    throw new UsageError('--from is for the benchmarks; a list of links has its addresses.');
  const links = await readLinkList(list);
  const listed = new Set(links.map(({ landmark }) => landmark)).size;
  say(`${links.length} links of ${listed} landmarks. The photographs belong to their owners: their licences hold.`);
  let progress: StageProgress | undefined;
  const result = await downloadLinks(links, out, {
    ...flags,
    signal: interruptSignal(),
    onProgress(done) {
      progress ??= startProgress('links', links.length);
      progress.update(done);
    },
  }).finally(() => progress?.stop());
  for (const { error } of result.broken.slice(0, 10)) say(`broken: ${error}`);
  if (result.downloaded === 0) throw new InputError(`None of the ${links.length} links of ${list} gave a photograph.`);
  printResult(
    { out, links: links.length, ...result },
    `${result.downloaded} photographs of ${result.landmarks} landmarks, ${result.broken.length} broken links (links.jsonl). ` +
      `Next: rmac data scan ${out} --out ${out}/manifest.jsonl`,
    flags,
  );
}
