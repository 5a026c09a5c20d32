/** @file A thread that runs compiled graphs as `Lanes` tells it to, and keeps the weights that it was given. */
import { parentPort } from 'node:worker_threads';
import type { LaneFeed, LaneReply, LaneRequest } from './lanes.js';
import { createSession, OrtTensor, type Session } from './ort.js';
import { type HostData, zeros } from './value.js';

const port = parentPort!;
const graphs = new Map<string, Session | Error>();
const kept = new Map<number, HostData>();

port.on('message', (request: LaneRequest) => {
  switch (request.kind) {
    case 'keep':
      kept.set(request.memory, request.data);
      break;
    case 'forget':
      kept.delete(request.memory);
      break;
    case 'open':
      graphs.set(request.graph, opened(request.model, request.settings, request.form));
      break;
    case 'close':
      close(request.graph);
      break;
    case 'run':
      answer(answerTo(request));
  }
});

function answer(reply: LaneReply): void {
  const buffers = 'results' in reply ? reply.results.map(({ data }) => data.buffer as ArrayBuffer) : [];
  port.postMessage(reply, [...new Set(buffers)]);
}

function opened(...graph: Parameters<typeof createSession>): Session | Error {
  try {
    return createSession(...graph);
  } catch (error) {
    return error as Error; // the answer to its first run
  }
}

function close(graph: string): void {
  const session = graphs.get(graph);
  graphs.delete(graph);
  if (session !== undefined && !(session instanceof Error)) session.dispose();
}

function answerTo({ graph, feeds, names }: LaneRequest & { kind: 'run' }): LaneReply {
  const session = graphs.get(graph)!;
  if (session instanceof Error) return { error: session };
  try {
    const inputs = Object.fromEntries(Object.entries(feeds).map(([name, feed]) => [name, tensorOf(feed)]));
    const results = session.run(inputs, names);
    return { results: names.map((name) => ({ data: results[name].data as HostData, dims: results[name].dims })) };
  } catch (error) {
    return { error: error as Error };
  }
}

function tensorOf({ type, dims, data, kept: memory }: LaneFeed): OrtTensor {
  const given = data ?? (memory === undefined ? undefined : kept.get(memory));
  const numbers = given ?? zeros(dims.reduce((count, extent) => count * extent, 1));
  return new OrtTensor(type, numbers as never, dims);
}
