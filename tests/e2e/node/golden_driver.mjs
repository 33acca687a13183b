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

// Returns a view of a part of a larger array.
function read(file) {
  const bytes = fs.readFileSync(path.join(folder, file));
  return new Float32Array(Uint8Array.from(Buffer.concat([Buffer.alloc(4), bytes])).buffer, 4);
}

function call(client, {method, inputs, gradients, ...quantization}) {
  return method === 'FakeQuantize'
    ? client.fakeQuantize(read(inputs), quantization)
    : client.fakeQuantizeGradient(read(gradients), read(inputs), quantization);
}

const client = new QuantdClient(server);
for (const {name, ...arguments_} of JSON.parse(fs.readFileSync(path.join(folder, 'calls.json'), 'utf8'))) {
  const write = (what, contents) => fs.writeFileSync(path.join(folder, `${name}.${what}`), contents);
  try {
    const {nudgedRange, ...tensors} = await call(client, arguments_);
    for (const [what, elements] of Object.entries({...tensors, ...nudgedRange})) {
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
