import { createReadStream } from 'node:fs';

/** Longest line, bytes: that of a descriptor of a million values is a tenth of it. */
const longestLine = 2 ** 26;

/**
 * The lines of a file that end in a line break, without it; what a killed writer left of a last line is passed over, and a
 * line of over 64 MiB ends them.
 */
export async function* wholeLines(file: string): AsyncGenerator<Buffer> {
  let rest: Buffer[] = []; // of the line in hand, joined once
  let restBytes = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    const bytes: Buffer = chunk;
    let start = 0;
    for (let stop = bytes.indexOf(0x0a); stop !== -1; stop = bytes.indexOf(0x0a, start)) {
      const end = bytes.subarray(start, stop);
      yield rest.length === 0 ? end : Buffer.concat([...rest, end]);
      rest = [];
      restBytes = 0;
      start = stop + 1;
    }
    rest.push(bytes.subarray(start));
    restBytes += bytes.length - start;
    if (restBytes > longestLine) return;
  }
}

/** What the text says as JSON; undefined where it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
