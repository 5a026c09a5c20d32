/** @file Import it for its effect: every test of the file computes on the project's own engine. */
import { beforeAll } from 'vitest';
import { startEngine } from '../../src/backend/index.js';
import { testDevice } from './device.js';

beforeAll(async () => {
  await startEngine({ device: testDevice, threads: 2 });
});
