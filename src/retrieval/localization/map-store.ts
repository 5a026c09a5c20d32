/**
 * @file A file of compact activation maps, one per image:
 *   8 bytes "RMACMAPS", then little-endian uint32: version (1), length of the header
 *   header  JSON {"settings": {name: text}, "channels", "maps": [{"id", "height", "width", "scale", "bytes"}]}
 *   codes   of each map in that order, without gaps (compact-map.ts)
 * `settings` say what made the maps (the model's checksum, the image size), so that a file of another model is not taken for this one's.
 */
import { z } from 'zod';
import { InputError } from '../../errors.js';
import { type CompactMap, forEachLevel, mostActivations } from './compact-map.js';

const magic = new TextEncoder().encode('RMACMAPS');
const version = 1;
const prefixBytes = magic.length + 8;
/** An entry of the header has about 100 bytes: a million images. */
const longestHeader = 1 << 27;

export interface MapStore {
  settings: Readonly<Record<string, string>>;
  /** By image id; all of the same number of channels. */
  maps: ReadonlyMap<string, CompactMap>;
}

const side = z.int().min(1).max(65535);
const headerSchema = z.object({
  settings: z.record(z.string(), z.string()),
  channels: z.int().min(1).max(65535),
  maps: z.array(
    z.object({ id: z.string().min(1), height: side, width: side, scale: z.number().positive(), bytes: z.int().min(1) }),
  ),
});

/** The bytes of a store, in parts. */
export function encodeMapStore({ settings, maps }: MapStore): Uint8Array[] {
  const entries = [...maps];
  const channels = entries[0]?.[1].channels ?? 1;
  const odd = entries.find(([, map]) => map.channels !== channels);
  if (odd !== undefined) {
    throw new Error(`encodeMapStore: "${odd[0]}" has ${odd[1].channels} channels, the others ${channels}.`);
  }
  const header = new TextEncoder().encode(
    JSON.stringify({
      settings,
      channels,
      maps: entries.map(([id, { height, width, scale, codes }]) => ({ id, height, width, scale, bytes: codes.length })),
    }),
  );
  const prefix = new Uint8Array(prefixBytes);
  prefix.set(magic);
  const view = new DataView(prefix.buffer);
  view.setUint32(magic.length, version, true);
  view.setUint32(magic.length + 4, header.length, true);
  return [prefix, header, ...entries.map(([, { codes }]) => codes)];
}

/**
 * Reads the bytes of a store; the maps' codes are views of `bytes`, and all of them have been read once.
 * @throws InputError naming `source` for anything that `encodeMapStore` does not write.
 */
export function parseMapStore(bytes: Uint8Array, source: string): MapStore {
  const fail = (problem: string): never => {
    throw new InputError(`${source}: ${problem}; expected activation maps as rmac writes them, make the file again.`);
  };
  if (bytes.length < prefixBytes || magic.some((byte, i) => bytes[i] !== byte)) return fail('no activation maps');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = view.getUint32(magic.length, true);
  if (found !== version) return fail(`version ${found} is unknown`);
  const headerLength = view.getUint32(magic.length + 4, true);
  if (headerLength > longestHeader || prefixBytes + headerLength > bytes.length) {
    return fail(`a header of ${headerLength} bytes does not fit`);
  }
  const header = parseHeader(bytes.subarray(prefixBytes, prefixBytes + headerLength));
  if (header === undefined) return fail('unreadable header');
  const { settings, channels } = header;
  const maps = new Map<string, CompactMap>();
  let start = prefixBytes + headerLength;
  for (const { id, height, width, scale, bytes: length } of header.maps) {
    if (maps.has(id)) return fail(`the id "${id}" occurs twice`);
    if (height * width * channels > mostActivations) return fail(`the map of "${id}" is too large`);
    if (start + length > bytes.length) return fail('the file ends too early');
    const map = { height, width, channels, scale, codes: bytes.subarray(start, start + length) };
    try {
      forEachLevel(map, () => {});
    } catch (error) {
      if (error instanceof InputError) return fail(`"${id}": ${error.message.replace(/\.$/, '')}`);
      throw error;
    }
    maps.set(id, map);
    start += length;
  }
  if (start !== bytes.length) return fail(`${bytes.length - start} bytes too many`);
  return { settings, maps };
}

function parseHeader(bytes: Uint8Array): z.output<typeof headerSchema> | undefined {
  try {
    return headerSchema.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
  } catch {
    return undefined;
  }
}
