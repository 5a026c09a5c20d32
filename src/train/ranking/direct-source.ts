/** @file Images whose descriptor is always computed in the same way: those of one shape run in one native call where the engine can. */
import { ExampleRuns } from '../example-runs.js';
import type { TrunkInput } from '../image-inputs.js';
import { type DescriptorForms, replay, replayInBlocks } from '../replay.js';
import {
  type DescribedImage,
  type ImageSource,
  type InputLoader,
  readableInputs,
  type Sums,
  type UnreadableImage,
} from './image-source.js';

export class DirectSource<T> implements ImageSource<T> {
  private readonly runs: ExampleRuns<TrunkInput> | undefined;

  /** `recomputeActivations`: replay block by block, the same gradient in less memory for one more forward pass. */
  constructor(
    private readonly inputs: InputLoader<T> & DescriptorForms<TrunkInput>,
    private readonly recomputeActivations = false,
  ) {
    this.runs = inputs.examples && new ExampleRuns(inputs.examples);
  }

  async *describePool(items: readonly T[]): AsyncGenerator<DescribedImage<T> | UnreadableImage<T>> {
    for await (const loaded of this.inputs.load(items)) {
      if ('error' in loaded) {
        yield loaded;
        continue;
      }
      const row = this.inputs.describe(loaded.input);
      try {
        // A copy: the backend may own the memory it returns.
        yield { item: loaded.item, descriptor: Float32Array.from(await row.data<'float32'>()) };
      } finally {
        row.dispose();
      }
    }
  }

  async *describe(items: readonly T[]): AsyncGenerator<DescribedImage<T> | UnreadableImage<T>> {
    const { runs } = this;
    if (runs === undefined) {
      yield* this.describePool(items);
      return;
    }
    const unreadable: UnreadableImage<T>[] = [];
    for await (const group of runs.groups(readableInputs(this.inputs.load(items), unreadable))) {
      const inputs = group.map(({ input }) => input);
      const rows = await runs.describe(inputs);
      for (const [i, { item }] of group.entries()) yield { item, descriptor: rows[i] };
    }
    yield* unreadable;
  }

  async replay(items: readonly T[], upstreamOf: (item: T) => Float32Array, sums: Sums): Promise<UnreadableImage<T>[]> {
    const { runs } = this;
    const unreadable: UnreadableImage<T>[] = [];
    const readable = readableInputs(this.inputs.load(items), unreadable);
    if (runs === undefined || this.recomputeActivations) {
      const replayOne = this.recomputeActivations ? replayInBlocks : replay;
      for await (const { item, input } of readable) {
        if (unreadable.length > 0) break;
        await replayOne(this.inputs, input, { ...sums, upstream: upstreamOf(item) });
      }
      return unreadable;
    }
    for await (const group of runs.groups(readable)) {
      if (unreadable.length > 0) break;
      const inputs = group.map(({ input }) => input);
      await runs.replay(inputs, { ...sums, upstreams: group.map(({ item }) => upstreamOf(item)) });
    }
    return unreadable;
  }
}
