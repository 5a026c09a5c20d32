/** @file The versions that a result depends on. */
import { createRequire } from 'node:module';
import * as tf from '@tensorflow/tfjs-core';

export interface Versions {
  rmac: string;
  node: string;
  tfjs: string;
  onnxruntime: string;
}

export function versions(): Versions {
  const require = createRequire(import.meta.url);
  const versionOf = (path: string) => (require(path) as { version: string }).version;
  return {
    rmac: versionOf('../package.json'),
    node: process.version,
    tfjs: tf.version_core,
    onnxruntime: versionOf('onnxruntime-node/package.json'),
  };
}
