/** @file Damage to a file, from one stream of random numbers: the same seed gives the same bytes. */
import type { RandomStream } from '../../src/train/random.js';

/** Damages bytes of any format. */
function damagedBytes(bytes: Buffer, random: RandomStream): Buffer {
  const at = random.below(bytes.length + 1);
  const length = Math.min(bytes.length - at, 1 + random.below(64));
  const piece = bytes.subarray(at, at + length);
  switch (random.below(6)) {
    case 0: // cut short
      return bytes.subarray(0, at);
    case 1: // something is missing
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 2: // something is there twice
      return Buffer.concat([bytes.subarray(0, at), piece, piece, bytes.subarray(at + length)]);
    case 3: // all ones: the largest length, NaN
      return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(length, 0xff), bytes.subarray(at + length)]);
    case 4: // zeros
      return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(length), bytes.subarray(at + length)]);
    default: {
      const flipped = Buffer.from(bytes);
      for (let i = 0; i <= random.below(8); i++) flipped[random.below(flipped.length)] ^= 1 << random.below(8);
      return flipped;
    }
  }
}

/** What stands in place of a value in JSON, YAML and lists. */
const oddValues = [
  'null',
  '[]',
  '{}',
  '{"toString":1,"valueOf":1}',
  '-1',
  '1e308',
  '99999999999999999999',
  '""',
  '"\\u001b[31m../../x"',
  '"../../../etc/passwd"',
  `${'['.repeat(20_000)}${']'.repeat(20_000)}`,
  '&a [*a]',
  '\u0000',
  '\uFEFF',
];

/** Replaces a value (a quoted text, a number, a word) of a text file, or damages its bytes. */
function damagedText(bytes: Buffer, random: RandomStream): Buffer {
  const text = bytes.toString('utf8');
  const values = [...text.matchAll(/"(?:[^"\\]|\\.)*"|-?\d[\d.e+-]*|\b\w+\b/g)];
  if (values.length === 0 || random.next() < 0.3) return damagedBytes(bytes, random);
  const { index, 0: value } = values[random.below(values.length)];
  const odd = oddValues[random.below(oddValues.length)];
  return Buffer.from(`${text.slice(0, index)}${odd}${text.slice(index + value.length)}`);
}

/** One to three kinds of damage, one over the other. `name` tells what the file is. */
export function damaged(bytes: Buffer, name: string, random: RandomStream): Buffer {
  const isText = /\.(json|jsonl|yaml|txt)$/.test(name);
  let result = bytes;
  for (let i = 0; i <= random.below(3); i++) {
    if (result.length > 0) result = isText ? damagedText(result, random) : damagedBytes(result, random);
  }
  return result;
}
