/** @file `--image-root`, of commands that only read manifests and ground truths. */

export const imageRootOption = [
  '--image-root <dir>',
  'folder that images may lie in besides that of the manifest or ground truth which names them',
] as const;
