/**
 * @file The members of a zip archive, as torch.save writes it. Read by the central directory; stored and deflated members
 * only; the claimed sizes are checked against the file before anything is inflated, so a bomb costs nothing.
 */
import { inflateRawSync } from 'node:zlib';
import { ByteReader, Malformed, mostInflated, shown, utf8 } from './bytes.js';

const endSignature = 0x06054b50;
const end64Signature = 0x06064b50;
const locatorSignature = 0x07064b50;
const entrySignature = 0x02014b50;
const localSignature = 0x04034b50;

interface Member {
  method: number;
  compressed: number;
  size: number;
  header: number;
}

export class ZipArchive {
  private readonly members = new Map<string, Member>();
  private readonly contents = new Map<string, Uint8Array>();
  private readonly reader: ByteReader;

  constructor(bytes: Uint8Array) {
    this.reader = new ByteReader(bytes);
    const { start, count } = this.findDirectory();
    this.reader.seek(start);
    let compressed = 0;
    let inflated = 0;
    for (let i = 0; i < count; i++) {
      const member = this.readEntry();
      compressed += member.compressed;
      if (member.method !== 0) inflated += member.size;
    }
    // Members that overlap are how a small archive inflates without end.
    if (compressed > bytes.byteLength) throw new Malformed('the members of the archive overlap');
    if (inflated > mostInflated(bytes.byteLength))
      throw new Malformed(`the archive claims to inflate to ${inflated} bytes`);
  }

  get names(): readonly string[] {
    return [...this.members.keys()];
  }

  /** Contents of a member, or undefined. */
  read(name: string): Uint8Array | undefined {
    const member = this.members.get(name);
    if (member === undefined) return undefined;
    let content = this.contents.get(name);
    if (content === undefined) {
      content = this.extract(name, member);
      this.contents.set(name, content);
    }
    return content;
  }

  private findDirectory(): { start: number; count: number } {
    const { bytes } = this.reader;
    const lowest = Math.max(0, bytes.byteLength - 22 - 0xffff);
    for (let at = bytes.byteLength - 22; at >= lowest; at--) {
      if (this.reader.seek(at).u32() !== endSignature) continue;
      const count = this.reader.skip(6).u16();
      const start = this.reader.skip(4).u32();
      if (count !== 0xffff && start !== 0xffffffff) return { start, count };
      if (at < 20 || this.reader.seek(at - 20).u32() !== locatorSignature) return { start, count };
      const end64 = this.reader.skip(4).u64();
      if (this.reader.seek(end64).u32() !== end64Signature) throw new Malformed('the end record is broken');
      return { count: this.reader.skip(28).u64(), start: this.reader.skip(8).u64() };
    }
    throw new Malformed('the directory at its end is missing (truncated?)');
  }

  private readEntry(): Member {
    if (this.reader.u32() !== entrySignature) throw new Malformed('an entry of the directory is broken');
    const flags = this.reader.skip(4).u16();
    const method = this.reader.u16();
    let compressed = this.reader.skip(8).u32();
    let size = this.reader.u32();
    const [nameLength, extraLength, commentLength] = [this.reader.u16(), this.reader.u16(), this.reader.u16()];
    let header = this.reader.skip(8).u32();
    const name = utf8(this.reader.take(nameLength));
    const extra = new ByteReader(this.reader.take(extraLength));
    this.reader.skip(commentLength);
    while (extra.left >= 4) {
      const id = extra.u16();
      const field = new ByteReader(extra.take(extra.u16()));
      if (id !== 1) continue; // zip64: what did not fit into 32 bits, in this order
      if (size === 0xffffffff) size = field.u64();
      if (compressed === 0xffffffff) compressed = field.u64();
      if (header === 0xffffffff) header = field.u64();
    }
    if (flags & 1) throw new Malformed(`${shown(name)} is encrypted`);
    if (this.members.has(name)) throw new Malformed(`${shown(name)} occurs twice`);
    const member = { method, compressed, size, header };
    this.members.set(name, member);
    return member;
  }

  private extract(name: string, { method, compressed, size, header }: Member): Uint8Array {
    if (this.reader.seek(header).u32() !== localSignature)
      throw new Malformed(`${shown(name)} is not where it should be`);
    this.reader.skip(22);
    const [nameLength, extraLength] = [this.reader.u16(), this.reader.u16()];
    const content = this.reader.skip(nameLength + extraLength).take(compressed);
    if (method === 0) {
      if (size !== compressed) throw new Malformed(`${shown(name)} has two sizes`);
      return content;
    }
    if (method !== 8)
      throw new Malformed(`${shown(name)} is compressed by method ${method}, stored or deflate expected`);
    let inflated: Uint8Array;
    try {
      inflated = inflateRawSync(content, { maxOutputLength: Math.max(1, size) });
    } catch {
      throw new Malformed(`${shown(name)} does not inflate to its ${size} bytes`);
    }
    if (inflated.byteLength !== size) throw new Malformed(`${shown(name)} does not inflate to its ${size} bytes`);
    return inflated;
  }
}
