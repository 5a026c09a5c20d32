/**
 * @file Keeps libtiff from remarking on a TIFF's metadata, so that every warning which is left is about its pixels; see
 * jpeg-remarks.ts for the reason. Directories: TIFF 6.0, section 2; BigTIFF by its design document.
 */

/** Tags that pixels, colours or the orientation depend on, of TIFF 6.0 and of libtiff's tiff.h. */
const pixelTags = new Set([
  254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 274, 277, 278, 279, 284, 290, 291, 292, 293, 301, 317,
  318, 319, 320, 321, 322, 323, 324, 325, 332, 333, 334, 336, 338, 339, 340, 341, 342, 347, 512, 513, 514, 515, 517,
  518, 519, 520, 521, 529, 530, 531, 532, 34675, 37439, 50674,
]);

/**
 * Changes the first image's directory in place: its tags are sorted, each is there once, and those that no pixel depends
 * on are gone, as are further images. Does nothing where the directory is not whole; the decoder says what is wrong.
 */
export function silenceTiffRemarks(bytes: Buffer): void {
  const little = bytes[0] === 0x49;
  const uint = (at: number, size: number): number => {
    if (size === 2) return little ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at);
    if (size === 4) return little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
    return Number(little ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at));
  };
  if (bytes.length < 16) return;
  const big = uint(2, 2) === 43;
  const [countSize, entrySize, offsetSize] = big ? [8, 20, 8] : [2, 12, 4];
  const directory = uint(big ? 8 : 4, offsetSize);
  if (directory < 8 || directory + countSize > bytes.length) return;
  const count = uint(directory, countSize);
  const first = directory + countSize;
  const end = first + count * entrySize;
  if (count > 0xffff || end + offsetSize > bytes.length) return;

  const entries = new Map<number, Buffer>();
  for (let at = first; at < end; at += entrySize) {
    const tag = uint(at, 2);
    if (pixelTags.has(tag) && !entries.has(tag)) entries.set(tag, Buffer.from(bytes.subarray(at, at + entrySize)));
  }
  const kept = [...entries].sort(([a], [b]) => a - b).map(([, entry]) => entry);
  if (little) bytes.writeUIntLE(kept.length, directory, Math.min(countSize, 6));
  else bytes.writeUIntBE(kept.length, directory + Math.max(0, countSize - 6), Math.min(countSize, 6));
  bytes.fill(0, first, end + offsetSize); // ends with the offset of the next directory: none
  Buffer.concat(kept).copy(bytes, first);
}
