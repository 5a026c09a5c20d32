/**
 * @file The tfjs backend: kernels record, reads run. A read runs, in one native call, what is read together with every
 * live tensor that would otherwise repeat part of the same work (accumulated gradients, updated variables); live tensors
 * that share nothing with it stay pending.
 */
import * as tf from '@tensorflow/tfjs-core';
import { InvariantCache } from './invariants.js';
import { isHostType, javaScriptBackend } from './javascript-backend.js';
import { Lanes } from './lanes.js';
import { planProgram, type Program, type Substitute } from './plan.js';
import { known, plain, reshape, sameShape } from './record.js';
import { ResidentBuffers } from './resident.js';
import { type CompilableGraph, SessionCache, type SessionLimits } from './sessions.js';
import type { OrtTensor, Session, SessionSettings } from './ort.js';
import { withSharedWork } from './shared-work.js';
import { detach, type HostData, Memory, release, retain, Value } from './value.js';

/**
 * Which convolutions are computed by Winograd's algorithm: `faster`: where it is expected to be; `possible`: wherever it can be. Of
 * those recorded for graphs of every size, a function says it in turn; it hears whether the algorithm is expected to be faster there.
 */
export type WinogradUse = 'never' | 'faster' | 'possible' | ((faster: boolean) => boolean);

const noNumbers = 'The onnx backend cannot compute with strings or complex numbers.';

/** What a tfjs data id stands for. */
interface Entry {
  value: Value | undefined;
  /** Strings and complex numbers never enter the graph: they lie in tfjs's JavaScript backend. */
  hosted: tf.TensorInfo | undefined;
  refCount: number;
}

export interface BackendOptions extends SessionSettings, SessionLimits {
  /** Bytes of run-invariant results (reordered and folded weights) kept at most. */
  maxInvariantBytes: number;
  /** Bytes of weights kept on an accelerated device at most. */
  maxResidentBytes: number;
}

// A loop that never reads must stay bounded: beyond these the graph is run.
/** Live tensors that are not computed yet. */
const maxPendingValues = 20_000;
/** Longest chain of ops. */
const maxDepth = 5_000;
/** Bytes of disposed tensors that pending ops still need. */
const maxOrphanBytes = 512 * 2 ** 20;
/**
 * Tensors recorded since the last run from which on the end of an outermost `tidy` is a place to run: a training loop that
 * reads no loss then runs the same graph again and again, step by step, and not one endless graph.
 */
const stepTensors = 500;

export class OnnxBackend extends tf.KernelBackend {
  readonly sessions: SessionCache;
  readonly invariants: InvariantCache;
  readonly residents: ResidentBuffers;
  readonly lanes: Lanes;
  /** Native runs so far, the milliseconds spent in them, and kernels handed to the JavaScript backend. */
  readonly stats = { runs: 0, runMs: 0, forwarded: 0 };
  /** False where ONNX Runtime's CPU provider computes, the only one with all operators. */
  readonly accelerated: boolean;
  /** Which convolutions are recorded as Winograd's. */
  winograd: WinogradUse;
  private readonly data: tf.DataStorage<Entry>;
  /** Live values that are not computed yet, oldest first. */
  private readonly pending = new Set<Value>();
  private orphanBytes = 0;
  private heldSinceRun = 0;
  private outermostScope: unknown;
  /** Set while a function is recorded that stands for many examples: nothing of it can be run by itself. */
  private recordingOnly = false;

  constructor(options: BackendOptions) {
    super();
    this.data = new tf.DataStorage<Entry>(this, tf.engine());
    this.accelerated = options.providers[0] !== 'cpu';
    this.winograd = this.accelerated ? 'never' : 'faster';
    this.lanes = new Lanes(options);
    this.sessions = new SessionCache(options, options, this.lanes.close);
    this.residents = new ResidentBuffers(options, options.maxResidentBytes);
    this.invariants = new InvariantCache(options.maxInvariantBytes, this.forgotten);
  }

  // ---- data ids

  override numDataIds(): number {
    return this.data.numDataIds();
  }

  override refCount(dataId: tf.DataId): number {
    return this.data.has(dataId) ? this.data.get(dataId).refCount : 0;
  }

