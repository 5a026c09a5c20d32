/** @file Detects in a worker thread what its data asks for. */
import { parentPort, workerData } from 'node:worker_threads';
import { type DetectOptions, detectFeatures } from '../../src/cleaning/features/detect.js';
import type { GreyImage } from '../../src/cleaning/features/grey-image.js';

const { image, options } = workerData as { image: GreyImage; options: DetectOptions };
parentPort?.postMessage(detectFeatures(image, options), []);
