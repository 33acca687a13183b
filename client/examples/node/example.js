/**
 * Fake-quantizes an array and prints the result.
 *
 *   node example.js [--server HOST:PORT] [--num-bits N]
 */

import {parseArgs} from 'node:util';
import {QuantdClient, QuantdError} from './quantd.js';

const {values: options} = parseArgs({
  options: {
    server: {type: 'string', default: 'localhost:50051'},
    'num-bits': {type: 'string', default: '4'},
  },
});

const input = Float32Array.of(-2, -1, -0.3, 0, 0.26, 0.5, 1, 7);
const client = new QuantdClient(options.server);
try {
  const {output, nudgedRange} = await client.fakeQuantize(input, {
    min: -1,
    max: 1,
    numBits: Number(options['num-bits']),
  });
  console.log(row('input', input));
  console.log(row('output', output));
  console.log(row('range', [nudgedRange.min[0], nudgedRange.max[0]]));
  console.log(row('scale', nudgedRange.scale));
} catch (error) {
  if (!(error instanceof QuantdError)) {
    throw error;
  }
  console.error(`${error.message}\nreason: ${error.reason ?? 'none'}\nfield: ${error.field ?? 'none'}`);
  process.exitCode = 1;
} finally {
  client.close();
}

function row(name, numbers) {
  return name.padEnd(6) + Array.from(numbers, (number) => number.toFixed(4).padStart(9)).join('');
}
