/**
 * A client of quantd: TensorFlow's fake quantization of Float32Arrays.
 *
 * Reads the schema at run time, from the repository's proto/. Whoever copies this
 * file copies that folder, too, and mends PROTO_FOLDER.
 */

import os from 'node:os';
import {fileURLToPath} from 'node:url';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';

const PROTO_FOLDER = fileURLToPath(new URL('../../../proto', import.meta.url));

// Tensors travel little endian, typed arrays have the order of the machine.
if (os.endianness() !== 'LE') {
  throw new Error('quantd.js sends typed arrays as they lie in memory, and quantd takes little endian: ' +
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
 * How to quantize.
 *
 * @typedef {object} Quantization
 * @property {number | ArrayLike<number>} min The lower end of the range, float32; with an axis, one for each channel.
 * @property {number | ArrayLike<number>} max The upper end; as many as min.
 * @property {number} [axis] The dimension of the channels, -rank..rank-1; left out, the whole tensor has one range.
 * @property {number[]} [shape] The tensor's dimensions, in C order; [] is a scalar. One dimension when left out.
 * @property {number} [numBits] 2..16; 8 when left out.
 * @property {boolean} [narrowRange] Whether the lowest code is 1 instead of 0; TensorFlow's narrow_range.
 * @property {'NUMERICS_TENSORFLOW' | 'NUMERICS_TENSORFLOW_ARGS'} [numerics] Whose last bit to reproduce;
 *   NUMERICS_TENSORFLOW when left out. quantization.proto tells the difference.
 */

/**
 * The range that was really used, so that zero is exactly a code. One value for each channel.
 *
 * @typedef {object} NudgedRange
 * @property {Float32Array} min
 * @property {Float32Array} max
 * @property {Float32Array} scale
 * @property {Int32Array} zeroPoint
 */

/** The codes that a call may fail with. */
export const {status} = grpc;

/** A call that failed. */
export class QuantdError extends Error {
  /** @param {grpc.ServiceError} cause What gRPC says. */
  constructor(cause) {
    super(cause.details, {cause});
    this.name = 'QuantdError';
    /** The gRPC status code, one of status. */
    this.code = cause.code;
    /**
     * The cause for programs, such as 'INVALID_RANGE'; undefined where the error is not quantd's own.
     * @type {string | undefined}
     */
    this.reason = undefined;
    /**
     * The path of the field at fault, such as 'range.min[3]'; undefined where there is none.
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

/** A connection to quantd. Calls may be made at the same time. */
export class QuantdClient {
  #service;
  #timeoutMilliseconds;

  /**
   * Connects with the first call, not before.
   *
   * @param {string} [address] HOST:PORT or unix:PATH.
   * @param {object} [options]
   * @param {number} [options.timeoutMilliseconds] How long a call may take.
   * @param {grpc.ChannelCredentials} [options.credentials] For TLS, where a proxy speaks it.
   */
  constructor(address = 'localhost:50051', {
    timeoutMilliseconds = 60_000,
    credentials = grpc.credentials.createInsecure(),
  } = {}) {
    // gRPC clients by default refuse answers over 4 MiB.
    this.#service = new QuantizationService(address, credentials, {'grpc.max_receive_message_length': -1});
    this.#timeoutMilliseconds = timeoutMilliseconds;
  }

  /**
   * Rounds every element to the nearest value that a code stands for.
   *
   * @param {Float32Array} input In C order. NaN gives NaN, an infinity the end of the range.
   * @param {Quantization} quantization
   * @returns {Promise<{output: Float32Array, nudgedRange: NudgedRange}>} The output has the input's shape.
   * @throws {QuantdError} Where the call fails.
   * @throws {TypeError} Where a message cannot hold an argument.
   * @throws {Error} Where the answer does not fit the request.
   */
  async fakeQuantize(input, quantization) {
    const response = await this.#call('FakeQuantize', {
      input: tensorOf('input', input, quantization.shape),
      ...rangeAndSpecOf(quantization),
    });
    return {output: elementsOf(response.output, input), nudgedRange: nudgedRangeOf(response)};
  }

  /**
   * The gradient of fakeQuantize with respect to its input, min and max.
   *
   * @param {Float32Array} gradients Of the loss with respect to fakeQuantize's output; in C order.
   * @param {Float32Array} inputs What fakeQuantize was given; of the same shape.
   * @param {Quantization} quantization What fakeQuantize was given.
   * @returns {Promise<{inputGradients: Float32Array, minGradient: Float32Array, maxGradient: Float32Array,
   *   nudgedRange: NudgedRange}>} inputGradients has the shape of inputs, the other gradients have one value
   *   for each channel.
   * @throws {QuantdError} Where the call fails.
   * @throws {TypeError} Where a message cannot hold an argument.
   * @throws {Error} Where the answer does not fit the request.
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

  /** Ends the connection. Await the calls first. */
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
    throw new TypeError(`${name} must be a Float32Array; Float32Array.from() makes one of any numbers`);
  }
  return {
    dataType: 'DATA_TYPE_FLOAT32',
    shape: Array.from(shape, (size) => integerOf('a size in shape', size, SIZE)),
    // A view: the elements are copied once, into the message.
    data: Buffer.from(elements.buffer, elements.byteOffset, elements.byteLength),
  };
}

// An answer's elements lie somewhere in the memory that gRPC received. Where that is a multiple of
// 4, they are only looked at; a Float32Array cannot begin elsewhere, so that they are copied there.
function elementsOf(tensor, input) {
  const data = tensor?.data;
  if (data?.length !== input.byteLength) {
    throw new Error(`the server answered ${data?.length ?? 'no'} bytes, where ${input.byteLength} were expected; ` +
      'check that client and server are of matching versions');
  }
  const bytes = data.byteOffset % Float32Array.BYTES_PER_ELEMENT === 0 ? data : new Uint8Array(data);
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / Float32Array.BYTES_PER_ELEMENT);
}

/**
 * Checks what protobufjs would not: it takes an unknown name for the default, drops fractions and what is
 * beyond 32 bits, and any text for true.
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

// The messages within the google.rpc.Status that a failed call carries; none where gRPC itself made the
// error, or a proxy attached what is no Status. Types that a later server may add are left to others.
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
