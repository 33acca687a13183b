/**
 * Makes the calls that client_examples.py has written, with the example's client, and writes the
 * answers.
 *
 *   node golden_driver.mjs SERVER FOLDER
 */

import fs from 'node:fs';
import path from 'node:path';
import {QuantdClient, QuantdError} from '../../../client/examples/node/quantd.js';

const [server, folder] = process.argv.slice(2);

const CODES = {
  DATA_TYPE_INT8: Int8Array,
  DATA_TYPE_INT16: Int16Array,
  DATA_TYPE_UINT16: Uint16Array,
  DATA_TYPE_INT32: Int32Array,
};

// Returns a view of a part of a larger array.
function read(file, ArrayType = Float32Array) {
  const bytes = fs.readFileSync(path.join(folder, file));
  return new ArrayType(Uint8Array.from(Buffer.concat([Buffer.alloc(4), bytes])).buffer, 4);
}

function call(client, {method, inputs, gradients, ...quantization}) {
  switch (method) {
    case 'FakeQuantize':
      return client.fakeQuantize(read(inputs), quantization);
    case 'FakeQuantizeGradient':
      return client.fakeQuantizeGradient(read(gradients), read(inputs), quantization);
    case 'Quantize':
      return client.quantize(read(inputs), quantization);
    default:
      return client.dequantize(read(inputs, CODES[quantization.codeType] ?? Uint8Array), quantization);
  }
}

const {serverName, token, ...pem} = JSON.parse(fs.readFileSync(path.join(folder, 'connection.json'), 'utf8'));
const certificates = Object.entries(pem).map(([name, text]) => [name, Buffer.from(text)]);
const client = new QuantdClient(server, {serverName, token, ...Object.fromEntries(certificates)});
for (const {name, ...arguments_} of JSON.parse(fs.readFileSync(path.join(folder, 'calls.json'), 'utf8'))) {
  const write = (what, contents) => fs.writeFileSync(path.join(folder, `${name}.${what}`), contents);
  try {
    const {nudgedRange, parameters, numerics, ...tensors} = await call(client, arguments_);
    if (!numerics.startsWith('NUMERICS_')) {
      throw new Error(`the answer has the numerics ${numerics}`);
    }
    // Codes have parameters of their own, beside those of the range.
    for (const [what, elements] of Object.entries({...tensors, ...nudgedRange, ...parameters})) {
      write(what, elements);
    }
  } catch (error) {
    if (!(error instanceof QuantdError)) {
      throw error;
    }
    const {code, message, reason, field, numbers} = error;
    write('error', JSON.stringify({code, message, reason, field, numbers}));
  }
}
client.close();
