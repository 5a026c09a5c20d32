/**
 * @file TensorBoard's events as bytes: `Event`, `Summary` and `SessionLog` of tensorflow/core/util/event.proto and
 * tensorflow/core/framework/summary.proto (the field numbers below), one TFRecord each. Fields are in the order of their numbers and zeros are left
 * out, as protobuf's own libraries write them.
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { maskedCrc32c } from './crc32c.js';
import type { Histogram } from './histogram.js';

/** JPEG or PNG. */
export interface EncodedPicture {
  bytes: Uint8Array;
  width: number;
  height: number;
}

export type EventContent =
  /** What a file begins with. */
  | { kind: 'version' }
  /** A session that begins: readers drop what earlier files say of this step and later ones. */
  | { kind: 'start' }
  | { kind: 'scalar'; tag: string; value: number }
  | { kind: 'histogram'; tag: string; histogram: Histogram }
  | { kind: 'image'; tag: string; picture: EncodedPicture };

const rgb = 3; // Summary.Image.colorspace

/** One record of an event file. `seconds`: wall time since 1970. */
export function encodeEvent(content: EventContent, { step, seconds }: { step: number; seconds: number }): Uint8Array {
  const event = new BinaryWriter();
  double(event, 1, seconds);
  if (step !== 0) event.tag(2, WireType.Varint).int64(step);
  if (content.kind === 'version') event.tag(3, WireType.LengthDelimited).string('brain.Event:2');
  else if (content.kind === 'start') message(event, 7, (session) => session.tag(1, WireType.Varint).int32(1));
  else message(event, 5, (summary) => message(summary, 1, (value) => writeValue(value, content)));
  return frameRecord(event.finish());
}

/** A TFRecord: length (uint64), its checksum, data, its checksum; all little-endian. */
export function frameRecord(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(16 + data.length);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc32c(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc32c(data), true);
  return record;
}

function writeValue(
  value: BinaryWriter,
  content: Exclude<EventContent, { kind: 'version' } | { kind: 'start' }>,
): void {
  value.tag(1, WireType.LengthDelimited).string(content.tag);
  if (content.kind === 'scalar') value.tag(2, WireType.Bit32).float(content.value);
  else if (content.kind === 'image') {
    const { bytes, width, height } = content.picture;
    message(value, 4, (image) => {
      image.tag(1, WireType.Varint).int32(height).tag(2, WireType.Varint).int32(width);
      image.tag(3, WireType.Varint).int32(rgb).tag(4, WireType.LengthDelimited).bytes(bytes);
    });
  } else {
    const { min, max, count, sum, sumOfSquares, limits, counts } = content.histogram;
    message(value, 5, (histogram) => {
      for (const [i, number] of [min, max, count, sum, sumOfSquares].entries()) double(histogram, i + 1, number);
      for (const [i, numbers] of [limits, counts].entries()) {
        message(histogram, i + 6, (packed) => numbers.forEach((number) => packed.double(number)));
      }
    });
  }
}

function double(writer: BinaryWriter, field: number, value: number): void {
  if (!Object.is(value, 0)) writer.tag(field, WireType.Bit64).double(value);
}

function message(writer: BinaryWriter, field: number, write: (part: BinaryWriter) => void): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  write(writer);
  writer.join();
}
