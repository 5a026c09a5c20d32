/**
 * @file A reader of Python pickles that cannot run anything: opcodes build plain values, and a name of Python is looked up
 * in a table that the caller gives; every other name is refused. Protocols 0 to 5 as far as weight files use them.
 */
import { ByteReader, latin1, Malformed, shown, utf8 } from './bytes.js';

/** What a pickle holds once read: plain data, or what the allowed names made of it. */
export type PickleValue = unknown;

/** A Python tuple; lists are plain arrays, dicts are Maps, bytes are Uint8Arrays, None is null. */
export class PickleTuple {
  constructor(readonly items: readonly PickleValue[]) {}
}

/** A name of Python that the table allows, until it is called. */
export interface AllowedName {
  /** What calling it with these arguments gives. Absent: it may be mentioned, not called. */
  call?: (args: readonly PickleValue[]) => PickleValue;
  /** What it stands for as a value. */
  value?: PickleValue;
}

/** An object whose class is known by name only: its attributes, and nothing that could act. */
export class InertObject {
  readonly attributes = new Map<PickleValue, PickleValue>();
  constructor(readonly className: string) {}
}

export interface PickleRules {
  /** `module.name` -> what is allowed, or undefined. */
  find(name: string): AllowedName | undefined;
  /** What a persistent id stands for. */
  persistent(id: PickleValue): PickleValue;
  /** Applies the state of `BUILD` to an object the rules made. */
  build?(object: PickleValue, state: PickleValue): void;
}

class Global {
  constructor(
    readonly name: string,
    readonly allowed: AllowedName,
  ) {}
}

const mark = Symbol('mark');

/** A checkpoint of a ResNet-152 has 40,000 instructions. */
const mostInstructions = 2_000_000;

/** Reads one pickle at the cursor and leaves the cursor behind it. */
export function readPickle(reader: ByteReader, rules: PickleRules): PickleValue {
  return new Machine(reader, rules).run();
}

class Machine {
  private stack: PickleValue[] = [];
  private readonly memo = new Map<number, PickleValue>();
  /** What may still be made by calls, whose arguments can be the same large value each time; bytes and entries. */
  private callsLeft: number;

  constructor(
    private readonly reader: ByteReader,
    private readonly rules: PickleRules,
  ) {
    this.callsLeft = 2 ** 20 + 4 * reader.bytes.byteLength;
  }

  run(): PickleValue {
    for (let left = mostInstructions; ; left--) {
      if (left === 0) throw new Malformed(`the pickle has more than ${mostInstructions} instructions`);
      const opcode = String.fromCharCode(this.reader.u8());
      if (opcode === '.') return this.valueOf(this.pop());
      this.step(opcode);
    }
  }

