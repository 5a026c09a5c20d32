/**
 * @file HDF5 as Keras and Matlab write it: groups, attributes, and datasets that lie in one piece or in deflated chunks.
 * Written out here because the ports of the C library abort or never return on damaged files: every address is checked
 * against the file, everything visited is counted, and what is larger than the file could hold is never allocated.
 */
import { ByteReader, Malformed, mostInflated, utf8 } from './bytes.js';
import { elementCount, type RawElements } from './elements.js';
import { copyChunk, type StorageLayout, readLayout, unfilter } from './hdf5-data.js';
import {
  type Hdf5Attribute,
  address,
  type Datatype,
  type Filter,
  readAttribute,
  readDataspace,
  readDatatype,
  readFilters,
  readLink,
} from './hdf5-types.js';

const signature = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];

const maxSteps = 5_000_000;

/** Where HDF5 starts in a file: 0, or 512, 1024, ... behind a block of another program (Matlab 7.3). */
export function hdf5Start(bytes: Uint8Array): number | undefined {
  for (let at = 0; at + 8 <= bytes.byteLength && at <= 2 ** 20; at = at === 0 ? 512 : at * 2) {
    if (signature.every((byte, i) => bytes[at + i] === byte)) return at;
  }
  return undefined;
}

/** A group or a dataset: what its object header says. */
export class Hdf5Object {
  /** Members of a group; soft and external links are left out. */
  readonly links = new Map<string, number>();
  readonly attributes = new Map<string, Hdf5Attribute>();
  shape: number[] | undefined;
  datatype: Datatype | undefined;
  layout: StorageLayout | undefined;
  filters: Filter[] = [];

  get isDataset(): boolean {
    return this.layout !== undefined;
  }
}

export class Hdf5File {
  readonly root: number;
  private readonly base: number;
  private steps = 0;
  private contiguousLeft: number;
  private chunkedLeft: number;

  constructor(private readonly bytes: Uint8Array) {
    const start = hdf5Start(bytes);
    if (start === undefined) throw new Malformed('the signature is missing');
    const reader = new ByteReader(bytes).seek(start + 8);
    const version = reader.u8();
    if (version > 3) throw new Malformed(`the superblock has version ${version}`);
    const [offsets, lengths] = version < 2 ? [reader.skip(4).u8(), reader.u8()] : [reader.u8(), reader.u8()];
    if (offsets !== 8 || lengths !== 8) throw new Malformed(`addresses have ${offsets} bytes, 8 expected`);
    if (version < 2) {
      this.base = reader.skip(version === 0 ? 9 : 13).u64();
      this.root = reader.skip(8 * 4).u64();
    } else {
      this.base = reader.skip(1).u64();
      this.root = reader.skip(8 * 2).u64();
    }
    this.contiguousLeft = 2 * bytes.byteLength;
    this.chunkedLeft = mostInflated(bytes.byteLength);
  }

  /** The object whose header is at this address. */
  open(at: number): Hdf5Object {
    const object = new Hdf5Object();
    const reader = this.at(at);
    const blocks: { reader: ByteReader; version: number; ordered: boolean }[] = [];
    if (reader.bytes[reader.at] === 1) {
      const size = reader.skip(8).u32();
      blocks.push({ reader: new ByteReader(reader.skip(4).take(size)), version: 1, ordered: false });
    } else {
      if (reader.text(4) !== 'OHDR' || reader.u8() !== 2) throw new Malformed(`there is no object at byte ${at}`);
      const flags = reader.u8();
      reader.skip((flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0));
      const size = [() => reader.u8(), () => reader.u16(), () => reader.u32(), () => reader.u64()][flags & 3]();
      blocks.push({ reader: new ByteReader(reader.take(size)), version: 2, ordered: (flags & 4) !== 0 });
    }
    for (const { reader: block, version, ordered } of blocks) {
      const head = version === 1 ? 8 : ordered ? 6 : 4;
      while (block.left >= head) {
        this.step();
        const type = version === 1 ? block.u16() : block.u8();
        const size = block.u16();
        const flags = block.u8();
        block.skip(version === 1 ? 3 : ordered ? 2 : 0);
        const message = new ByteReader(block.take(size));
        if (type === 0x10) {
          const next = this.at(message.u64());
          const length = message.u64();
          if (version === 1) blocks.push({ reader: new ByteReader(next.take(length)), version, ordered });
          else blocks.push({ reader: new ByteReader(next.skip(4).take(length - 8)), version, ordered });
        } else this.message(object, type, flags, message);
      }
    }
    return object;
  }

