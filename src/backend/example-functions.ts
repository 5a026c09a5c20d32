/**
 * @file Functions of one example, recorded once and run natively for every example of a list, several at once on a thread each: their
 * results, and sums over the examples (gradients). Planning, folding weights and handing the sums in and out is done once for the
 * list; recording, which is a seventh of a step of a network of 120 layers, once for all lists.
 */
import * as tf from '@tensorflow/tfjs-core';
import { OnnxBackend } from './backend.js';
import type { LaneFeed } from './lanes.js';
import { bytesBetween, planProgram, type Program } from './plan.js';
import { emit, plain, sameShape, toLayout } from './record.js';
import { scanGraph } from './scan-graph.js';
import { exampleOp, type HostData, makeOp, Memory, type Op, Value, zeros } from './value.js';

/** Numbers of N examples of one shape: `values` has N times as many as `shape` says. */
export interface ExampleInput {
  values: Float32Array;
  /** Of one example. */
  shape: readonly number[];
}

/** What a function makes of an example; it hands its tensors over. */
export interface RecordedExample {
  /** Added up over the examples; float32. */
  sums?: Readonly<Record<string, tf.Tensor>>;
  /** Wanted of each example. */
  rows?: readonly tf.Tensor[];
}

/** What a function of one example came to over many. */
export interface OverExamples {
  /** The sums, by name; the caller owns them. */
  sums: Record<string, tf.Tensor>;
  /** For each of the rows, its numbers for all examples. */
  rows: Float32Array[];
}

/** Forms whose recordings are kept, the last ones: some 5 MB each of a network of 120 layers. */
const maxForms = 32;

/** A function as it was recorded for one form, with values that stand for what each run gives it. */
interface Recording {
  examples: readonly Value[];
  weights: readonly Value[];
  /** What the sums are added to, in a run of one example. */
  priors: readonly Value[];
  sums: ReadonlyMap<string, Value>;
  /** The sums added to `priors`. */
  added: readonly Value[];
  rows: readonly Value[];
  /** The known values in the place of `weights`, by their ops. */
  weightsGiven: Given;
  /** In a run of one example, those in the place of `examples` and `priors`. */
  numbersGiven: Given;
  /** Programs of weights that were never read, which take any weights. */
  firstPrograms: Map<RunForm, Program>;
  /** Programs with what is kept of the weights as they are. */
  programs: Map<RunForm, Program>;
  /** Runs with the weights as they are. */
  runs: number;
  /** Of all tensors that it computes of an example, which are never there at once. */
  bytes: number;
}

type Given = ReadonlyMap<Op | undefined, Value>;

/** A loop over examples, or one without it, whose gradients may be added to what was there. */
type RunForm = 'many' | 'one' | 'one added';

/** What a recording is made of. */
interface Recorded {
  tensors: readonly tf.Tensor[];
  /** The values of `tensors`. */
  weights: readonly Value[];
  inputs: readonly ExampleInput[];
  record: (...example: tf.Tensor[]) => RecordedExample;
}

/**
 * Functions of one example, each recorded once: later runs read the weights of their time. The first two runs of new weights plan
 * nothing, the next ones look for what can be kept of them, and then nothing is planned until there are others.
 */
export class ExampleFunctions {
  private readonly recordings = new Map<string, Recording>();
  /** What the programs read. */
  private memories: readonly (Memory | undefined)[] = [];
  private backend: OnnxBackend | undefined;

  /** `weights`: all tensors that the functions read besides their examples and that may be others in a later run. */
  constructor(private readonly weights: () => Iterable<tf.Tensor> = () => []) {}

