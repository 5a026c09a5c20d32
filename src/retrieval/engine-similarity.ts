/** @file Similarities of big tables on the engine: some hundred times the speed of the plain loops. */
import * as tf from '@tensorflow/tfjs-core';
import { type DescriptorRows, rowCount, type Similarity } from '../linear/rows.js';

/** Multiply-adds from which the engine pays for its start: about four seconds of the plain loops. */
export const engineFromMultiplyAdds = 4e9;

/** Dot products in float32 on the running engine. `dispose` frees the database's copy there. */
export function engineSimilarity(database: DescriptorRows): { similarity: Similarity; dispose: () => void } {
  const { data, dimension } = database;
  const rows = tf.tensor2d(data, [rowCount(database), dimension]);
  return {
    similarity: async (queries) => {
      const product = tf.tidy(() =>
        tf.matMul(tf.tensor2d(queries, [queries.length / dimension, dimension]), rows, false, true),
      );
      try {
        return await product.data<'float32'>();
      } finally {
        product.dispose();
      }
    },
    dispose: () => rows.dispose(),
  };
}