  private message(object: Hdf5Object, type: number, flags: number, reader: ByteReader): void {
    if (flags & 2 && [1, 3, 0x0b, 0x0c].includes(type)) throw new Malformed('shared datatypes are not read');
    switch (type) {
      case 0x01:
        object.shape = readDataspace(reader);
        return;
      case 0x02:
      case 0x15: {
        const info = reader.skip(1).u8();
        if (info & 1) reader.skip(type === 2 ? 8 : 2);
        if (address(reader) === undefined) return;
        throw new Malformed('it is written in the newest layout; write it without libver="latest"');
      }
      case 0x03:
        object.datatype = readDatatype(reader);
        return;
      case 0x06: {
        const { name, target } = readLink(reader);
        if (target !== undefined) object.links.set(name, target);
        return;
      }
      case 0x07:
        throw new Malformed('its data lie in other files');
      case 0x08:
        object.layout = readLayout(reader);
        return;
      case 0x0b:
        object.filters = readFilters(reader);
        return;
      case 0x0c: {
        const { name, attribute } = readAttribute(reader);
        object.attributes.set(name, attribute);
        return;
      }
      case 0x11:
        this.readSymbols(object, reader.u64(), reader.u64());
        return;
      default: // times, comments, fill values
    }
  }

  /** The members of an older group: a B-tree of symbol nodes, names in a heap. */
  private readSymbols(object: Hdf5Object, tree: number, heap: number): void {
    const head = this.at(heap);
    if (head.text(4) !== 'HEAP') throw new Malformed('the names of a group are missing');
    const size = head.skip(4).u64();
    const names = new ByteReader(this.at(head.skip(8).u64()).take(size));
    for (const node of this.leaves(tree, 0, 8)) {
      const reader = this.at(node.child);
      if (reader.text(4) !== 'SNOD') throw new Malformed('a symbol node is missing');
      const count = reader.skip(2).u16();
      for (let i = 0; i < count; i++) {
        this.step();
        const name = names.seek(reader.u64());
        const target = reader.u64();
        const cached = reader.u32();
        reader.skip(20);
        const end = names.bytes.indexOf(0, name.at);
        if (end < 0) throw new Malformed('a name has no end');
        if (cached !== 2) object.links.set(utf8(name.take(end - name.at)), target); // 2 is a soft link
      }
    }
  }

