/**
 * A client for quantd: quantizes Float32Arrays, with the bits of the framework that the numerics names.
 *
 * Reads the schema at run time from the repository's proto/. If you copy this file, copy
 * that folder as well, and adjust PROTO_FOLDER.
 */

import os from 'node:os';
import {fileURLToPath} from 'node:url';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';
import {connectionOf} from './connection.js';

const PROTO_FOLDER = fileURLToPath(new URL('../../../proto', import.meta.url));

// Tensors are transmitted in little-endian order; typed arrays have the byte order of the machine.
if (os.endianness() !== 'LE') {
  throw new Error('quantd.js sends typed arrays as they are in memory, and quantd expects little endian: ' +
    'on this machine, swap the bytes of each element first (Buffer.swap32)');
}

/** @type {any} */
const schema = protoLoader.loadSync(
  ['quantd/v1/quantization_service.proto', 'google/rpc/error_details.proto', 'google/rpc/status.proto'],
  {includeDirs: [PROTO_FOLDER], longs: Number, enums: String, defaults: true},
);
const QuantizationService = grpc.makeClientConstructor(
  schema['quantd.v1.QuantizationService'], 'QuantizationService');
/** @type {string[]} */
const NUMERICS = schema['quantd.v1.Numerics'].type.value.map(({name}) => name);
/** @type {string[]} */
const ROUNDINGS = schema['quantd.v1.Rounding'].type.value.map(({name}) => name);
// The typed arrays of codes. Codes of 4 and 2 bits are packed, the first one in the low bits.
const CODES = new Map(Object.entries({
  DATA_TYPE_INT8: {ArrayType: Int8Array},
  DATA_TYPE_UINT8: {ArrayType: Uint8Array},
  DATA_TYPE_INT16: {ArrayType: Int16Array},
  DATA_TYPE_UINT16: {ArrayType: Uint16Array},
  DATA_TYPE_INT32: {ArrayType: Int32Array},
  DATA_TYPE_INT4: {ArrayType: Uint8Array, perByte: 2},
  DATA_TYPE_UINT4: {ArrayType: Uint8Array, perByte: 2},
  DATA_TYPE_INT2: {ArrayType: Uint8Array, perByte: 4},
  DATA_TYPE_UINT2: {ArrayType: Uint8Array, perByte: 4},
}));
const SIZE = {lowest: 0, highest: Number.MAX_SAFE_INTEGER};
const INT32 = {lowest: -(2 ** 31), highest: 2 ** 31 - 1};
const UINT32 = {lowest: 0, highest: 2 ** 32 - 1};

/**
 * Describes how to quantize: with min and max, or with scale.
 *
 * @typedef {object} Quantization
 * @property {number | ArrayLike<number>} [min] The lower end of the range, float32; with an axis, one per channel.
 * @property {number | ArrayLike<number>} [max] The upper end of the range; as many values as min.
 * @property {number | ArrayLike<number>} [scale] The distance between neighbouring codes, float32; with an axis, one
 *   per channel; with blockSize, one per block, in C order.
 * @property {number | ArrayLike<number>} [zeroPoint] The code that represents 0; as many as scale. By default, 0.
 * @property {number} [blockSize] How many neighbouring elements along the axis share a scale.
 * @property {number} [axis] The dimension of the channels, -rank..rank-1. By default, the whole tensor has one range
 *   or scale.
 * @property {number[]} [shape] The tensor's dimensions, in C order; [] is a scalar. By default, there is one dimension.
 * @property {number} [numBits] From 2 to 16; by default, as many as the codes' type has, and 8 for fakeQuantize.
 * @property {boolean} [narrowRange] Whether to leave out the lowest code, like TensorFlow's narrow_range.
 * @property {number} [quantMin] With scale, the lowest code, instead of numBits and narrowRange.
 * @property {number} [quantMax] The highest code; only with quantMin.
 * @property {string} [numerics] Whose last bit to reproduce, a name from quantization.proto. By default,
 *   NUMERICS_TENSORFLOW with a range, and NUMERICS_ONNX with a scale.
 * @property {boolean} [signedInput] With NUMERICS_TENSORFLOW_QUANTIZE_AND_DEQUANTIZE, whether codes lie on both
 *   sides of 0.
 * @property {string} [rounding] What becomes of a value halfway between two codes, where the numerics has the choice: a
 *   name from quantization.proto, such as 'ROUNDING_HALF_UP'.
 * @property {string} [codeType] The type of the codes, such as 'DATA_TYPE_INT8'. By default, quantize makes
 *   'DATA_TYPE_UINT8', and dequantize takes the type of its typed array. Codes of 4 and 2 bits are packed in a
 *   Uint8Array: give their type and shape to dequantize.
 */

