/**
 * A client for quantd: TensorFlow's fake quantization for Float32Arrays.
 *
 * Reads the schema at run time from the repository's proto/. If you copy this file, copy
 * that folder as well, and adjust PROTO_FOLDER.
 */

import os from 'node:os';
import {fileURLToPath} from 'node:url';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';

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
const SIZE = {lowest: 0, highest: Number.MAX_SAFE_INTEGER};
const INT32 = {lowest: -(2 ** 31), highest: 2 ** 31 - 1};
const UINT32 = {lowest: 0, highest: 2 ** 32 - 1};

/**
 * Describes how to quantize.
 *
 * @typedef {object} Quantization
 * @property {number | ArrayLike<number>} min The lower end of the range, float32; with an axis, one per channel.
 * @property {number | ArrayLike<number>} max The upper end of the range; as many values as min.
 * @property {number} [axis] The dimension of the channels, -rank..rank-1. By default, the whole tensor has one range.
 * @property {number[]} [shape] The tensor's dimensions, in C order; [] is a scalar. By default, there is one dimension.
 * @property {number} [numBits] From 2 to 16; 8 by default.
 * @property {boolean} [narrowRange] Whether the lowest code is 1 instead of 0, like TensorFlow's narrow_range.
 * @property {'NUMERICS_TENSORFLOW' | 'NUMERICS_TENSORFLOW_ARGS'} [numerics] The op whose last bit to reproduce;
 *   NUMERICS_TENSORFLOW by default. quantization.proto explains the difference.
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
  #timeoutMilliseconds;

  /**
   * Creates a client. It connects when the first call is made.
   *
   * @param {string} [address] HOST:PORT or unix:PATH.
   * @param {object} [options]
   * @param {number} [options.timeoutMilliseconds] How long a call may take.
   * @param {grpc.ChannelCredentials} [options.credentials] Credentials for TLS, if a proxy terminates it.
   */
  constructor(address = 'localhost:50051', {
    timeoutMilliseconds = 60_000,
    credentials = grpc.credentials.createInsecure(),
  } = {}) {
    // By default, gRPC clients reject answers over 4 MiB.
    this.#service = new QuantizationService(address, credentials, {'grpc.max_receive_message_length': -1});
    this.#timeoutMilliseconds = timeoutMilliseconds;
  }

  /**
   * Rounds every element to the nearest value that a code represents.
   *
   * @param {Float32Array} input The tensor in C order. NaN results in NaN, and an infinity in the nearest end
   *   of the range.
   * @param {Quantization} quantization
   * @returns {Promise<{output: Float32Array, nudgedRange: NudgedRange}>} The output has the input's shape.
   * @throws {QuantdError} If the call fails.
   * @throws {TypeError} If an argument cannot be represented in a message.
   * @throws {Error} If the answer does not match the request.
   */
  async fakeQuantize(input, quantization) {
    const response = await this.#call('FakeQuantize', {
      input: tensorOf('input', input, quantization.shape),
      ...rangeAndSpecOf(quantization),
    });
    return {output: elementsOf(response.output, input), nudgedRange: nudgedRangeOf(response)};
  }

  /**
   * Computes the gradient of fakeQuantize with respect to its input, min and max.
   *
   * @param {Float32Array} gradients The gradient of the loss with respect to fakeQuantize's output, in C order.
   * @param {Float32Array} inputs The input of fakeQuantize, in the same shape.
   * @param {Quantization} quantization The quantization that was passed to fakeQuantize.
   * @returns {Promise<{inputGradients: Float32Array, minGradient: Float32Array, maxGradient: Float32Array,
   *   nudgedRange: NudgedRange}>} inputGradients has the shape of inputs; the other gradients have one value
   *   per channel.
   * @throws {QuantdError} If the call fails.
   * @throws {TypeError} If an argument cannot be represented in a message.
   * @throws {Error} If the answer does not match the request.
   */
  async fakeQuantizeGradient(gradients, inputs, quantization) {
    const response = await this.#call('FakeQuantizeGradient', {
      gradients: tensorOf('gradients', gradients, quantization.shape),
      inputs: tensorOf('inputs', inputs, quantization.shape),
      ...rangeAndSpecOf(quantization),
    });
    return {
      inputGradients: elementsOf(response.inputGradients, inputs),
      minGradient: Float32Array.from(response.minGradient),
      maxGradient: Float32Array.from(response.maxGradient),
      nudgedRange: nudgedRangeOf(response),
    };
  }

  /** Closes the connection. Await all calls first. */
  close() {
    this.#service.close();
  }

  #call(method, request) {
    const options = {deadline: Date.now() + this.#timeoutMilliseconds};
    return new Promise((resolve, reject) => {
      this.#service[method](request, options, (error, response) => {
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
  return {
    dataType: 'DATA_TYPE_FLOAT32',
    shape: Array.from(shape, (size) => integerOf('a size in shape', size, SIZE)),
    // This is a view. The elements are only copied once, into the message.
    data: Buffer.from(elements.buffer, elements.byteOffset, elements.byteLength),
  };
}

// The elements of an answer start anywhere in the buffer that gRPC received. A Float32Array has to start at
// a multiple of 4 bytes. So the result is a view of the buffer where possible, and otherwise a copy.
function elementsOf(tensor, input) {
  const data = tensor?.data;
  if (data?.length !== input.byteLength) {
    throw new Error(`the server answered ${data?.length ?? 'no'} bytes; expected ${input.byteLength}: ` +
      'check that the versions of client and server match');
  }
  const bytes = data.byteOffset % Float32Array.BYTES_PER_ELEMENT === 0 ? data : new Uint8Array(data);
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / Float32Array.BYTES_PER_ELEMENT);
}

/**
 * Checks what protobufjs does not check. It would replace an unknown name by the default, drop fractions and
 * all bits above 32, and treat any text as true.
 *
 * @param {Quantization} quantization
 */
function rangeAndSpecOf({min, max, axis, numBits, narrowRange = false, numerics = 'NUMERICS_TENSORFLOW'}) {
  if (typeof narrowRange !== 'boolean') {
    throw new TypeError(`narrowRange must be true or false, not ${narrowRange}`);
  }
  if (!NUMERICS.includes(numerics)) {
    throw new TypeError(`numerics must be one of ${NUMERICS.join(', ')}, not ${numerics}`);
  }
  return {
    range: {
      min: floatsOf('min', min),
      max: floatsOf('max', max),
      axis: axis === undefined ? undefined : integerOf('axis', axis, INT32),
    },
    spec: {
      numBits: numBits === undefined ? undefined : integerOf('numBits', numBits, UINT32),
      narrowRange,
      numerics,
    },
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
  return {
    min: Float32Array.from(nudgedRange.min),
    max: Float32Array.from(nudgedRange.max),
    scale: Float32Array.from(nudgedRange.scale),
    zeroPoint: Int32Array.from(nudgedRange.zeroPoint),
  };
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
