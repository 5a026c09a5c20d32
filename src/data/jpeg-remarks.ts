/**
 * @file Keeps libjpeg from remarking on a JPEG's headers, so that every warning which is left is about its pixels. The
 * remarks themselves cannot be told apart after decoding: libvips collects the texts of all decodes of a process in one place.
 *
 * Markers: ITU-T T.81, Annex B; JFIF 1.02. What libjpeg warns of is in its jdmarker.c and jdhuff.c.
 */

const startOfScan = 0xda;
const endOfImage = 0xd9;
/** Baseline and extended sequential DCT (Huffman), and extended sequential with arithmetic coding. */
const sequentialFrames: readonly number[] = [0xc0, 0xc1, 0xc9];

/**
 * Changes, in place, what no pixel depends on:
 * - stray bytes before a marker become fill bytes, which are allowed there;
 * - a JFIF of another major version says 1;
 * - a scan of a sequential image says that it has all coefficients (Ss 0, Se 63, Ah and Al 0), as it must: some phones
 *   write Se 0.
 *
 * Coded data is left alone. Ends where the file stops making sense; the decoder says what is wrong.
 */
export function silenceJpegRemarks(bytes: Buffer): void {
  let sequential = false;
  let components = 0;
  for (let at = toMarker(bytes, 2); at < bytes.length; at = toMarker(bytes, at)) {
    const marker = bytes[at++];
    if (isRestart(marker) || marker === 0x01) continue; // without a length
    if (marker === endOfImage || at + 2 > bytes.length) return;
    const segment = bytes.subarray(at, at + bytes.readUInt16BE(at)); // begins with its length
    at += Math.max(2, segment.length);
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) {
      sequential = sequentialFrames.includes(marker);
      components = segment[7] ?? 0;
    } else if (marker === 0xe0 && segment.length >= 16 && segment.toString('latin1', 2, 7) === 'JFIF\0') {
      segment[7] = 1;
    } else if (marker === startOfScan) {
      const inScan = segment[2] ?? 0;
      if (segment.length !== 6 + 2 * inScan) return;
      if (sequential) segment.set([0, 63, 0], segment.length - 3);
      if (sequential && inScan === components) return; // the only scan
      at = afterCodedData(bytes, at);
    }
  }
}

/** Index of the next marker's code, the byte after 0xFF; what lies before it becomes fill bytes. */
function toMarker(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(0xff, from); at !== -1; at = bytes.indexOf(0xff, at)) {
    while (bytes[at] === 0xff) at++;
    if (at < bytes.length && bytes[at] !== 0) {
      bytes.fill(0xff, from, at);
      return at;
    }
  }
  return bytes.length;
}

/** Index of the 0xFF of the first marker after a scan's coded data, which may hold restart markers. */
function afterCodedData(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(0xff, from); at !== -1; at = bytes.indexOf(0xff, at + 2)) {
    const code = bytes[at + 1];
    if (code === 0xff) at--;
    else if (code !== 0 && !isRestart(code)) return at;
  }
  return bytes.length;
}

function isRestart(marker: number): boolean {
  return marker >= 0xd0 && marker <= 0xd7;
}
