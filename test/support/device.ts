/** @file Where the tests compute: RMAC_TEST_DEVICE=webgpu runs the kernel and model tests on a GPU or a software one. */
import { type Device, devices } from '../../src/backend/index.js';

const wanted = process.env.RMAC_TEST_DEVICE ?? 'cpu';
if (!devices.includes(wanted as Device))
  throw new Error(`RMAC_TEST_DEVICE: ${wanted} is none of ${devices.join(', ')}`);
export const testDevice = wanted as Device;

/** Cases that the device gets wrong: SwiftShader's sine and cosine are coarse, the rest are faults of the provider (1.30.0). */
export const wrongHere: ReadonlySet<string> = new Set(
  testDevice === 'webgpu'
    ? [
        'sin',
        'cos',
        'conv2d [[2,7,6,18],[3,2,18,4],1,[[0,0],[2,0],[0,1],[0,0]],1]', // 18 channels; 5, 16 and 20 are right
        'depthwiseConv2d [[2,9,7,3],[3,3,3,2],2,[[0,0],[1,1],[1,1],[0,0]]]', // its input gradient: two outputs a channel
      ]
    : [],
);