  /**
   * Runs `record` for `count` examples. It is called when `form` is new, with tensors that stand for one example, and may
   * not read numbers; equal forms are equal functions of inputs of equal shapes. `before`: what the sums are added to, by
   * name; nothing is taken as zeros. Up to rounding the sums are those of one call for each example, which is what other
   * backends than the engine on the CPU do.
   */
  async run(
    form: string,
    count: number,
    inputs: readonly ExampleInput[],
    record: (...example: tf.Tensor[]) => RecordedExample,
    before: ReadonlyMap<string, tf.Tensor> = new Map(),
  ): Promise<OverExamples> {
    const backend = tf.backend();
    if (!isNative(backend)) {
      return runDirectly(count, inputs, record, before);
    }
    // Let finished decodes and other callbacks in before the run blocks the event loop.
    await new Promise((resolve) => setImmediate(resolve));
    if (this.backend !== backend) this.dispose();
    this.backend = backend;
    const tensors = [...this.weights()];
    const weights = backend.known(tensors);
    this.followWeights(weights);
    const recording = this.recordingOf(form, { tensors, weights, inputs, record });
    // By the count alone, not by what ran before: a run that is resumed is to give the same numbers.
    const run = count > 1 ? runMany : runOne;
    const added = count > 1 || before.size > 0;
    const priors = added ? [...recording.sums].map(([name, sum]) => priorOf(backend, before.get(name), sum)) : [];
    const [sums, rows] = await run({ backend, recording, weights, inputs, count, priors, added });
    return {
      sums: Object.fromEntries(
        [...recording.sums].map(([name, { shape, type, layout }], j) => {
          const value = new Value(shape, type, layout, undefined, 0, new Memory(sums[j]));
          return [name, backend.newTensor(value)];
        }),
      ),
      rows: rows as Float32Array[],
    };
  }

  /** Whether many examples are run natively one by one, so that nothing is gained by an example of several images. */
  get runsNatively(): boolean {
    return isNative(tf.backend());
  }

  /** Drops the recordings. A later run records anew. */
  dispose(): void {
    for (const form of this.recordings.keys()) this.drop(form);
  }

  private followWeights(weights: readonly Value[]): void {
    const memories = weights.map(({ memory }) => memory);
    if (memories.length === this.memories.length && memories.every((memory, i) => memory === this.memories[i])) return;
    this.memories = memories;
    for (const recording of this.recordings.values()) {
      recording.programs.clear();
      recording.runs = 0;
      for (const value of recording.weightsGiven.values()) value.forget();
    }
  }

  private recordingOf(form: string, recorded: Recorded): Recording {
    const kept = this.recordings.get(form);
    if (kept !== undefined && sameOrder(kept.weights, recorded.weights)) {
      this.recordings.delete(form);
      this.recordings.set(form, kept);
      return kept;
    }
    this.drop(form);
    const recording = recordedOnce(this.backend!, recorded);
    this.recordings.set(form, recording);
    const [oldest] = this.recordings.keys();
    if (this.recordings.size > maxForms) this.drop(oldest);
    return recording;
  }

  private drop(form: string): void {
    const recording = this.recordings.get(form);
    this.recordings.delete(form);
    if (recording !== undefined) this.backend?.letGo(heldBy(recording));
  }
}

function isNative(backend: tf.KernelBackend): backend is OnnxBackend {
  return backend instanceof OnnxBackend && !backend.accelerated;
}

function heldBy({ sums, added, rows }: Recording): Value[] {
  return [...sums.values(), ...added, ...rows];
}

