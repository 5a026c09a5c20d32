// Descriptors of photographs by an exported model, without rmac: npm install onnxruntime-node sharp
//   node read-node.mjs EXPORTED PHOTOGRAPH...     one line each: the file, and the values of a unit vector
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import sharp from 'sharp';

const [folder, ...photographs] = process.argv.slice(2);
const { files, resize } = JSON.parse(await readFile(join(folder, 'descriptor-model.json'), 'utf8'));
const session = await InferenceSession.create(join(folder, files[0].file));
const [side, fit] = [resize.longestSide, { fit: 'inside', withoutEnlargement: !resize.enlarge }];
for (const path of photographs) {
  const image = sharp(path).autoOrient().flatten({ background: 'white' }).toColourspace('srgb').resize(side, side, fit);
  const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
  const pixels = new Tensor('float32', Float32Array.from(data), [1, info.height, info.width, 3]);
  const { descriptor } = await session.run({ image: pixels });
  console.log(path, descriptor.data.join(' '));
}
