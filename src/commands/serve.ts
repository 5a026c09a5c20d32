/** @file `rmac serve`: a collection as an HTTP service with a page. */
import type { Command } from 'commander';
import { UsageError } from '../errors.js';
import { defaultLimits } from '../service/limits.js';
import { readToken, serve, type ServeStageOptions } from '../stages/serve.js';
import { addCommonOptions, type CommonOptions, positiveInteger, printResult, say, terminalContext } from './console.js';

interface ServeFlags extends CommonOptions {
  index: string;
  host: string;
  port: number;
  hostName?: string[];
  tokenFile?: string;
  maxMegabytes: number;
  maxMegapixels: number;
  maxSearches: number;
  timeLimit: number;
}

export function register(program: Command): void {
  const command = program
    .command('serve')
    .requiredOption('--index <dir>', 'collection, as "rmac index build" writes it')
    .option('--host <address>', 'address to listen at; 0.0.0.0: every one of this machine', '127.0.0.1')
    .option('--port <n>', 'port to listen at; 0: any that is free', portNumber, 8080)
    .option('--host-name <name...>', 'names by which it is asked without a token, besides localhost and addresses')
    .option('--token-file <file>', 'ask for the token in its first line (or in the environment: RMAC_TOKEN)')
    .option('--max-megabytes <n>', 'largest upload', positiveInteger, defaultLimits.megabytes)
    .option('--max-megapixels <n>', 'largest photograph', positiveInteger, defaultLimits.megapixels)
    .option('--max-searches <n>', 'searches in hand; further ones are refused', positiveInteger, defaultLimits.searches)
    .option('--time-limit <s>', 'seconds that a request may take', positiveInteger, defaultLimits.seconds);
  addCommonOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  $ rmac serve --index collection
  $ rmac serve --index collection --host 0.0.0.0 --token-file token.txt
The page is at the address that is printed, the description for programs at openapi.json. Ctrl-C answers what is in hand, and stops.
--json: {"url", "name", "photographs"} as soon as it answers.`,
    )
    .action(async (flags: ServeFlags) => {
      const served = await serve(await stageOptions(flags), terminalContext);
      const { url, name, photographs } = served;
      printResult({ url, name, photographs }, `${name}, ${photographs} photographs: ${url}`, flags);
      await served.stopped;
    });
}

async function stageOptions(flags: ServeFlags): Promise<ServeStageOptions> {
  const { index, host, hostName: hostNames, port, tokenFile, device, threads } = flags;
  const token = tokenFile === undefined ? process.env.RMAC_TOKEN : await readToken(tokenFile);
  if (token === undefined && !['127.0.0.1', '::1', 'localhost'].includes(host)) {
    say(`Whoever reaches ${host} may search: --token-file asks for a token.`);
  }
  const limits = {
    megabytes: flags.maxMegabytes,
    megapixels: flags.maxMegapixels,
    searches: flags.maxSearches,
    seconds: flags.timeLimit,
  };
  return { index, host, hostNames, port, token, limits, device, threads };
}

/** commander parser: a port. */
function portNumber(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65535) throw new UsageError(`--port: expected 0 to 65535, got "${text}".`);
  return port;
}
