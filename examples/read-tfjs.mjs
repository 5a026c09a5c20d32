// Descriptors of photographs by graph models of TensorFlow.js, without rmac: npm install @tensorflow/tfjs @tensorflow/tfjs-backend-wasm sharp
//   node read-tfjs.mjs EXPORTED PHOTOGRAPH...     one line each: the file, and the values of a unit vector
// In a browser, tf.loadGraphModel('exported/descriptor-512x384.json') reads one from the host.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import sharp from 'sharp';

const [folder, ...photographs] = process.argv.slice(2);
const json = async (name) => JSON.parse(await readFile(join(folder, name), 'utf8'));
const load = async ({ file, width, height }) => {
  const { modelTopology, weightsManifest } = await json(file);
  const [{ paths, weights: weightSpecs }] = weightsManifest;
  const { buffer: weightData } = new Uint8Array(await readFile(join(folder, paths[0])));
  return { width, height, graph: await tf.loadGraphModel(tf.io.fromMemory({ modelTopology, weightSpecs, weightData })) };
};
await tf.setBackend('wasm');
const models = await Promise.all((await json('descriptor-model.json')).files.map(load));
for (const path of photographs) {
  const image = sharp(path).autoOrient().flatten({ background: 'white' }).toColourspace('srgb');
  const sides = (await image.metadata()).autoOrient;
  const bend = (size) => Math.abs(Math.log((size.width * sides.height) / (size.height * sides.width)));
  const { width, height, graph } = models.toSorted((a, b) => bend(a) - bend(b))[0];
  const pixels = await image.resize(width, height, { fit: 'fill' }).raw().toBuffer();
  const descriptor = graph.predict(tf.tensor4d(Float32Array.from(pixels), [1, height, width, 3]));
  console.log(path, (await descriptor.data()).join(' '));
}
