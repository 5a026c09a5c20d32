/**
 * @file Registers the gradients and the tensors' methods (`x.relu()`).
 *
 * tfjs-core's build for Node.js comes without them; they are modules beside it that Node.js cannot load. `@tensorflow/tfjs` bundles them, with
 * 230 MB of layers, converters and WebGL. Here `npm run build:tfjs` does. Registries are global: the bundle finds the
 * engine of tfjs-core, and a program may import `@tensorflow/tfjs` besides.
 */
import { createRequire } from 'node:module';
import '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';

/** Tells compilers of the methods; exported, so that the package's declarations name it. */
export type Methods = typeof import('@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js');

// From src/ and from dist/ alike: the bundle lies in dist.
createRequire(import.meta.url)('../../dist/backend/tfjs-registrations.cjs') as Methods;
