/** @file Reading golden .npy files in tests, independent of the product's own reader. */
import { readFileSync } from 'node:fs';

/** The float32 values of a version 1 .npy file, row-major. */
export function readGoldenNpy(file: string): Float32Array {
  const bytes = readFileSync(file);
  const start = 10 + bytes.readUInt16LE(8);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length));
}
