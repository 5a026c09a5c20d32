/** @file A worker thread of `describe-workers.ts`: decodes and describes the images it is sent. */
import { parentPort, workerData } from 'node:worker_threads';
import { InputError, messageOf } from '../../errors.js';
import { describeImage, type DescribeImageOptions, type ImageDescription } from './describe-image.js';

export interface DescribeRequest {
  /** Number, sent back with the answer: a small image overtakes a large one. */
  request: number;
  path: string;
}

export type DescribeAnswer = { request: number } & (
  | { description: ImageDescription }
  | { error: string; ofInput: boolean; system: { code?: string; syscall?: string; path?: string } }
);

const options = workerData as DescribeImageOptions;
const port = parentPort;
if (port === null) throw new Error('describe-worker.ts runs in a worker thread only.');

port.on('message', ({ request, path }: DescribeRequest) => {
  describeImage(path, options).then(
    (description) => {
      const { frames, responses, descriptors } = description.features;
      const buffers = [frames, responses, descriptors].map(({ buffer }) => buffer as ArrayBuffer);
      port.postMessage({ request, description } satisfies DescribeAnswer, [...new Set(buffers)]);
    },
    (error: unknown) => {
      const { code, syscall, path: file } = error as NodeJS.ErrnoException;
      const system = { code, syscall, path: file };
      const answer: DescribeAnswer = { request, error: messageOf(error), ofInput: error instanceof InputError, system };
      port.postMessage(answer);
    },
  );
});
