/** @file Archives for tests: tar by the library's packer or by hand, zip by hand, so that hostile ones can be made. */
import { gzipSync } from 'node:zlib';
import zlib from 'node:zlib';
import tar, { type Headers } from 'tar-stream';

export type TarEntry = Headers & { content?: string | Buffer };

/** A tar of these entries. */
export async function tarOf(entries: readonly TarEntry[]): Promise<Buffer> {
  const pack = tar.pack();
  for (const { content, ...header } of entries) {
    if (content === undefined) pack.entry(header);
    else pack.entry(header, content);
  }
  pack.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of pack) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export async function tgzOf(files: Readonly<Record<string, string | Buffer>>): Promise<Buffer> {
  return gzipSync(await tarOf(Object.entries(files).map(([name, content]) => ({ name, content }))));
}

export interface ZipMember {
  name: string;
  content: string | Buffer;
  /** Unix mode, of which the upper bits are the type. */
  mode?: number;
  flags?: number;
  /** Compressed instead of stored. */
  deflate?: boolean;
  /** Claimed instead of the real ones. */
  crc32?: number;
  size?: number;
}

/** A zip. */
export function zipOf(members: readonly ZipMember[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content, mode = 0o100644, flags = 0, crc32, size, deflate } of members) {
    const plain = Buffer.from(content);
    const data = deflate ? zlib.deflateRawSync(plain) : plain;
    const file = Buffer.from(name);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(20, 4);
    local.writeUInt16LE(flags, 6);
    local.writeUInt16LE(deflate ? 8 : 0, 8);
    local.writeUInt32LE(crc32 ?? zlib.crc32(plain), 14);
    local.writeUInt32LE(data.length, 18);
    local.writeUInt32LE(size ?? plain.length, 22);
    local.writeUInt16LE(file.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE((3 << 8) | 20, 4);
    local.copy(entry, 6, 4, 30);
    entry.writeUInt32LE((mode << 16) >>> 0, 38);
    entry.writeUInt32LE(offset, 42);
    parts.push(local, file, data);
    directory.push(entry, file);
    offset += local.length + file.length + data.length;
  }
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(list.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, list, end]);
}
