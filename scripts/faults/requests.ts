/** @file `npm run test:requests [-- --count N --seed N]`: mutated requests to `rmac serve`. */
import { parseArgs } from 'node:util';
import { attack } from './attack.js';

const { values } = parseArgs({
  options: { count: { type: 'string', default: '10000' }, seed: { type: 'string', default: '1' } },
});
const { answers, problems, maxRssMb } = await attack(Number(values.count), Number(values.seed));
for (const problem of problems) process.stdout.write(`FAIL  ${problem}\n`);
process.stdout.write(`${JSON.stringify({ answers, maxRssMb })}\n`);
process.stdout.write(`${Number(values.count) - problems.length} passed, ${problems.length} failed\n`);
process.exitCode = problems.length === 0 ? 0 : 1;
