/** @file Where the tests compute: RMAC_TEST_DEVICE=webgpu runs the kernel and model tests on a GPU or a software one. */
import { type Device, devices } from '../../src/backend/index.js';

const wanted = process.env.RMAC_TEST_DEVICE ?? 'cpu';
if (!devices.includes(wanted as Device))
  throw new Error(`RMAC_TEST_DEVICE: ${wanted} is none of ${devices.join(', ')}`);
export const testDevice = wanted as Device;
