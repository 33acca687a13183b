/** Tests the example's client without a server. */

import assert from 'node:assert/strict';
import net from 'node:net';
import {test} from 'node:test';
import {QuantdClient, status} from '../../../client/examples/node/quantd.js';

const client = new QuantdClient('unix:/nobody');
const input = Float32Array.of(1, 2);
const range = {min: -1, max: 1};

// protobufjs would silently convert these arguments.
for (const [what, elements, quantization, message] of [
  ['an ordinary array', [1, 2], {}, /^input must be a Float32Array/],
  ['no tensor', undefined, {}, /^input must be a Float32Array/],
  ['a text as range', input, {min: '-1'}, /^min must be a number, or an array of numbers, not -1/],
  ['a fraction in the shape', input, {shape: [0.5, 4]}, /^a size in shape must be an integer .* not 0.5/],
  ['a fraction as axis', input, {axis: 0.5}, /^axis must be an integer .* not 0.5/],
  ['an axis beyond 32 bits', input, {axis: 2 ** 32}, /^axis must be an integer from -2147483648 to 2147483647, not/],
  ['a fraction as number of bits', input, {numBits: 7.9}, /^numBits must be an integer .* not 7.9/],
  ['a negative number of bits', input, {numBits: -8}, /^numBits must be an integer from 0 to 4294967295, not -8/],
  ['a text as flag', input, {narrowRange: 'false'}, /^narrowRange must be true or false, not false/],
  ['a number as flag', input, {signedInput: 1}, /^signedInput must be true or false, not 1/],
  ['an unknown rounding', input, {rounding: 'HALF_UP'}, /^rounding must be one of ROUNDING_.*, not HALF_UP/],
  ['unknown numerics', input, {numerics: 'TENSORFLOW'}, /^numerics must be one of NUMERICS_.*, not TENSORFLOW/],
]) {
  test(`${what} is rejected`, () => assert.rejects(
    client.fakeQuantize(elements, {...range, ...quantization}), {name: 'TypeError', message}));
}

for (const [what, codes, quantization, message] of [
  ['an array of codes', [1, 2], {}, /^codes must be a typed array that holds codes/],
  ['an array of floats', input, {}, /^codes must be a typed array that holds codes/],
  ['an array of another type', Int8Array.of(1), {codeType: 'DATA_TYPE_INT16'}, /holds DATA_TYPE_INT16, such as Int16Array/],
  ['a type of floats', Int8Array.of(1), {codeType: 'DATA_TYPE_FLOAT32'}, /^codeType must be one of DATA_TYPE_INT8, /],
  ['packed codes without a shape', Uint8Array.of(1), {codeType: 'DATA_TYPE_INT4'}, /^shape must be given for packed/],
]) {
  test(`${what} to dequantize is rejected`, () => assert.rejects(
    client.dequantize(codes, {...range, ...quantization}), {name: 'TypeError', message}));
}

test('an unknown type of codes is rejected', () => assert.rejects(
  client.quantize(input, {...range, codeType: 'INT8'}),
  {name: 'TypeError', message: /^codeType must be one of DATA_TYPE_INT8, .*, not INT8/}));

test('a range beside a scale is rejected', () => assert.rejects(
  client.quantize(input, {...range, scale: 1}), {name: 'TypeError', message: /^give either min and max, or scale/}));

test('a fraction as zero point is rejected', () => assert.rejects(
  client.quantize(input, {scale: 1, zeroPoint: 0.5}), {name: 'TypeError', message: /^zeroPoint must be an integer/}));

test('an array of gradients is rejected', () => assert.rejects(
  client.fakeQuantizeGradient([1, 2], input, range),
  {name: 'TypeError', message: /^gradients must be a Float32Array/}));

test('a call to a server that never answers ends in time', async () => {
  const server = net.createServer();
  const connected = new Promise((resolve) => server.once('connection', resolve));
  await new Promise((resolve) => server.listen(0, 'localhost', resolve));
  const impatient = new QuantdClient(`localhost:${server.address().port}`, {timeoutMilliseconds: 100});
  await assert.rejects(impatient.fakeQuantize(input, range), {
    name: 'QuantdError', code: status.DEADLINE_EXCEEDED, reason: undefined, field: undefined,
  });
  (await connected).destroy();
  impatient.close();
  server.close();
});
