/** @file The rows of an .npy file in blocks, for tables that are larger than memory. */
import { open } from 'node:fs/promises';
import { InputError, messageOf } from '../errors.js';
import { fillFrom } from './read-file.js';
import { mostHeaderBytes, parseNpyHeader } from './npy.js';
import { type DescriptorRows, transposed } from '../linear/rows.js';

/** Bytes of values read at once. */
const blockBytes = 1 << 26;

/**
 * Reads rows [N, D] block by block. All blocks share one buffer: a block holds only until the next one is asked for.
 * @throws InputError naming the file where it cannot be read or is no matrix of float32 or float64.
 */
export async function* npyRows(file: string): AsyncGenerator<DescriptorRows> {
  const handle = await open(file).catch((error: unknown) => {
    throw new InputError(`Cannot read ${file}: ${messageOf(error)}`);
  });
  try {
    const { size: fileBytes } = await handle.stat();
    const head = new Uint8Array(Math.min(fileBytes, mostHeaderBytes));
    await fillFrom(handle, head, 0, file);
    const { shape, size, offset, columnMajor } = parseNpyHeader(head, fileBytes, file);
    if (shape.length !== 2) throw new InputError(`${file}: expected rows [N, D], got shape (${shape.join(', ')}).`);
    const [rows, dimension] = shape;
    if (dimension === 0) throw new InputError(`${file}: its ${rows} rows have no values.`);
    const rowBytes = dimension * size;
    const step = Math.max(1, Math.floor(blockBytes / Math.max(1, rowBytes)));
    const buffer = new ArrayBuffer(Math.min(rows, step) * rowBytes);
    for (let row = 0; row < rows; row += step) {
      const count = Math.min(step, rows - row);
      const values = count * dimension;
      const read = (from: number, to: number, at: number) =>
        fillFrom(handle, new Uint8Array(buffer, from * size, (to - from) * size), offset + at * size, file);
      if (!columnMajor) await read(0, values, row * dimension);
      else for (let d = 0; d < dimension; d++) await read(d * count, (d + 1) * count, d * rows + row);
      const data =
        size === 4 ? new Float32Array(buffer, 0, values) : Float32Array.from(new Float64Array(buffer, 0, values));
      yield { dimension, data: columnMajor ? transposed(data, count) : data };
    }
  } finally {
    await handle.close();
  }
}

/** [D, rows] -> [rows, D]. */
