// Bundled by `npm run build:tfjs` for src/backend/tfjs-registrations.ts.
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
