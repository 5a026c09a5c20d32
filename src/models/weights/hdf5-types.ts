/** @file The small records of HDF5 that say what a value is: dataspace, datatype, attribute, filter, link. */
import { ByteReader, latin1, Malformed, shown, utf8 } from './bytes.js';
import { type ElementType, elementCount } from './elements.js';

/** Addresses and lengths of 8 bytes; all ones means "nowhere". */
export function address(reader: ByteReader): number | undefined {
  const at = reader.at;
  if (reader.take(8).every((byte) => byte === 0xff)) return undefined;
  reader.at = at;
  return reader.u64();
}

export type Datatype =
  | { kind: 'number'; type: ElementType; size: number; littleEndian: boolean }
  | { kind: 'text'; size: number }
  | { kind: 'variable text'; size: number }
  | { kind: 'reference'; size: number }
  | { kind: 'other'; size: number };

/** Rank and lengths; a null dataspace has no elements. */
export function readDataspace(reader: ByteReader): number[] {
  const version = reader.u8();
  const rank = reader.u8();
  reader.skip(1);
  if (version === 1) reader.skip(5);
  else if (version !== 2) throw new Malformed(`a dataspace of version ${version}`);
  else if (reader.u8() === 2) return [0];
  const shape = Array.from({ length: rank }, () => reader.u64());
  elementCount(shape);
  return shape;
}

export function readDatatype(reader: ByteReader): Datatype {
  const kind = reader.u8() & 0x0f;
  const bits = reader.u8();
  reader.skip(2);
  const size = reader.u32();
  const littleEndian = (bits & 1) === 0;
  const bitsOf = 8 * size;
  if (kind === 0 && [8, 16, 32, 64].includes(bitsOf)) {
    return { kind: 'number', type: `${bits & 8 ? '' : 'u'}int${bitsOf}` as ElementType, size, littleEndian };
  }
  if (kind === 1 && [16, 32, 64].includes(bitsOf)) {
    if (bits & 0x40) throw new Malformed('VAX floating point is not read');
    const exponentBits = reader.skip(5).u8();
    if (exponentBits === { 16: 5, 32: 8, 64: 11 }[bitsOf]) {
      return { kind: 'number', type: `float${bitsOf}` as ElementType, size, littleEndian };
    }
    if (bitsOf === 16 && exponentBits === 8) return { kind: 'number', type: 'bfloat16', size, littleEndian };
  }
  if (kind === 3) return { kind: 'text', size };
  if (kind === 7 && size === 8) return { kind: 'reference', size };
  if (kind === 8 && size === 1) return { kind: 'number', type: 'uint8', size, littleEndian: true }; // h5py's bool
  if (kind === 9 && (bits & 0x0f) === 1) return { kind: 'variable text', size };
  return { kind: 'other', size };
}

export interface Hdf5Attribute {
  shape: number[];
  datatype: Datatype;
  bytes: Uint8Array;
}

export function readAttribute(reader: ByteReader): { name: string; attribute: Hdf5Attribute } {
  const version = reader.u8();
  if (version < 1 || version > 3) throw new Malformed(`an attribute of version ${version}`);
  reader.skip(1);
  const sizes = [reader.u16(), reader.u16(), reader.u16()];
  if (version === 3) reader.skip(1);
  const padded = (size: number) => (version === 1 ? Math.ceil(size / 8) * 8 : size);
  const [name, type, space] = sizes.map((size) => reader.take(padded(size)));
  return {
    name: latin1(name).replace(/\0.*$/s, ''),
    attribute: {
      datatype: readDatatype(new ByteReader(type)),
      shape: readDataspace(new ByteReader(space)),
      bytes: reader.take(reader.left),
    },
  };
}

export type Filter = { id: number; elementSize: number };

const knownFilters: Readonly<Record<number, string>> = { 1: 'deflate', 2: 'shuffle', 3: 'fletcher32' };

export function readFilters(reader: ByteReader): Filter[] {
  const version = reader.u8();
  const count = reader.u8();
  if (version === 1) reader.skip(6);
  return Array.from({ length: count }, () => {
    const id = reader.u16();
    const nameLength = version === 1 || id >= 256 ? reader.u16() : 0;
    const values = reader.skip(2).u16();
    const name = reader.take(version === 1 ? Math.ceil(nameLength / 8) * 8 : nameLength);
    if (!Object.hasOwn(knownFilters, id)) {
      throw new Malformed(
        `it is compressed by filter ${id} (${shown(latin1(name).replace(/\0+$/, ''))}); write it with gzip or none`,
      );
    }
    const parameters = Array.from({ length: values }, () => reader.u32());
    if (version === 1 && values % 2 === 1) reader.skip(4);
    return { id, elementSize: parameters[0] ?? 1 };
  });
}

/** A link of the newer groups: the name and the address of what it leads to, undefined for a soft link. */
export function readLink(reader: ByteReader): { name: string; target: number | undefined } {
  if (reader.u8() !== 1) throw new Malformed('a link of an unknown version');
  const flags = reader.u8();
  const type = flags & 0x08 ? reader.u8() : 0;
  if (flags & 0x04) reader.skip(8);
  if (flags & 0x10) reader.skip(1);
  const length = [() => reader.u8(), () => reader.u16(), () => reader.u32(), () => reader.u64()][flags & 3]();
  const name = utf8(reader.take(length));
  return { name, target: type === 0 ? address(reader) : undefined };
}