  private step(opcode: string): void {
    const { reader } = this;
    switch (opcode) {
      case '\x80': // PROTO
        if (reader.u8() > 5) throw new Malformed('the pickle has a protocol above 5');
        return;
      case '\x95': // FRAME
        reader.u64();
        return;
      case '(':
        return this.push(mark);
      case 'N':
        return this.push(null);
      case '\x88':
        return this.push(true);
      case '\x89':
        return this.push(false);
      case 'J':
        return this.push(reader.i32());
      case 'K':
        return this.push(reader.u8());
      case 'M':
        return this.push(reader.u16());
      case '\x8a': // LONG1
        return this.push(integer(reader.take(reader.u8())));
      case 'I': {
        const text = this.line();
        return this.push(text === '01' ? true : text === '00' ? false : decimal(text));
      }
      case 'L':
        return this.push(decimal(this.line().replace(/L$/, '')));
      case 'F':
        return this.push(decimal(this.line()));
      case 'G': // BINFLOAT, big-endian
        return this.push(new ByteReader(reader.take(8), false).f64());
      case 'X':
        return this.push(utf8(reader.take(reader.u32())));
      case '\x8c':
        return this.push(utf8(reader.take(reader.u8())));
      case '\x8d':
        return this.push(utf8(reader.take(reader.u64())));
      case 'V':
        return this.push(this.line());
      case 'S': // STRING: a str of Python 2 as a literal
        return this.push(unquoted(this.line(2 ** 20)));
      case 'T': // BINSTRING: a str of Python 2, text or raw bytes
        return this.push(latin1(reader.take(reader.u32())));
      case 'U':
        return this.push(latin1(reader.take(reader.u8())));
      case 'B':
        return this.push(reader.take(reader.u32()));
      case 'C':
        return this.push(reader.take(reader.u8()));
      case '\x8e':
      case '\x96': // BINBYTES8, BYTEARRAY8
        return this.push(reader.take(reader.u64()));
      case ']':
        return this.push([]);
      case '}':
        return this.push(new Map());
      case ')':
        return this.push(new PickleTuple([]));
      case 'l':
        return this.push(this.toMark().map((value) => this.valueOf(value)));
      case 't':
        return this.push(new PickleTuple(this.toMark().map((value) => this.valueOf(value))));
      case 'd':
        return this.push(this.fill(new Map(), this.toMark()));
      case '\x85':
      case '\x86':
      case '\x87':
        return this.push(
          new PickleTuple(this.popMany(opcode.charCodeAt(0) - 0x84).map((value) => this.valueOf(value))),
        );
      case 'a':
        return this.append([this.pop()]);
      case 'e':
        return this.append(this.toMark());
      case 's': {
        const pair = this.popMany(2);
        this.fill(this.top(), pair);
        return;
      }
      case 'u': {
        const pairs = this.toMark();
        this.fill(this.top(), pairs);
        return;
      }
      case '0':
        this.pop();
        return;
      case '1':
        this.toMark();
        return;
      case '2':
        return this.push(this.top());
      case 'q':
        return this.remember(reader.u8());
      case 'r':
        return this.remember(reader.u32());
      case 'p':
        return this.remember(Number(this.line()));
      case '\x94':
        return this.remember(this.memo.size);
      case 'h':
        return this.recall(reader.u8());
      case 'j':
        return this.recall(reader.u32());
      case 'g':
        return this.recall(Number(this.line()));
      case 'c':
        return this.push(this.find(`${this.line()}.${this.line()}`));
      case '\x93': {
        const [module, name] = this.popMany(2);
        return this.push(this.find(`${pickleText(module)}.${pickleText(name)}`));
      }
      case 'R':
      case '\x81': {
        // REDUCE, and NEWOBJ: a class called for an object
        const [callable, args] = this.popMany(2);
        return this.push(this.call(callable, args));
      }
      case 'b': {
        const state = this.valueOf(this.pop());
        return this.build(this.top(), state);
      }
      case 'Q':
        return this.push(this.rules.persistent(this.valueOf(this.pop())));
      default:
        throw new Malformed(`the pickle has the unknown or refused instruction 0x${opcode.charCodeAt(0).toString(16)}`);
    }
  }

  private push(value: PickleValue): void {
    this.stack.push(value);
  }

  private pop(): PickleValue {
    if (this.stack.length === 0 || this.stack.at(-1) === mark)
      throw new Malformed('the pickle takes what it never made');
    return this.stack.pop();
  }

  private popMany(count: number): PickleValue[] {
    return Array.from({ length: count }, () => this.pop()).toReversed();
  }

  private top(): PickleValue {
    const value = this.pop();
    this.push(value);
    return value;
  }

  private toMark(): PickleValue[] {
    const at = this.stack.lastIndexOf(mark);
    if (at < 0) throw new Malformed('the pickle takes what it never made');
    return this.stack.splice(at).slice(1);
  }

  private append(values: readonly PickleValue[]): void {
    const list = this.top();
    if (!Array.isArray(list)) throw new Malformed('the pickle appends to what is no list');
    for (const value of values) list.push(this.valueOf(value));
  }

  private fill(target: PickleValue, pairs: readonly PickleValue[]): PickleValue {
    if (!(target instanceof Map) || pairs.length % 2 !== 0) throw new Malformed('the pickle fills what is no dict');
    for (let i = 0; i < pairs.length; i += 2) target.set(pairs[i], this.valueOf(pairs[i + 1]));
    return target;
  }

