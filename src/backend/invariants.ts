/**
 * @file Work that does not change from run to run: a weight brought into the order that convolutions want, a kernel
 * rotated for the input gradient, batch-norm statistics folded into a weight. An op whose inputs are all buffers that
 * earlier runs have read (or results of such ops) is invariant; when the same op on the same buffers has been recorded
 * in two runs, its result is computed once, by itself, and kept for as long as those buffers live.
 */
import { orderOps, type Substitute } from './plan.js';
import { exampleOp, isConstant, type Memory, type Op, release, retain, type Value } from './value.js';

interface Entry {
  readonly id: number;
  readonly key: string;
  /** It depends on no buffer: it never goes, and is too cheap to keep. */
  readonly constant: boolean;
  /** Runs in which something outside the invariant part needed it. */
  uses: number;
  /** The kept result, by output index. */
  readonly results: Map<number, Value>;
  readonly dependents: Set<Entry>;
  /** Where it is listed itself: with its sources and with its buffers, most of which live longer than it. */
  readonly listedIn: Set<Entry>[];
}

/** An invariant result that is due to be computed and kept: compute `value`, then call `keep` with the known value. */
export interface Hoist {
  value: Value;
  keep: (known: Value) => void;
}

/** What is found in one run's ops. */
interface Inspection {
  substitutes: Map<Op, Map<number, Value>>;
  hoists: Hoist[];
  /** The ops that give each result that is not kept yet: equal ones are recorded apart. */
  readers: Map<string, Op[]>;
  /** False if a later run of the same may keep more. */
  settled: boolean;
}

export class InvariantCache {
  private readonly entries = new Map<string, Entry>();
  private readonly byMemory = new Map<number, Set<Entry>>();
  private nextEntry = 0;
  /** Bytes of kept results. */
  bytes = 0;

  /**
   * @param limitBytes bound on the kept results; beyond it nothing more is kept.
   * @param onFree hears of freed buffers of kept results.
   */
  constructor(
    private readonly limitBytes: number,
    private readonly onFree: (memory: Memory) => void = () => undefined,
  ) {}

  /**
   * Looks at one run's ops. Returns the kept results that stand in for pending values, and the results that are worth
   * keeping from now on. `given`: known values that are read in place of pending ones.
   */
  inspect(outputs: readonly Value[], given: Substitute = () => undefined): Omit<Inspection, 'readers'> {
    const inspection: Inspection = { substitutes: new Map(), hoists: [], readers: new Map(), settled: true };
    const invariant = new Map<Op, Entry>();
    const wanted = new Set(outputs);
    for (const op of orderOps(outputs, (value) => given(value) !== undefined)) {
      const entry = this.entryOf(op, { invariant, given, inspection });
      if (entry !== undefined) {
        invariant.set(op, entry);
        continue;
      }
      for (const input of op.inputs) {
        if (isConstant(input) || input.op === undefined || wanted.has(input)) continue;
        const source = invariant.get(input.op);
        if (source !== undefined) this.use(source, input, inspection);
      }
    }
    return inspection;
  }

  private use(entry: Entry, value: Value, inspection: Inspection): void {
    const { substitutes, hoists, readers } = inspection;
    const op = value.op as Op;
    if (substitutes.get(op)?.has(value.output)) return;
    const substitute = (at: Op, known: Value) => {
      const results = substitutes.get(at) ?? new Map<number, Value>();
      substitutes.set(at, results.set(value.output, known));
    };
    const kept = entry.results.get(value.output);
    if (kept !== undefined) {
      substitute(op, kept);
      return;
    }
    if (entry.constant) return;
    const result = `${entry.id}_${value.output}`;
    const others = readers.get(result);
    if (others !== undefined) {
      others.push(op);
      return;
    }
    const ops = [op];
    readers.set(result, ops);
    entry.uses++;
    const bytes = value.size * 4;
    if (entry.uses < 2) inspection.settled = false;
    if (entry.uses < 2 || this.bytes + bytes > this.limitBytes) return;
    const keep = (known: Value) => {
      retain(known);
      entry.results.set(known.output, known);
      this.bytes += bytes;
      for (const each of ops) substitute(each, known);
    };
    hoists.push({ value, keep });
  }

  /** The entry of an invariant op, or undefined. */
  private entryOf(
    op: Op,
    { invariant, given, inspection }: { invariant: ReadonlyMap<Op, Entry>; given: Substitute; inspection: Inspection },
  ): Entry | undefined {
    if (op.type === exampleOp) return undefined;
    const sources: Entry[] = [];
    const memories: Memory[] = [];
    let key = op.signature;
    for (const input of op.inputs) {
      if (isConstant(input)) continue;
      const memory = input.memory ?? given(input)?.memory;
      if (memory !== undefined) {
        if (memory.runs === 0) {
          inspection.settled = false;
          return undefined;
        }
        memories.push(memory);
        key += `;m${memory.id}[${input.physical.join()}]`;
      } else {
        const source = invariant.get(input.op as Op);
        if (source === undefined) return undefined;
        sources.push(source);
        key += `;e${source.id}_${input.output}`;
      }
    }
    let entry = this.entries.get(key);
    if (entry === undefined) {
      const constant = memories.length === 0 && sources.every((source) => source.constant);
      entry = { id: this.nextEntry++, key, constant, uses: 0, results: new Map(), dependents: new Set(), listedIn: [] };
      this.entries.set(key, entry);
      for (const source of sources) if (!source.constant) entry.listedIn.push(source.dependents);
      for (const { id } of memories) {
        const listed = this.byMemory.get(id) ?? new Set();
        this.byMemory.set(id, listed);
        entry.listedIn.push(listed);
      }
      for (const listed of entry.listedIn) listed.add(entry);
    }
    return entry;
  }

  /** A buffer is gone: so is everything computed from it. */
  readonly forget = (memory: Memory): void => {
    const listed = this.byMemory.get(memory.id);
    if (listed === undefined) return;
    this.byMemory.delete(memory.id);
    const stack = [...listed];
    for (let entry = stack.pop(); entry !== undefined; entry = stack.pop()) {
      if (!this.entries.delete(entry.key)) continue;
      for (const dependent of entry.dependents) stack.push(dependent);
      for (const others of entry.listedIn) others.delete(entry);
      for (const value of entry.results.values()) {
        this.bytes -= value.size * 4;
        release(value, (freed) => {
          this.forget(freed);
          this.onFree(freed);
        });
      }
      entry.results.clear();
    }
  };
}
