/**
 * @file npm runs this when the package is installed. Nothing here may fail an install. In a clone npm 12 runs it before there are
 * dependencies, so that prepare.mjs does it again.
 *
 * onnxruntime-node's own install script downloads ONNX Runtime's CUDA libraries on Linux x64 from a host that is not npm's, and
 * fails the installation where that host is out of reach. npm runs the preinstall of every package before the postinstall of any, so
 * this comes first: `node ./script/install` finds the file `script/install`, if there is one, before `script/install.js`, and that file downloads only
 * what somebody asked for. (In a clone package-lock.json says that the package has no install script: test/package.test.ts.)
 *
 * Its binaries for the other platforms, 245 MB, are removed; RMAC_ALL_PLATFORMS=1 keeps them.
 */
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const downloadIfAsked = `// Written by the package rmac: CUDA libraries are downloaded when asked for, ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node
const { env } = process;
const names = ['ONNXRUNTIME_NODE_INSTALL', 'ONNXRUNTIME_NODE_INSTALL_CUDA'];
if (names.some((name) => env[name] || env['npm_config_' + name.toLowerCase()])) require('./install.js');
`;

try {
  const folder = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  const { npm_config_os: platform = process.platform, npm_config_cpu: arch = process.arch } = process.env;
  writeFileSync(join(folder, 'script/install'), downloadIfAsked);
  if (!process.env.RMAC_ALL_PLATFORMS) keepBinaries(join(folder, 'bin'), { platform, arch });
} catch (error) {
  if (error.code !== 'MODULE_NOT_FOUND') console.error(`rmac: onnxruntime-node is left as it is: ${String(error)}`);
}

/**
 * @param {string} bin holds `napi-v6/<platform>/<arch>`
 * @param {{ platform: string, arch: string }} target the machine whose binaries stay
 */
function keepBinaries(bin, { platform, arch }) {
  for (const abi of readdirSync(bin).map((name) => join(bin, name))) {
    if (!existsSync(join(abi, platform, arch))) continue; // none for this machine: what is here is for another
    for (const os of readdirSync(abi)) {
      if (os !== platform) rmSync(join(abi, os), { recursive: true });
    }
    for (const cpu of readdirSync(join(abi, platform))) {
      if (cpu !== arch) rmSync(join(abi, platform, cpu), { recursive: true });
    }
  }
}
