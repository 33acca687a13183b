/** How a client reaches a server: its address, TLS, a token, and what gRPC is to do with failed calls. */

import net from 'node:net';
import grpc from '@grpc/grpc-js';

// Linux's sun_path has 108 bytes, the last of which is zero.
const MAX_UNIX_PATH = 107;
const ADDRESS = /^(?:\[(?<ipv6>[^\]]*)\]|(?<host>[A-Za-z0-9_][A-Za-z0-9_.-]*)):(?<port>[0-9]{1,5})$/;

// All methods of the example are unary and only compute, so gRPC may make their calls again.
const SERVICE_CONFIG = JSON.stringify({
  methodConfig: [{
    name: [{service: 'quantd.v1.QuantizationService'}],
    retryPolicy: {
      maxAttempts: 5,
      initialBackoff: '0.1s',
      maxBackoff: '2s',
      backoffMultiplier: 2,
      retryableStatusCodes: ['UNAVAILABLE'],
    },
  }],
});

/**
 * @typedef {object} Connection
 * @property {string} target What gRPC connects to.
 * @property {grpc.ChannelCredentials} credentials
 * @property {grpc.ChannelOptions} options
 * @property {grpc.Metadata} metadata That of each call.
 */

/**
 * Checks what was given for a connection. Does not connect.
 *
 * @param {string} address
 * @param {object} options Those of QuantdClient's constructor.
 * @returns {Connection}
 * @throws {TypeError} If an argument is not what it has to be, or the token would be sent without encryption.
 */
export function connectionOf(address, {
  tls = false, rootCertificates, privateKey, certificateChain, serverName, credentials, token,
} = {}) {
  const {target, isLocal} = parse(address);
  for (const [name, pem] of Object.entries({rootCertificates, privateKey, certificateChain})) {
    if (pem !== undefined && !Buffer.isBuffer(pem)) {
      throw new TypeError(`${name} must be a Buffer with the contents of a PEM file: pass fs.readFileSync(...)`);
    }
  }
  if (!privateKey !== !certificateChain) {
    throw new TypeError('privateKey and certificateChain must be given together, or neither of them');
  }
  const isEncrypted = Boolean(tls || rootCertificates || privateKey);
  if (isEncrypted && credentials) {
    throw new TypeError('give either credentials, or tls and certificates, but not both');
  }
  if (serverName !== undefined && !isEncrypted) {
    throw new TypeError('serverName must be given with tls or rootCertificates');
  }
  const metadata = new grpc.Metadata();
  if (token !== undefined) {
    metadata.set('authorization', `Bearer ${checkedToken(token)}`);
    if (!isEncrypted && !credentials && !isLocal) {
      throw new TypeError(`token must not be sent to ${address} without encryption: pass tls: true or rootCertificates`);
    }
  }
  const options = {
    // By default, gRPC clients reject answers over 4 MiB.
    'grpc.max_receive_message_length': -1,
    'grpc.service_config': SERVICE_CONFIG,
    // gRPC only retries calls that fit in here.
    'grpc.per_rpc_retry_buffer_size': 2 ** 28,
    'grpc.retry_buffer_size': 2 ** 30,
  };
  if (isLocal) {
    // What stays on this machine does not go through a proxy.
    options['grpc.enable_http_proxy'] = 0;
  }
  if (serverName !== undefined) {
    options['grpc.ssl_target_name_override'] = serverName;
  }
  return {
    target,
    credentials: credentials ?? (isEncrypted
      ? grpc.credentials.createSsl(rootCertificates ?? null, privateKey ?? null, certificateChain ?? null)
      : grpc.credentials.createInsecure()),
    options,
    metadata,
  };
}

function parse(address) {
  const refuse = (problem) => {
    throw new TypeError('address must be HOST:PORT, with an IPv6 address in brackets, or unix:PATH, such as ' +
      `localhost:50051, not ${address}: ${problem}`);
  };
  if (typeof address !== 'string') {
    refuse('it is not a string');
  }
  if (address.startsWith('unix:')) {
    const size = Buffer.byteLength(address.slice('unix:'.length));
    if (size === 0 || size > MAX_UNIX_PATH) {
      refuse(`its path has ${size} bytes, and that of a unix socket 1 to ${MAX_UNIX_PATH}`);
    }
    return {target: address, isLocal: true};
  }
  const {ipv6, host, port} = ADDRESS.exec(address)?.groups ?? refuse('it has another form');
  if (Number(port) < 1 || Number(port) > 65535) {
    refuse('its port is not from 1 to 65535');
  }
  if (ipv6 !== undefined && !net.isIPv6(ipv6)) {
    refuse('there is no IPv6 address in the brackets');
  }
  if (/(^|\.)[0-9]+$/.test(host ?? '') && !net.isIPv4(host)) {
    refuse('it is not an IPv4 address');
  }
  // Without the scheme, gRPC would take a host called "dns" for one.
  return {target: `dns:${address}`, isLocal: ipv6 === '::1' || /^(localhost|127(\.[0-9]+){3})$/i.test(host ?? '')};
}

function checkedToken(token) {
  const text = typeof token === 'string' ? token.trim() : '';
  if (!/^[!-~]+$/.test(text)) {
    throw new TypeError('token must be a string of visible ASCII characters without spaces: pass what follows "Bearer "');
  }
  return text;
}
