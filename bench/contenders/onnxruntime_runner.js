// Runs ONNX Runtime on request, on one thread.
//
//   node onnxruntime_runner.js FOLDER
//
// Uses the protocol of kernel_runner.cc, and also the models that bench/contest.py
// writes to FOLDER. Inputs and outputs are preallocated buffers. `time onnxruntime
// identity 0 4 MILLISECONDS` measures a call without work, that is, the cost of the
// binding to Node.

'use strict';

const fs = require('fs');
const path = require('path');
const readline = require('readline');
const runtime = require('onnxruntime-node');

const folder = process.argv[2];

function readFloats(name) {
  const bytes = fs.readFileSync(path.join(folder, name));
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

const inputs = readFloats('inputs.f32');
const halves = fs.readFileSync(path.join(folder, 'inputs.f16'));
const codes = fs.readFileSync(path.join(folder, 'codes.bin'));
// The memory of every result.
const outputs = new Float32Array(inputs.length).fill(NaN);
const sessions = new Map();

// The arrays that hold each type. onnxruntime-node takes none of int4.
const ARRAYS = {
  float32: Float32Array, float16: Uint16Array, int8: Int8Array, uint8: Uint8Array, int16: Int16Array,
};

// Returns the first `count` elements of a type in the memory of another array.
function elementsIn(array, type, count) {
  return new ARRAYS[type](array.buffer, array.byteOffset, count);
}

async function sessionOf(model) {
  if (!sessions.has(model)) {
    const options = {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
    };
    const file = path.join(folder, `${model}.onnx`);
    sessions.set(model, await runtime.InferenceSession.create(file, options));
  }
  return sessions.get(model);
}

function shapeOf(count, channels) {
  if (channels === 0) {
    return [count];
  }
  return channels > 0 ? [count / channels, channels] : [-channels, count / -channels];
}

// Returns the type and the elements of an operation's input, and the type of its output.
function operandsOf(operation, count) {
  const [kind, type] = operation.split('_');
  const float32 = inputs.subarray(0, count);
  switch (kind) {
    case 'quantize':
      return {inputType: 'float32', input: float32, outputType: type};
    case 'dequantize':
      return {inputType: type, input: elementsIn(codes, type, count), outputType: 'float32'};
    default:
      return type === 'float16'
        ? {inputType: type, input: elementsIn(halves, type, count), outputType: type}
        : {inputType: 'float32', input: float32, outputType: 'float32'};
  }
}

// Returns a function that does the work once, and the array that receives the result.
async function prepare(operation, channels, bytes) {
  const session =
    await sessionOf(operation === 'identity' ? 'identity' : `${operation}_${channels}`);
  const count = bytes / 4;
  const shape = shapeOf(count, channels);
  const {inputType, input, outputType} = operandsOf(operation, count);
  const result = elementsIn(outputs, outputType, count);
  const feeds = {x: new runtime.Tensor(inputType, input, shape)};
  const fetches = {y: new runtime.Tensor(outputType, result, shape)};
  return {call: () => session.run(feeds, fetches), result};
}

// Returns the median duration of a call after a warm-up call, or the duration of the
// warm-up call if that takes long enough.
async function secondsPerCall(call, leastSeconds) {
  const now = () => Number(process.hrtime.bigint()) / 1e9;
  let start = now();
  await call();
  let end = now();
  if (end - start >= leastSeconds) {
    return end - start;
  }
  const durations = [];
  const until = end + leastSeconds;
  while (end < until) {
    start = end;
    await call();
    end = now();
    durations.push(end - start);
  }
  durations.sort((a, b) => a - b);
  return durations[Math.floor(durations.length / 2)];
}

async function answer(line) {
  const [command, , operation, channels, bytes, ...rest] = line.trim().split(' ');
  const argument = rest.join(' ');
  const {call, result} = await prepare(operation, Number(channels), Number(bytes));
  if (command === 'time') {
    return `ok ${await secondsPerCall(call, Number(argument) / 1000)}`;
  }
  if (command === 'write') {
    outputs.fill(NaN);
    await call();
    fs.writeFileSync(argument, new Uint8Array(result.buffer, result.byteOffset, result.byteLength));
    return 'ok';
  }
  throw new Error(`the command "${command}" is neither time nor write`);
}

async function main() {
  const versions = {'Node.js': process.versions.node};
  for (const [name, version] of Object.entries(runtime.env.versions)) {
    if (name === 'common' || name === 'node') {
      versions['ONNX Runtime'] = version;
    }
  }
  const operations = ['forward', 'forward_float16'];
  for (const type of ['int8', 'uint8', 'int16']) {
    operations.push(`quantize_${type}`, `dequantize_${type}`);
  }
  const contenders = operations.map((operation) => ['onnxruntime', operation]);
  console.log(JSON.stringify({contenders, versions}));
  for await (const line of readline.createInterface({input: process.stdin})) {
    try {
      console.log(await answer(line));
    } catch (error) {
      console.log(`error ${error.message}`.replaceAll('\n', ' '));
    }
  }
}

main();
