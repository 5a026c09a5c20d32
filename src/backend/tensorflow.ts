/** @file The device `tensorflow`: the packages that the user may have installed in place of the engine, and what is used of them. */

export const tensorflowPackages = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const;

/** Name under which both packages register their backend. */
export const tensorflowBackend = 'tensorflow';

/** What is used of the packages beyond their backend; `npm run check:tensorflow` compares it with their own types. */
export interface TensorflowModule {
  node: {
    /** Writes TensorBoard events into the folder. */
    summaryFileWriter(logdir: string): { scalar(name: string, value: number, step: number): void; flush(): void };
  };
}

/**
 * Loads the first of the packages that is installed. Throws an Error when none is, or when one is there but broken.
 * `load` stands for `import` in tests.
 */
export async function loadTensorflow(
  load: (name: string) => Promise<unknown> = (name) => import(name),
): Promise<TensorflowModule> {
  for (const name of tensorflowPackages) {
    try {
      return (await load(name)) as TensorflowModule;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') continue;
      throw new Error(`${name} is installed but does not load: ${(error as Error).message}`, { cause: error });
    }
  }
  throw new Error(`--device tensorflow needs ${tensorflowPackages.join(' or ')}: npm install one of them.`);
}
