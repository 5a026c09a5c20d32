import { createReadStream } from 'node:fs';

/** The lines of a file that end in a line break, without it; what a killed writer left of a last line is passed over. */
export async function* wholeLines(file: string): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    const bytes: Buffer = chunk;
    rest = Buffer.concat([rest, bytes]);
    let start = 0;
    for (let stop = rest.indexOf(0x0a); stop !== -1; stop = rest.indexOf(0x0a, start)) {
      yield rest.subarray(start, stop);
      start = stop + 1;
    }
    rest = rest.subarray(start);
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