  private remember(index: number): void {
    if (!Number.isSafeInteger(index)) throw new Malformed('the pickle has a broken memo');
    this.memo.set(index, this.top());
  }

  private recall(index: number): void {
    if (!this.memo.has(index)) throw new Malformed('the pickle recalls what it never made');
    this.push(this.memo.get(index));
  }

  /** The rest of a line of the text opcodes. */
  private line(longest = 4096): string {
    const { bytes, at } = this.reader;
    const end = bytes.indexOf(10, at);
    if (end < 0 || end - at > longest) throw new Malformed('the pickle has an unfinished line');
    const text = latin1(this.reader.take(end - at));
    this.reader.skip(1);
    return text;
  }

  private find(name: string): Global {
    const allowed = this.rules.find(name);
    if (allowed === undefined) throw new Malformed(refusal(name));
    return new Global(name, allowed);
  }

  private call(callable: PickleValue, args: PickleValue): PickleValue {
    if (!(callable instanceof Global)) throw new Malformed('the pickle calls what is no function');
    if (callable.allowed.call === undefined) throw new Malformed(refusal(callable.name));
    if (!(args instanceof PickleTuple)) throw new Malformed(`${shown(callable.name)} is called without arguments`);
    const made = callable.allowed.call(args.items.map((item) => this.valueOf(item)));
    this.callsLeft -= made instanceof Uint8Array ? made.byteLength : made instanceof Map ? made.size : 0;
    if (this.callsLeft < 0) throw new Malformed('the pickle makes far more than it holds');
    return made;
  }

  private build(object: PickleValue, state: PickleValue): void {
    if (object instanceof Map) return; // attributes of an OrderedDict: torch's _metadata
    if (object instanceof InertObject) {
      const parts = state instanceof PickleTuple ? state.items : [state];
      for (const part of parts) {
        if (part instanceof Map) {
          this.callsLeft -= part.size;
          if (this.callsLeft < 0) throw new Malformed('the pickle makes far more than it holds');
          for (const [key, value] of part) object.attributes.set(key, value);
        } else if (part !== null) throw new Malformed(`the state of ${shown(object.className)} is no dict`);
      }
      return;
    }
    if (this.rules.build === undefined) throw new Malformed('the pickle sets a state where there is none');
    this.rules.build(object, state);
  }

  /** What a value is once it is stored: an allowed name becomes what it stands for. */
  private valueOf(value: PickleValue): PickleValue {
    return value instanceof Global ? (value.allowed.value ?? value.name) : value;
  }
}

/** A key or a name as text; what is no plain value has none, since it may contain itself. */
export function pickleText(value: PickleValue): string {
  if (typeof value === 'object' && value !== null) throw new Malformed('a name in the pickle is no text');
  return String(value);
}

function refusal(name: string): string {
  return `it asks to call ${shown(name)}, and nothing but tensors, arrays and plain values is read (no code is run); save the state_dict alone`;
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '\\': '\\', "'": "'", '"': '"' };

/** What Python's repr of a str stands for, as characters 0-255. */
function unquoted(literal: string): string {
  const inner = /^(['"])(.*)\1$/s.exec(literal)?.[2];
  if (inner === undefined) throw new Malformed(`${shown(literal)} is no quoted text`);
  return inner.replace(/\\(?:x([0-9a-f]{2})|(.))/gs, (whole, hex: string | undefined, letter: string | undefined) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    return escapes[letter ?? ''] ?? whole;
  });
}

/** Little-endian two's complement: a number, or a bigint beyond 2^53. */
function integer(bytes: Uint8Array): number | bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]);
  if (bytes.length > 0 && bytes.at(-1)! & 0x80) value -= 1n << BigInt(8 * bytes.length);
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

function decimal(text: string): number {
  const value = Number(text);
  if (text === '' || (Number.isNaN(value) && text !== 'nan')) throw new Malformed(`${shown(text)} is no number`);
  return value;
}
