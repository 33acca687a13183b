/**
 * Quantizes an array, to floats and to codes, and prints the results.
 *
 *   node example.js [--server HOST:PORT] [--num-bits N] [--root-certificates FILE] [--private-key FILE]
 *     [--certificate-chain FILE] [--server-name NAME] [--token-file FILE]
 */

import fs from 'node:fs';
import {parseArgs} from 'node:util';
import {QuantdClient, QuantdError} from './quantd.js';

const {values: options} = parseArgs({
  options: {
    server: {type: 'string', default: 'localhost:50051'},
    'num-bits': {type: 'string', default: '4'},
    'root-certificates': {type: 'string'},
    'private-key': {type: 'string'},
    'certificate-chain': {type: 'string'},
    'server-name': {type: 'string'},
    'token-file': {type: 'string'},
  },
});

const input = Float32Array.of(-2, -1, -0.3, 0, 0.26, 0.5, 1, 7);
const client = new QuantdClient(options.server, {
  rootCertificates: contentsOf(options['root-certificates']),
  privateKey: contentsOf(options['private-key']),
  certificateChain: contentsOf(options['certificate-chain']),
  serverName: options['server-name'],
  token: contentsOf(options['token-file'])?.toString(),
});
try {
  const quantization = {min: -1, max: 1, numBits: Number(options['num-bits'])};
  const {output, nudgedRange} = await client.fakeQuantize(input, quantization);
  const {output: codes} = await client.quantize(input, quantization);
  const {output: values} = await client.dequantize(codes, quantization);
  console.log(row('input', input));
  console.log(row('output', output));
  console.log(row('range', [nudgedRange.min[0], nudgedRange.max[0]]));
  console.log(row('scale', nudgedRange.scale));
  console.log(row('codes', codes, 0));
  console.log(row('values', values));
} catch (error) {
  if (!(error instanceof QuantdError)) {
    throw error;
  }
  console.error(`${error.message}\nreason: ${error.reason ?? 'none'}\nfield: ${error.field ?? 'none'}`);
  process.exitCode = 1;
} finally {
  client.close();
}

function contentsOf(file) {
  return file === undefined ? undefined : fs.readFileSync(file);
}

function row(name, numbers, digits = 4) {
  return name.padEnd(6) + Array.from(numbers, (number) => number.toFixed(digits).padStart(9)).join('');
}