/** @typedef {Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array} Codes */

/**
 * Scale and zero point of codes, one per channel or block: quantize and dequantize take it.
 *
 * @typedef {object} Parameters
 * @property {Float32Array} scale
 * @property {Int32Array} zeroPoint
 */

/**
 * The range that was actually used, nudged so that a code represents exactly zero. One value per channel.
 *
 * @typedef {object} NudgedRange
 * @property {Float32Array} min
 * @property {Float32Array} max
 * @property {Float32Array} scale
 * @property {Int32Array} zeroPoint
 */

/** The status codes of failed calls. */
export const {status} = grpc;

/** A call that failed. */
export class QuantdError extends Error {
  /** @param {grpc.ServiceError} cause The error from gRPC. */
  constructor(cause) {
    super(cause.details, {cause});
    this.name = 'QuantdError';
    /** The gRPC status code, one of status. */
    this.code = cause.code;
    /**
     * The reason for programs, such as 'INVALID_RANGE'; undefined if the error does not come from quantd.
     * @type {string | undefined}
     */
    this.reason = undefined;
    /**
     * The path of the field at fault, such as 'range.min[3]'; undefined if there is none.
     * @type {string | undefined}
     */
    this.field = undefined;
    /**
     * The numbers behind the error.
     * @type {Record<string, string>}
     */
    this.numbers = {};
    for (const {type, message} of detailsOf(cause)) {
      if (type === 'google.rpc.ErrorInfo' && message.domain === 'quantd') {
        this.reason = message.reason;
        this.numbers = message.metadata;
      } else if (type === 'google.rpc.BadRequest') {
        this.field = message.fieldViolations[0]?.field;
      }
    }
  }
}

/** A connection to quantd. Several calls may run at the same time. */
export class QuantdClient {
  #service;
  #metadata;
  #timeoutMilliseconds;

  /**
   * Creates a client. It connects when the first call is made.
   *
   * @param {string} [address] HOST:PORT, with an IPv6 address in brackets, or unix:PATH.
   * @param {object} [options]
   * @param {number} [options.timeoutMilliseconds] How long a call may take.
   * @param {boolean} [options.tls] Whether the connection is encrypted; also with certificates.
   * @param {Buffer} [options.rootCertificates] The certificates to trust, in PEM format. By default, Node's own.
   * @param {Buffer} [options.privateKey] The client's own key in PEM format, if the server requires one.
   * @param {Buffer} [options.certificateChain] The certificate of privateKey and those that signed it.
   * @param {string} [options.serverName] The name in the server's certificate, if it is not that in the address.
   * @param {grpc.ChannelCredentials} [options.credentials] Other credentials, instead of these.
   * @param {string} [options.token] Is sent with each call, as "authorization: Bearer TOKEN". To other machines only
   *   with encryption.
   * @throws {TypeError} If an argument is not what it has to be.
   */
  constructor(address = 'localhost:50051', {timeoutMilliseconds = 60_000, ...connection} = {}) {
    const {target, credentials, options, metadata} = connectionOf(address, connection);
    this.#service = new QuantizationService(target, credentials, options);
    this.#metadata = metadata;
    this.#timeoutMilliseconds = timeoutMilliseconds;
  }