function recordedOnce(backend: OnnxBackend, { tensors, weights, inputs, record }: Recorded): Recording {
  let stand = 0;
  const standIn = ({ shape, type, layout }: Pick<Value, 'shape' | 'type' | 'layout'>) =>
    new Value(shape, type, layout, makeOp(exampleOp, [], { index: stand++ }), 0, undefined);
  const examples = inputs.map(({ shape }) => standIn({ shape, type: 'float32', layout: 'plain' }));
  const recording: Recording = {
    examples,
    weights: weights.map(standIn),
    priors: [],
    sums: new Map(),
    added: [],
    rows: [],
    weightsGiven: new Map(),
    numbersGiven: new Map(),
    firstPrograms: new Map(),
    programs: new Map(),
    runs: 0,
    bytes: 0,
  };
  let kept: readonly tf.Tensor[] = [];
  tf.tidy(() => {
    backend.recordOnly(() =>
      backend.withStandIns(tensors, recording.weights, () => {
        const { sums = {}, rows = [] } = record(...examples.map((value) => backend.newTensor(value)));
        recording.sums = new Map(Object.entries(sums).map(([name, tensor]) => [name, backend.recorded(tensor)]));
        recording.rows = rows.map((tensor) => plain(backend.recorded(tensor)));
        kept = rows;
      }),
    );
    const sums = [...recording.sums.values()];
    recording.priors = sums.map(standIn);
    recording.added = sums.map((sum, j) => emit('Add', [recording.priors[j], sum], sum));
    const given = (values: readonly Value[]): Given =>
      new Map(
        values.map(({ op, shape, type, layout }) => [op, new Value(shape, type, layout, undefined, 0, undefined)]),
      );
    recording.weightsGiven = given(recording.weights);
    recording.numbersGiven = given([...examples, ...recording.priors]);
    backend.keep(heldBy(recording)); // the tensors go
    recording.bytes = bytesBetween(examples, heldBy(recording));
  });
  tf.dispose([...kept]); // what is taken out of a tape is kept
  return recording;
}

interface Run {
  backend: OnnxBackend;
  recording: Recording;
  weights: readonly Value[];
  inputs: readonly ExampleInput[];
  count: number;
  priors: readonly Float32Array[];
  /** Whether the sums of one example are added to `priors`. */
  added: boolean;
}

/** The program of a recording for `outputs`. `numbers`: what it knows besides the weights. */
function programOf(
  { backend, recording, weights }: Run,
  form: RunForm,
  outputs: readonly Value[],
  numbers?: Given,
): Program {
  const { weightsGiven, firstPrograms, programs } = recording;
  const kept = programs.get(form);
  if (kept !== undefined) return kept;
  recording.weights.forEach(({ op }, i) => {
    weightsGiven.get(op)!.memory = weights[i].memory;
  });
  // Two runs are hardly worth looking for what could be kept.
  if (recording.runs++ < 2) {
    const known = firstPrograms.get(form);
    const first = known ?? planProgram(outputs, ({ op }) => weightsGiven.get(op) ?? numbers?.get(op));
    firstPrograms.set(form, first);
    return first;
  }
  const { substitute, settled } = backend.invariantsOf(outputs, ({ op }) => weightsGiven.get(op));
  const program = planProgram(outputs, (value) => numbers?.get(value.op) ?? substitute(value));
  if (settled) programs.set(form, program);
  return program;
}

/** The sums and the rows of one example: a graph without a loop. */
function runOne(run: Run): [HostData[], HostData[]] {
  const { backend, recording, inputs, priors, added } = run;
  const { examples, numbersGiven } = recording;
  const data = [...inputs.map(({ values }) => values), ...priors];
  [...examples, ...recording.priors].slice(0, data.length).forEach(({ op }, i) => {
    numbersGiven.get(op)!.memory = new Memory(data[i]);
  });
  const sums = added ? recording.added : [...recording.sums.values()];
  const program = programOf(run, added ? 'one added' : 'one', [...sums, ...recording.rows], numbersGiven);
  try {
    const results = backend.runProgram(program);
    return [results.slice(0, sums.length), results.slice(sums.length)];
  } finally {
    for (const value of numbersGiven.values()) value.forget();
  }
}

