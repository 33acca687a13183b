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

for (const [address, problem] of [
  ['', 'another form'], ['localhost', 'another form'], ['1.2.3.4', 'another form'], ['::1', 'another form'],
  [':70000', 'another form'], ['host:0', 'from 1 to 65535'], ['host:65536', 'from 1 to 65535'],
  ['http://localhost:50051', 'another form'], ['local host:50051', 'another form'], [' a:1', 'another form'],
  ['a:1\n', 'another form'], ['1.2.3.256:1', 'not an IPv4'], ['[localhost]:1', 'no IPv6 address'],
  ['[::1]', 'another form'], ['unix:', 'has 0 bytes'], [`unix:/${'a'.repeat(107)}`, 'has 108 bytes'], [50051, 'not a string'],
]) {
  test(`the address ${address} is rejected`, () => assert.throws(() => new QuantdClient(address), {
    name: 'TypeError', message: new RegExp(`^address must be HOST:PORT.*, not ${String(address).replace(/[[\]]/g, '.')}: .*${problem}`, 's'),
  }));
}

for (const address of ['localhost:1', 'a-b.c_d.example:65535', '1.2.3.4:1', '[::1]:1', 'dns:50051', 'unix:/a', 'unix:a']) {
  test(`the address ${address} is accepted`, () => new QuantdClient(address).close());
}

for (const [options, message] of [
  [{rootCertificates: 'ca.pem'}, /^rootCertificates must be a Buffer/],
  [{privateKey: Buffer.from('key')}, /^privateKey and certificateChain must be given together/],
  [{serverName: 'a'}, /^serverName must be given with tls/],
  [{tls: true, credentials: {}}, /^give either credentials, or tls/],
  [{token: ''}, /^token must be a string of visible/],
  [{token: 'Bearer hidden'}, /^token must be a string of visible.*spaces/],
  [{token: 'hidden'}, /^token must not be sent to example.com:1 without encryption: pass tls/],
]) {
  test(`the options ${Object.keys(options)} are rejected`, () => assert.throws(
    () => new QuantdClient('example.com:1', options),
    (error) => error.name === 'TypeError' && message.test(error.message) && !error.message.includes('hidden')));
}

test('a token may be sent to this machine, and to others with TLS', () => {
  for (const [address, options] of [['localhost:1', {}], ['127.1.2.3:1', {}], ['[::1]:1', {}], ['unix:/a', {}],
    ['example.com:1', {tls: true}]]) {
    new QuantdClient(address, {...options, token: 'hidden'}).close();
  }
});

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