  /**
   * Rounds every element to the nearest value that a code represents.
   *
   * @param {Float32Array} input The tensor in C order. With a range, NaN results in NaN, and an infinity in the
   *   nearest end of the range, unless docs/numerics.md says otherwise.
   * @param {Quantization} quantization
   * @returns {Promise<{output: Float32Array, nudgedRange?: NudgedRange, numerics: string}>} The output has the
   *   input's shape; nudgedRange is undefined with a scale.
   * @throws {QuantdError} If the call fails.
   * @throws {TypeError} If an argument cannot be represented in a message.
   * @throws {Error} If the answer does not match the request.
   */
  async fakeQuantize(input, quantization) {
    const response = await this.#call('FakeQuantize', {
      input: tensorOf('input', input, quantization.shape),
      ...parametersAndSpecOf(quantization),
    });
    return {
      output: elementsOf(response.output, Float32Array, input.length),
      nudgedRange: nudgedRangeOf(response),
      numerics: response.numerics,
    };
  }

  /**
   * Computes the gradient of fakeQuantize with respect to its input, min and max.
   *
   * @param {Float32Array} gradients The gradient of the loss with respect to fakeQuantize's output, in C order.
   * @param {Float32Array} inputs The input of fakeQuantize, in the same shape.
   * @param {Quantization} quantization The quantization that was passed to fakeQuantize.
   * @returns {Promise<{inputGradients: Float32Array, minGradient: Float32Array, maxGradient: Float32Array,
   *   nudgedRange?: NudgedRange, numerics: string}>} inputGradients has the shape of inputs; the other gradients
   *   have one value per channel, or none with a scale.
   * @throws {QuantdError} If the call fails.
   * @throws {TypeError} If an argument cannot be represented in a message.
   * @throws {Error} If the answer does not match the request.
   */
  async fakeQuantizeGradient(gradients, inputs, quantization) {
    const response = await this.#call('FakeQuantizeGradient', {
      gradients: tensorOf('gradients', gradients, quantization.shape),
      inputs: tensorOf('inputs', inputs, quantization.shape),
      ...parametersAndSpecOf(quantization),
    });
    return {
      inputGradients: elementsOf(response.inputGradients, Float32Array, inputs.length),
      minGradient: Float32Array.from(response.minGradient),
      maxGradient: Float32Array.from(response.maxGradient),
      nudgedRange: nudgedRangeOf(response),
      numerics: response.numerics,
    };
  }

  /**
   * Rounds every element to an integer code.
   *
   * @param {Float32Array} input The tensor in C order.
   * @param {Quantization} quantization
   * @returns {Promise<{output: Codes, parameters: Parameters, nudgedRange?: NudgedRange, numerics: string}>} The
   *   output has the input's shape; nudgedRange is undefined with a scale.
   * @throws {QuantdError} If the call fails.
   * @throws {TypeError} If an argument cannot be represented in a message.
   * @throws {Error} If the answer does not match the request.
   */
  async quantize(input, quantization) {
    const {codeType = 'DATA_TYPE_UINT8'} = quantization;
    const {ArrayType, perByte = 1} = codesOf(codeType);
    const response = await this.#call('Quantize', {
      input: tensorOf('input', input, quantization.shape),
      ...parametersAndSpecOf(quantization),
      outputType: codeType,
    });
    return {
      output: elementsOf(response.output, ArrayType, Math.ceil(input.length / perByte)),
      parameters: {
        scale: Float32Array.from(response.parameters.scale),
        zeroPoint: Int32Array.from(response.parameters.zeroPoint),
      },
      nudgedRange: nudgedRangeOf(response),
      numerics: response.numerics,
    };
  }

  /**
   * Computes the values that codes represent: the inverse of quantize.
   *
   * @param {Codes} codes In C order.
   * @param {Quantization} quantization The quantization that was passed to quantize, or the parameters that it
   *   returned.
   * @returns {Promise<{output: Float32Array, numerics: string}>} The output has the shape of the codes.
   * @throws {QuantdError} If the call fails.
   * @throws {TypeError} If an argument cannot be represented in a message.
   * @throws {Error} If the answer does not match the request.
   */
  async dequantize(codes, quantization) {
    const input = codeTensorOf(codes, quantization);
    const response = await this.#call('Dequantize', {
      input,
      ...parametersAndSpecOf(quantization),
      outputType: 'DATA_TYPE_FLOAT32',
    });
    const count = input.shape.reduce((product, size) => product * size, 1);
    return {output: elementsOf(response.output, Float32Array, count), numerics: response.numerics};
  }

  /** Closes the connection. Await all calls first. */
  close() {
    this.#service.close();
  }

  #call(method, request) {
    const options = {deadline: Date.now() + this.#timeoutMilliseconds};
    return new Promise((resolve, reject) => {
      this.#service[method](request, this.#metadata, options, (error, response) => {
        if (error) {
          reject(new QuantdError(error));
        } else {
          resolve(response);
        }
      });
    });
  }
}

function tensorOf(name, elements, shape = [elements?.length]) {
  if (!(elements instanceof Float32Array)) {
    throw new TypeError(`${name} must be a Float32Array; use Float32Array.from() to convert other numbers`);
  }
  return {dataType: 'DATA_TYPE_FLOAT32', shape: shapeOf(shape), data: bytesOf(elements)};
}

function codeTensorOf(codes, {codeType, shape}) {
  const byClass = [...CODES].find(([, {ArrayType, perByte}]) => !perByte && codes?.constructor === ArrayType);
  const dataType = codeType ?? byClass?.[0];
  const {ArrayType, perByte} = codesOf(dataType ?? 'DATA_TYPE_UINT8');
  if (dataType === undefined || !(codes instanceof ArrayType)) {
    throw new TypeError(`codes must be a typed array that holds ${dataType ?? 'codes'}, such as ${ArrayType.name}`);
  }
  if (perByte && !shape) {
    throw new TypeError(`shape must be given for packed codes of ${dataType}: the bytes do not say how many there are`);
  }
  return {dataType, shape: shapeOf(shape ?? [codes.length]), data: bytesOf(codes)};
}