  /** Children of the lowest nodes of a B-tree with their keys. */
  private *leaves(root: number, type: number, keySize: number): Generator<{ key: Uint8Array; child: number }> {
    const pending = [{ at: root, level: -1 }];
    for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
      this.step();
      const reader = this.at(node.at);
      if (reader.text(4) !== 'TREE' || reader.u8() !== type) throw new Malformed('a node of a B-tree is missing');
      const level = reader.u8();
      if (node.level >= 0 && level !== node.level - 1) throw new Malformed('a B-tree leads to itself');
      const count = reader.u16();
      reader.skip(16);
      for (let i = 0; i < count; i++) {
        this.step();
        const key = reader.take(keySize);
        const child = reader.u64();
        if (level === 0) yield { key, child };
        else pending.push({ at: child, level });
      }
    }
  }

  /** The elements of a dataset, row-major. */
  read(object: Hdf5Object): RawElements & { shape: number[] } {
    const { shape, datatype, layout } = object;
    if (shape === undefined || datatype === undefined || layout === undefined)
      throw new Malformed('a dataset is incomplete');
    if (datatype.kind !== 'number') throw new Malformed(`numbers expected, a dataset holds ${datatype.kind} values`);
    return { shape, type: datatype.type, littleEndian: datatype.littleEndian, bytes: this.content(object) };
  }

  /** Addresses that a dataset of references holds. */
  references(object: Hdf5Object): number[] {
    if (object.datatype?.kind !== 'reference') throw new Malformed('references expected');
    const reader = new ByteReader(this.content(object));
    return Array.from({ length: elementCount(object.shape ?? []) }, () => reader.u64());
  }

  /** The texts of an attribute; undefined when it holds something else. */
  texts(attribute: Hdf5Attribute | undefined): string[] | undefined {
    if (attribute === undefined) return undefined;
    const { shape, datatype, bytes } = attribute;
    const reader = new ByteReader(bytes);
    const count = elementCount(shape);
    if (datatype.kind === 'text') {
      if (datatype.size === 0) throw new Malformed('an attribute holds texts of no length');
      return Array.from({ length: Math.min(count, bytes.length) }, () =>
        utf8(reader.take(datatype.size)).replace(/\0.*$/s, ''),
      );
    }
    if (datatype.kind !== 'variable text') return undefined;
    if (count * 16 > bytes.length) throw new Malformed('an attribute is incomplete');
    return Array.from({ length: count }, () => {
      const length = reader.u32();
      const heap = reader.u64();
      return utf8(this.heapObject(heap, reader.u32(), length)).replace(/\0.*$/s, '');
    });
  }

  private heapObject(heap: number, index: number, length: number): Uint8Array {
    const reader = this.at(heap);
    if (reader.text(4) !== 'GCOL') throw new Malformed('a text is missing');
    const size = reader.skip(4).u64();
    const objects = new ByteReader(reader.take(Math.max(0, size - 16)));
    while (objects.left >= 16) {
      this.step();
      const found = objects.u16();
      const bytes = objects.skip(6).u64();
      const content = objects.take(Math.min(objects.left, Math.ceil(bytes / 8) * 8));
      if (found === 0) break;
      if (found === index) return new ByteReader(content).take(length);
    }
    throw new Malformed('a text is missing');
  }

  private content({ shape = [], datatype, layout, filters }: Hdf5Object): Uint8Array {
    const elementBytes = datatype?.size ?? 0;
    const size = elementCount(shape) * elementBytes;
    if (size === 0 || layout === undefined) return new Uint8Array();
    if (layout.kind === 'inline') return layout.bytes;
    if (layout.at === undefined) throw new Malformed('a dataset was never written');
    if (layout.kind === 'contiguous') {
      this.contiguousLeft -= size;
      if (this.contiguousLeft < 0) throw new Malformed('its datasets share their bytes');
      return this.at(layout.at).take(size);
    }
    return this.chunks(layout.at, layout.chunk, { shape, elementBytes, size, filters });
  }

  private chunks(
    tree: number,
    chunk: readonly number[],
    { shape, elementBytes, size, filters }: { shape: number[]; elementBytes: number; size: number; filters: Filter[] },
  ): Uint8Array {
    const rank = shape.length;
    if (chunk.length !== rank || chunk.includes(0)) throw new Malformed('a dataset has bad chunks');
    const chunkBytes = elementCount(chunk) * elementBytes;
    this.chunkedLeft -= size + chunkBytes;
    if (this.chunkedLeft < 0)
      throw new Malformed(`a dataset of shape [${shape.join(', ')}] is larger than the file could hold`);
    const out = new Uint8Array(size);
    let work = 2 ** 20 + 4 * size; // bytes that all chunks together may have
    for (const { key, child } of this.leaves(tree, 1, 8 + 8 * (rank + 1))) {
      const head = new ByteReader(key);
      const stored = head.u32();
      const mask = head.u32();
      const origin = Array.from({ length: rank }, () => head.u64());
      if (origin.some((start, axis) => start >= shape[axis])) continue;
      work -= chunkBytes;
      if (work < 0) throw new Malformed('a dataset has more chunks than it needs');
      const content = unfilter(this.at(child).take(stored), filters, mask, chunkBytes);
      copyChunk(content, chunk, origin, { out, shape, elementBytes });
    }
    return out;
  }

  private at(position: number): ByteReader {
    return new ByteReader(this.bytes).seek(this.base + position);
  }

  private step(): void {
    if (++this.steps > maxSteps) throw new Malformed('its parts lead to each other without end');
  }
}