  override incRef(dataId: tf.DataId): void {
    this.data.get(dataId).refCount++;
  }

  override write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): tf.DataId {
    const dataId = {};
    this.move(dataId, values, shape, dtype, 1);
    return dataId;
  }

  override move(
    dataId: tf.DataId,
    values: tf.BackendValues,
    shape: number[],
    dtype: tf.DataType,
    refCount: number,
  ): void {
    if (isHostType(dtype)) {
      const hosted = javaScriptBackend().makeTensorInfo(shape, dtype, values);
      this.data.set(dataId, { value: undefined, hosted, refCount });
      return;
    }
    // A copy: the caller may change its array before the graph runs.
    const source = (values ?? new Float32Array(tf.util.sizeFromShape(shape))) as ArrayLike<number>;
    this.hold(dataId, known(source, shape, dtype), refCount);
  }

  private hold(dataId: tf.DataId, value: Value, refCount: number): void {
    retain(value);
    value.live++;
    if (value.memory === undefined && !this.recordingOnly) {
      this.runFinishedStep();
      this.pending.add(value);
      this.heldSinceRun++;
    }
    this.data.set(dataId, { value, hosted: undefined, refCount });
    if (this.recordingOnly) return;
    const unbounded =
      this.pending.size > maxPendingValues ||
      this.orphanBytes > maxOrphanBytes ||
      (value.op !== undefined && value.op.depth > maxDepth);
    if (unbounded && this.pending.size > 0) this.run([...this.pending]);
  }

  /** Runs what is pending when a new outermost `tidy` records its first op, if enough has been recorded for a step. */
  private runFinishedStep(): void {
    const { scopeStack, activeTape } = tf.engine().state;
    const [outermost] = scopeStack;
    if (outermost === this.outermostScope) return;
    this.outermostScope = outermost;
    // Between a forward pass and its gradients nothing is finished.
    if ((activeTape?.length ?? 0) > 0) return;
    if (this.heldSinceRun >= stepTensors && this.pending.size > 0) this.run([...this.pending]);
  }

  private readonly freed = (memory: Memory): void => {
    if (memory.orphaned) this.orphanBytes -= memory.data.byteLength;
    this.invariants.forget(memory);
    this.forgotten(memory);
  };

  private readonly forgotten = (memory: Memory): void => {
    this.residents.forget(memory);
    this.lanes.forget(memory);
  };

  override disposeData(dataId: tf.DataId, force = false): boolean {
    if (!this.data.has(dataId)) return true;
    const entry = this.data.get(dataId);
    entry.refCount--;
    if (!force && entry.refCount > 0) return false;
    this.data.delete(dataId);
    if (entry.hosted !== undefined) javaScriptBackend().disposeIntermediateTensorInfo(entry.hosted);
    if (entry.value !== undefined) {
      const { value } = entry;
      if (--value.live === 0) this.pending.delete(value);
      const { memory } = value;
      release(value, this.freed);
      if (memory !== undefined && value.live === 0 && memory.refs > 0 && !memory.orphaned) {
        memory.orphaned = true;
        this.orphanBytes += memory.data.byteLength;
      }
    }
    return true;
  }

  /** The recorded value of a tensor, under the shape that the caller gives it. */
  recorded({ dataId, shape }: tf.TensorInfo): Value {
    const { value } = this.data.get(dataId);
    if (value === undefined) throw new Error(noNumbers);
    return sameShape(value.shape, shape) ? value : reshape(value, shape);
  }

  /** Gives a recorded value a data id. */
  tensorOf(value: Value): tf.TensorInfo {
    const dataId = {};
    this.hold(dataId, value, 1);
    return { dataId, shape: [...value.shape], dtype: value.type as tf.DataType };
  }

  /** `tensorOf` as tfjs's functions have it: the open tidy knows it. */
  newTensor(value: Value): tf.Tensor {
    return tf.engine().makeTensorFromTensorInfo(this.tensorOf(value));
  }

  /** The tensor in the JavaScript backend that holds a tensor of strings or complex numbers; undefined for others. */
  hosted({ dataId, shape }: tf.TensorInfo): tf.TensorInfo | undefined {
    const { hosted } = this.data.get(dataId);
    return hosted === undefined ? undefined : { ...hosted, shape };
  }

  /** Gives a tensor of the JavaScript backend a data id here; it is disposed of with that. */
  hostedTensor(hosted: tf.TensorInfo): tf.TensorInfo {
    const dataId = {};
    this.data.set(dataId, { value: undefined, hosted, refCount: 1 });
    return { dataId, shape: hosted.shape, dtype: hosted.dtype };
  }

  // ---- reading

  override readSync(dataId: tf.DataId): tf.BackendValues {
    const { value, hosted } = this.data.get(dataId);
    if (value === undefined) return javaScriptBackend().readSync((hosted as tf.TensorInfo).dataId);
    const ordered = plain(value);
    retain(ordered);
    return this.dataOf(ordered);
  }

  override async read(dataId: tf.DataId): Promise<tf.BackendValues> {
    const { value } = this.data.get(dataId);
    if (value === undefined) return this.readSync(dataId);
    const ordered = plain(value);
    retain(ordered); // the tensor may be disposed of while we wait
    // Let finished decodes and other callbacks in before the run blocks the event loop.
    await new Promise((resolve) => setImmediate(resolve));
    return this.dataOf(ordered);
  }

  /** The numbers of a held value, computed if need be; lets it go. */
  private dataOf(value: Value): HostData {
    if (value.memory === undefined) this.run([value]);
    const { data } = value.memory as Memory;
    release(value, this.freed);
    return data;
  }

  // ---- running

  /** Makes `targets` (held, pending) known. */
  private run(targets: readonly Value[]): void {
    if (this.recordingOnly) {
      throw new Error('A function that is recorded to be run later may not read numbers.');
    }
    this.heldSinceRun = 0;
    const temporary = this.temporaryValues();
    const outputs = withSharedWork(targets, this.pending, (value) => value.live > (temporary.get(value) ?? 0));
    const results = this.execute(outputs, this.invariantsOf(outputs).substitute);
    const freed: Value[] = [];
    outputs.forEach((value, i) => {
      value.memory = new Memory(results[i]);
      value.memory.refs = 1;
      this.pending.delete(value);
      detach(value, freed);
    });
    for (const value of freed) release(value, this.freed);
  }

  /**
   * What stands in for work on the way to `outputs`: what is `given`, and kept results of what does not change; what is due of
   * these is computed now. `settled`: the next run of the same finds the same.
   */
  invariantsOf(
    outputs: readonly Value[],
    given: Substitute = () => undefined,
  ): { substitute: Substitute; settled: boolean } {
    const { substitutes, hoists, settled } = this.invariants.inspect(outputs, given);
    if (hoists.length > 0) {
      const results = this.execute(
        hoists.map(({ value }) => value),
        given,
      );
      hoists.forEach(({ value, keep }, i) => {
        keep(new Value(value.shape, value.type, value.layout, undefined, value.output, new Memory(results[i])));
      });
    }
    const substitute: Substitute = (value) =>
      given(value) ?? (value.op && substitutes.get(value.op)?.get(value.output));
    return { substitute, settled };
  }

  /** True inside of `recordOnly`. */
  get recording(): boolean {
    return this.recordingOnly;
  }

  /** Records without running anything, however much it is, and what is recorded is run with nothing else. */
  recordOnly<T>(record: () => T): T {
    this.runPending();
    const before = this.recordingOnly;
    this.recordingOnly = true;
    try {
      return record();
    } finally {
      this.recordingOnly = before;
    }
  }

  /** The values of tensors, computed. */
  known(tensors: readonly tf.TensorInfo[]): Value[] {
    const values = tensors.map(({ dataId }) => this.data.get(dataId).value);
    if (!values.every((value) => value !== undefined)) throw new Error(noNumbers);
    const pending = values.filter(({ memory }) => memory === undefined);
    if (pending.length > 0) this.run(pending);
    return values;
  }

  /** Records with values in the place of those of `tensors`. */
  withStandIns<T>(tensors: readonly tf.TensorInfo[], standIns: readonly Value[], record: () => T): T {
    const entries = tensors.map(({ dataId }) => this.data.get(dataId));
    const values = entries.map(({ value }) => value);
    entries.forEach((entry, i) => {
      entry.value = standIns[i];
    });
    try {
      return record();
    } finally {
      entries.forEach((entry, i) => {
        entry.value = values[i];
      });
    }
  }

  /** Keeps recorded values that no tensor names, until they are let go. */
  keep(values: readonly Value[]): void {
    for (const value of values) retain(value);
  }

  letGo(values: readonly Value[]): void {
    for (const value of values) release(value, this.freed);
  }

  /** Records with another use of Winograd's algorithm than the backend's. */
  withWinograd<T>(use: WinogradUse, record: () => T): T {
    const before = this.winograd;
    this.winograd = use;
    try {
      return record();
    } finally {
      this.winograd = before;
    }
  }

  /** Computes values in one native run; they stay pending. */
  execute(values: readonly Value[], substitute: Substitute): HostData[] {
    return this.runProgram(planProgram(values, substitute));
  }

  /** The outputs of a program, in one native run. */
  runProgram(program: Program): HostData[] {
    const names = [...new Set(program.outputNames)].filter((name) => !name.startsWith('x'));
    const results = names.length === 0 ? {} : this.runNative(program, {}, names);
    return program.outputNames.map((name) =>
      name.startsWith('x')
        ? (program.leaves[Number(name.slice(1))].memory as Memory).data
        : (results[name]?.data as HostData),
    );
  }

  /** One native run of a planned graph: on its leaves and, by name, on what else it reads. */
  runNative(
    program: CompilableGraph & { leaves: readonly Value[] },
    others: Readonly<Record<string, OrtTensor>>,
    names: readonly string[],
  ): Record<string, OrtTensor> {
    const session = this.sessions.get(program);
    const startedAt = performance.now();
    const feeds = { ...others };
    program.leaves.forEach((leaf, i) => {
      feeds[`x${i}`] = this.residents.feed(leaf);
    });
    const results = runSession(session, feeds, names);
    this.stats.runs++;
    this.stats.runMs += performance.now() - startedAt;
    for (const { memory } of program.leaves) if (memory !== undefined) memory.runs++;
    return results;
  }

  /** For each value, how many of its data ids go when the open tidy scopes end. */
  private temporaryValues(): Map<Value, number> {
    const tensors = new Map<Entry, number>();
    for (const { track } of tf.engine().state.scopeStack) {
      for (const { kept, dataId } of track) {
        if (kept || !this.data.has(dataId)) continue;
        const entry = this.data.get(dataId);
        tensors.set(entry, (tensors.get(entry) ?? 0) + 1);
      }
    }
    const values = new Map<Value, number>();
    for (const [{ value, refCount }, count] of tensors) {
      if (value !== undefined && count >= refCount) values.set(value, (values.get(value) ?? 0) + 1);
    }
    return values;
  }

  // ---- the rest of the contract

  override floatPrecision(): 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: false };
  }

  override timerAvailable(): boolean {
    return true;
  }

  override async time(f: () => void): Promise<tf.BackendTimingInfo> {
    this.runPending(); // what was recorded before is not the function's
    const before = this.stats.runMs;
    f();
    this.runPending();
    return { kernelMs: this.stats.runMs - before };
  }

  private runPending(): void {
    if (this.pending.size > 0) this.run([...this.pending]);
  }

  override dispose(): void {
    this.residents.dispose();
    this.sessions.dispose();
    this.lanes.dispose();
  }
}

/** Runs; computed indices out of range (`kernels/indices.ts`) are named as what they are. */
function runSession(session: Session, feeds: Record<string, OrtTensor>, names: readonly string[]) {
  try {
    return session.run(feeds, names);
  } catch (error) {
    const { message } = error as Error;
    if (!/out of data bounds|invalid ind(ex|ice) found/.test(message)) throw error;
    const operator = /running (\w+) node/.exec(message)?.[1] ?? 'gathering or scattering';
    throw new Error(`${operator}: a computed index is negative or beyond the axis.`, { cause: error });
  }
}
