/** @file Computes something with the engine, on the thread that it is loaded by. */
import * as tf from '@tensorflow/tfjs-core';
import { engineStats, startEngine } from '../../src/backend/index.js';

await startEngine({ threads: 1 });
console.log('e^0 =', tf.exp(tf.scalar(0)).dataSync()[0], 'in runs:', engineStats()?.runs);