/** The sums and the rows of several examples, on as many lanes as there are. */
async function runMany(run: Run): Promise<[HostData[], HostData[]]> {
  const { backend, recording, inputs, count, priors } = run;
  const { examples, rows } = recording;
  const sums = [...recording.sums.values()];
  const program = programOf(run, 'many', [...sums, ...rows]);
  const lanes = backend.lanes.countFor(count, recording.bytes);
  const parts = Array.from({ length: lanes }, (_, lane) => {
    const [begin, end] = [lane, lane + 1].map((at) => Math.floor((at * count) / lanes));
    const feeds: Record<string, LaneFeed> = {};
    inputs.forEach(({ values, shape }, i) => {
      const size = tf.util.sizeFromShape([...shape]);
      const part = values.subarray(begin * size, end * size);
      feeds[`e${i}`] = { type: 'float32', dims: [end - begin, ...shape], data: lane === 0 ? part : part.slice() };
    });
    sums.forEach(({ physical: dims }, j) => {
      feeds[`p${j}`] = { type: 'float32', dims, ...(lane === 0 && { data: priors[j] }) };
    });
    return feeds;
  });
  const names = [...sums.map((_, j) => `s${j}`), ...rows.map((_, k) => `r${k}`)];
  const results = await backend.lanes.runAtOnce(
    {
      key: `examples ${sums.length}|${examples.map(({ shape }) => shape.join()).join(';')}|${program.key}`,
      leaves: program.leaves,
      graph: (portable) => scanGraph(program, { sums, rows, examples }, portable),
    },
    parts,
    names,
    (shared, feeds) => backend.runNative(shared, feeds, names),
  );
  return [
    sums.map((_, j) => summed(results.map((of) => of[j]))),
    rows.map((_, k) => joined(results.map((of) => of[sums.length + k]))),
  ];
}

/** The sum, in the place of the first. */
function summed([first, ...others]: readonly HostData[]): HostData {
  for (const other of others) {
    for (let i = 0; i < first.length; i++) first[i] += other[i];
  }
  return first;
}

function joined(parts: readonly HostData[]): Float32Array {
  const all = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** One call of `record` after the other. */
async function runDirectly(
  count: number,
  inputs: readonly ExampleInput[],
  record: (...example: tf.Tensor[]) => RecordedExample,
  before: ReadonlyMap<string, tf.Tensor>,
): Promise<OverExamples> {
  let sums: Record<string, tf.Tensor> = {};
  const found: Float32Array[][] = [];
  for (let i = 0; i < count; i++) {
    const { added, rows } = tf.tidy(() => {
      const example = inputs.map(({ values, shape }) => {
        const size = tf.util.sizeFromShape([...shape]);
        return tf.tensor(values.subarray(i * size, (i + 1) * size), [...shape]);
      });
      const result = record(...example);
      const parts = Object.entries(result.sums ?? {}).map(([name, part]) => {
        const prior = sums[name] ?? before.get(name);
        return [name, prior === undefined ? part.clone() : prior.add(part)] as const;
      });
      return { added: Object.fromEntries(parts), rows: [...(result.rows ?? [])] };
    });
    tf.dispose(sums);
    sums = added;
    // A copy: the backend may own the memory that it returns. What is read computes the sums, too.
    found.push(await Promise.all(rows.map(async (row) => Float32Array.from(await row.data()))));
    tf.dispose(rows);
  }
  const [first = []] = found;
  return {
    sums,
    rows: first.map((row, k) => {
      const all = new Float32Array(count * row.length);
      found.forEach((each, i) => all.set(each[k], i * row.length));
      return all;
    }),
  };
}

/** Whether values have the shapes of others, and lie in memory as they do. */
function sameOrder(a: readonly Value[], b: readonly Value[]): boolean {
  return (
    a.length === b.length && a.every(({ shape, layout }, i) => layout === b[i].layout && sameShape(shape, b[i].shape))
  );
}

/** The numbers of `tensor` in the order in memory that `sum` has; zeros without one. */
function priorOf(backend: OnnxBackend, tensor: tf.Tensor | undefined, sum: Value): Float32Array {
  if (tensor === undefined) return zeros(sum.size);
  const value = toLayout(backend.recorded(tensor), sum.layout);
  const data = value.memory?.data ?? backend.execute([value], () => undefined)[0];
  return data as Float32Array;
}
