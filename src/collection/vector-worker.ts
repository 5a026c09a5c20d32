/** @file A worker thread of `vector-table.ts`: holds a part of the rows, and answers for it. */
import { parentPort, workerData } from 'node:worker_threads';
import { InputError, messageOf } from '../errors.js';
import { nearestOf, readPart, type TablePart, valuesOf, type WorkerAnswer, type WorkerRequest } from './table-part.js';

const reading = readPart(workerData as TablePart);
reading.catch(() => undefined); // said with the first answer

async function answer({ number, search, rows }: WorkerRequest): Promise<WorkerAnswer> {
  try {
    const table = await reading;
    if (search !== undefined) return { number, nearest: nearestOf(table, search.query, search.count, search.allowed) };
    return rows === undefined ? { number } : { number, values: valuesOf(table, rows) };
  } catch (error) {
    return { number, error: messageOf(error), input: error instanceof InputError };
  }
}

parentPort!.on('message', (request: WorkerRequest) => {
  void answer(request).then((reply) => parentPort!.postMessage(reply));
});