function codesOf(codeType) {
  const codes = CODES.get(codeType);
  if (!codes) {
    throw new TypeError(`codeType must be one of ${[...CODES.keys()].join(', ')}, not ${codeType}`);
  }
  return codes;
}

function shapeOf(shape) {
  return Array.from(shape, (size) => integerOf('a size in shape', size, SIZE));
}

// A view. The elements are only copied once, into the message.
function bytesOf(elements) {
  return Buffer.from(elements.buffer, elements.byteOffset, elements.byteLength);
}

// The elements of an answer start anywhere in the buffer that gRPC received. A typed array has to start at
// a multiple of its elements' size. So the result is a view of the buffer where possible, and otherwise a copy.
function elementsOf(tensor, ArrayType, length) {
  const data = tensor?.data;
  const size = ArrayType.BYTES_PER_ELEMENT;
  if (data?.length !== length * size) {
    throw new Error(`the server answered ${data?.length ?? 'no'} bytes; expected ${length * size}: ` +
      'check that the versions of client and server match');
  }
  const bytes = data.byteOffset % size === 0 ? data : new Uint8Array(data);
  return new ArrayType(bytes.buffer, bytes.byteOffset, length);
}

/**
 * Checks what protobufjs does not check. It would replace an unknown name by the default, drop fractions and
 * all bits above 32, and treat any text as true.
 *
 * @param {Quantization} quantization
 */
function parametersAndSpecOf({
  min, max, scale, zeroPoint, axis, blockSize, numBits, narrowRange = false, quantMin, quantMax,
  numerics = 'NUMERICS_UNSPECIFIED', signedInput = false, rounding = 'ROUNDING_UNSPECIFIED',
}) {
  for (const [name, flag] of Object.entries({narrowRange, signedInput})) {
    if (typeof flag !== 'boolean') {
      throw new TypeError(`${name} must be true or false, not ${flag}`);
    }
  }
  if (!NUMERICS.includes(numerics)) {
    throw new TypeError(`numerics must be one of ${NUMERICS.join(', ')}, not ${numerics}`);
  }
  if (!ROUNDINGS.includes(rounding)) {
    throw new TypeError(`rounding must be one of ${ROUNDINGS.join(', ')}, not ${rounding}`);
  }
  const optional = (name, value, limits) => (value === undefined ? undefined : integerOf(name, value, limits));
  const spec = {
    numBits: optional('numBits', numBits, UINT32),
    narrowRange,
    numerics,
    quantMin: optional('quantMin', quantMin, INT32),
    quantMax: optional('quantMax', quantMax, INT32),
    signedInput,
    rounding,
  };
  const channels = {axis: optional('axis', axis, INT32)};
  if (scale === undefined) {
    return {range: {min: floatsOf('min', min), max: floatsOf('max', max), ...channels}, spec};
  }
  if (min !== undefined || max !== undefined) {
    throw new TypeError('give either min and max, or scale, but not both');
  }
  return {
    affine: {
      scale: floatsOf('scale', scale),
      zeroPoint: floatsOf('zeroPoint', zeroPoint).map((value) => integerOf('zeroPoint', value, INT32)),
      blockSize: optional('blockSize', blockSize, UINT32),
      ...channels,
    },
    spec,
  };
}

function floatsOf(name, values) {
  const floats = typeof values === 'number' ? [values] : Array.from(values ?? []);
  if (!floats.every((value) => typeof value === 'number')) {
    throw new TypeError(`${name} must be a number, or an array of numbers, not ${values}`);
  }
  return floats;
}

function integerOf(name, value, {lowest, highest}) {
  if (!Number.isSafeInteger(value) || value < lowest || value > highest) {
    throw new TypeError(`${name} must be an integer from ${lowest} to ${highest}, not ${value}`);
  }
  return value;
}

function nudgedRangeOf({nudgedRange}) {
  return nudgedRange ? {
    min: Float32Array.from(nudgedRange.min),
    max: Float32Array.from(nudgedRange.max),
    scale: Float32Array.from(nudgedRange.scale),
    zeroPoint: Int32Array.from(nudgedRange.zeroPoint),
  } : undefined;
}

// Returns the messages in the google.rpc.Status of a failed call. There are none if the error comes from gRPC
// itself, or if a proxy attached something that is not a Status. Unknown types, which a later server may add,
// are left out.
function detailsOf(error) {
  try {
    return error.metadata.get('grpc-status-details-bin')
      .flatMap((bytes) => schema['google.rpc.Status'].deserialize(bytes).details)
      .map(({type_url: url, value}) => ({type: url.slice(url.lastIndexOf('/') + 1), value}))
      .filter(({type}) => Object.hasOwn(schema, type))
      .map(({type, value}) => ({type, message: schema[type].deserialize(value)}));
  } catch {
    return [];
  }
}
