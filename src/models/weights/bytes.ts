/**
 * @file A bounds-checked cursor over the bytes of a weight file. Every reader of a foreign format goes through it, so a
 * length that lies never leaves the file; what is wrong is thrown as `Malformed` and named after the file in one place.
 */
import { InputError, messageOf } from '../../errors.js';

/** What is wrong with the contents of a file; `parsing` turns it into the `InputError` that names the file. */
export class Malformed extends Error {
  override name = 'Malformed';
}

/** Runs a reader of `format`; anything malformed becomes an `InputError` that names the file. */
export function parsing<T>(source: string, format: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    // The stack or the memory that a file of lies would need.
    const reason = error instanceof RangeError ? 'its parts are nested too deeply or too large' : messageOf(error);
    if (!(error instanceof Malformed || error instanceof RangeError)) throw error;
    throw new InputError(`${source}: cannot be read as ${format}: ${reason}.`);
  }
}

export class ByteReader {
  private readonly view: DataView;
  at = 0;

  constructor(
    readonly bytes: Uint8Array,
    readonly littleEndian = true,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.bytes.byteLength - this.at;
  }

  /** Moves to an absolute position inside the file. */
  seek(position: number): this {
    if (!Number.isSafeInteger(position) || position < 0 || position > this.bytes.byteLength) {
      throw new Malformed(`it points to byte ${position} of ${this.bytes.byteLength} (truncated?)`);
    }
    this.at = position;
    return this;
  }

  /** Position of the next `length` bytes, which are then behind the cursor. */
  private pass(length: number): number {
    if (!(length >= 0 && length <= this.left)) {
      throw new Malformed(
        `it ends at byte ${this.bytes.byteLength}, ${length} more expected at ${this.at} (truncated?)`,
      );
    }
    const from = this.at;
    this.at += length;
    return from;
  }

  skip(length: number): this {
    this.pass(length);
    return this;
  }

  /** The next `length` bytes, not copied. */
  take(length: number): Uint8Array {
    const from = this.pass(length);
    return this.bytes.subarray(from, from + length);
  }

  u8(): number {
    return this.view.getUint8(this.pass(1));
  }

  u16(): number {
    return this.view.getUint16(this.pass(2), this.littleEndian);
  }

  u32(): number {
    return this.view.getUint32(this.pass(4), this.littleEndian);
  }

  i32(): number {
    return this.view.getInt32(this.pass(4), this.littleEndian);
  }

  /** A 64-bit count, length or offset: 2^53 and more is refused. */
  u64(): number {
    const value = this.view.getBigUint64(this.pass(8), this.littleEndian);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Malformed(`a length of ${value} is too large`);
    return Number(value);
  }

  f64(): number {
    return this.view.getFloat64(this.pass(8), this.littleEndian);
  }

  /** `length` bytes as Latin-1 without trailing zeros: names of the older formats. */
  text(length: number): string {
    return latin1(this.take(length)).replace(/\0+$/, '');
  }
}

/** Bytes as characters 0-255. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** Bytes as UTF-8; anything else is malformed. */
export function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Malformed('a name is not UTF-8');
  }
}

/** Bytes that may be inflated from a file of this length: weights hardly compress, what surrounds them does. */
export function mostInflated(fileBytes: number): number {
  return 2 ** 24 + 10 * fileBytes;
}

/** A value of any kind from a file for an error line; lists and objects by their kind, since their text may have no end. */
export function described(value: unknown): string {
  if (typeof value === 'string') return shown(value);
  return typeof value === 'object' && value !== null ? (Array.isArray(value) ? 'a list' : 'an object') : String(value);
}

/** A name from a file, short enough and printable for an error line. */
export function shown(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}...` : name);
}
