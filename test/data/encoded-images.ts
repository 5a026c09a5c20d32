/** @file Encoded images that sharp does not write. */

/** One tag of a TIFF: shorts in the entry itself, anything else as bytes behind the directory. */
export type TiffTag = [tag: number, type: number, value: number | Uint8Array];

const [short, long] = [3, 4];

/**
 * An uncompressed little-endian TIFF in one strip (TIFF 6.0). `tags` replace or follow the image's own, in the order given
 * by `order`.
 */
export function tiff(
  { width, height, channels }: { width: number; height: number; channels: 1 | 3 },
  samples: Uint8Array | Float32Array | Uint32Array,
  { tags = [], sorted = true }: { tags?: TiffTag[]; sorted?: boolean } = {},
): Buffer {
  const bits = 8 * samples.BYTES_PER_ELEMENT;
  const sampleFormat = samples instanceof Float32Array ? 3 : 1;
  const pixels = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
  const perChannel = (value: number) => Buffer.from(new Uint16Array(channels).fill(value).buffer);
  const own: TiffTag[] = [
    [256, short, width],
    [257, short, height],
    [258, short, channels === 1 ? bits : perChannel(bits)],
    [259, short, 1],
    [262, short, channels === 1 ? 1 : 2],
    [273, long, 8],
    [277, short, channels],
    [278, short, height],
    [279, long, pixels.length],
    [339, short, channels === 1 ? sampleFormat : perChannel(sampleFormat)],
  ];
  const all = [...own, ...tags];
  if (sorted) all.sort(([a], [b]) => a - b);
  const directory = 8 + pixels.length + (pixels.length % 2);
  const extras: Buffer[] = [];
  let extraAt = directory + 2 + 12 * all.length + 4;
  const entries = all.map(([tag, type, value]) => {
    const entry = Buffer.alloc(12);
    entry.writeUInt16LE(tag, 0);
    entry.writeUInt16LE(type, 2);
    if (typeof value === 'number') {
      entry.writeUInt32LE(1, 4);
      entry.writeUInt32LE(value, 8);
    } else {
      entry.writeUInt32LE(value.length / (type === short ? 2 : 1), 4);
      entry.writeUInt32LE(extraAt, 8);
      extras.push(Buffer.from(value));
      extraAt += value.length;
    }
    return entry;
  });
  const head = Buffer.from('II*\0\0\0\0\0', 'latin1');
  head.writeUInt32LE(directory, 4);
  const count = Buffer.alloc(2);
  count.writeUInt16LE(all.length);
  return Buffer.concat([head, pixels, Buffer.alloc(pixels.length % 2), count, ...entries, Buffer.alloc(4), ...extras]);
}

/** The header of a lossless WebP of any size up to 16,384 px a side, and no pixel. */
export function webpHeader(width: number, height: number): Buffer {
  const bytes = Buffer.alloc(38);
  bytes.write('RIFF\x1e\0\0\0WEBPVP8L\x12\0\0\0\x2f', 'latin1');
  bytes.writeUInt32LE(width - 1 + (height - 1) * 2 ** 14, 21);
  return bytes;
}

/** `bytes` with others put before the first marker of the kind. */
export function beforeMarker(bytes: Buffer, code: number, others: Uint8Array): Buffer {
  const at = bytes.indexOf(Buffer.from([0xff, code]));
  return Buffer.concat([bytes.subarray(0, at), others, bytes.subarray(at)]);
}

/** With the segment that most JPEGs begin with: JFIF, version 1.01. */
export function withJfif(jpeg: Buffer): Buffer {
  const segment = Buffer.from('\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0', 'latin1');
  return Buffer.concat([jpeg.subarray(0, 2), segment, jpeg.subarray(2)]);
}

/** As some phones write it: the scan's last coefficient (Se) is 0 where the standard says 63. */
export function withPhoneScanHeader(jpeg: Buffer): Buffer {
  const bytes = Buffer.from(jpeg);
  const at = bytes.indexOf(Buffer.from([0xff, 0xda]));
  bytes[at + 5 + 2 * bytes[at + 4] + 1] = 0;
  return bytes;
}
