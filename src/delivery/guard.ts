/**
 * The guard of deliveries outside Workers, where a public name may lead inside a network: the connection is made to the very addresses
 * that were judged, so a name cannot change between the look and its use (DNS rebinding).
 */
import { lookup } from 'node:dns';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { isPublicAddress } from '../formats/public-address.ts';
import type { DeliveryAnswer, Send } from './send.ts';

export interface GuardOptions {
  /** Default: the system's resolver. */
  resolve?: typeof lookup;
  /** Default: isPublicAddress. */
  isPublic?: (address: string) => boolean;
  /** Certificates to trust in place of the system's, as PEM. */
  ca?: string;
}

/** Of a connection that waits for the next delivery: most servers wait longer, so few end it just as it is used again. */
const IDLE_MS = 4_000;
/** So much of an answer that nobody reads is taken, and for so long, so that its connection can be used again. */
const REST_BYTES = 16_384;
const REST_MS = 1_000;

class PrivateAddress extends Error {
  override readonly name = 'PrivateAddress';

  /** It does not say which one: whoever may name a destination would learn what is inside. */
  constructor(host: string) {
    super(`${host} leads to an address that is not public`);
  }
}

/** @returns what sends over https, to names that lead to public addresses alone, and to addresses that stand in the URL itself */
export function openGuard({ resolve = lookup, isPublic = isPublicAddress, ca }: GuardOptions = {}): Send {
  // Not the agent that the rest of the process uses: its connections may lead anywhere. And no proxy of the environment, which
  // would look names up by itself.
  const agent = new Agent({ keepAlive: true, timeout: IDLE_MS, proxyEnv: {} });
  const options = { agent, lookup: guardLookup(resolve, isPublic), ...(ca === undefined ? {} : { ca }) };
  return (url, { method, headers, body, signal }) => {
    const { promise, resolve: settle, reject } = Promise.withResolvers<DeliveryAnswer>();
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const sent = { ...Object.fromEntries(headers), 'content-length': body.length };
    const call = request(url.href, { ...options, method, headers: sent, signal });
    call.once('socket', (socket) => {
      // Once more, on the connection itself: nothing is sent where a runtime has not asked our resolver.
      const send = () => {
        if (isIP(host) !== 0 || isPublic(socket.remoteAddress ?? '')) call.end(body);
        else call.destroy(new PrivateAddress(host));
      };
      if (socket.connecting) socket.once('secureConnect', send);
      else send();
    });
    call.once('response', (message) => settle(toAnswer(message)));
    call.on('error', (error) => reject(error instanceof AggregateError ? error.errors[0] : error)); // one for each address
    call.once('close', () => reject(new Error('the connection was closed'))); // as after 101, which is no answer
    return promise;
  };
}

export const sendGuarded = openGuard();

/** One private address among others refuses the name: which of them would be taken is for the network to say. */
function guardLookup(resolve: typeof lookup, isPublic: (address: string) => boolean): LookupFunction {
  return (host, options, callback) => {
    resolve(host, { ...options, all: true }, (error, found) => {
      const [first] = found ?? [];
      if (error || !first) callback(error ?? new Error(`${host} has no address`), []);
      else if (!found.every(({ address }) => isPublic(address))) callback(new PrivateAddress(host), []);
      else if (options.all) callback(null, found);
      else callback(null, first.address, first.family);
    });
  };
}

function toAnswer(message: IncomingMessage): DeliveryAnswer {
  message.on('error', () => {}); // whoever reads is told of it
  const get = (name: string) => message.headers[name]?.toString() ?? null;
  return { status: message.statusCode ?? 0, headers: { get }, body: toStream(message) };
}

/** Takes from the connection what is read, and no more. */
function toStream(message: IncomingMessage): ReadableStream<Uint8Array> {
  let chunks: AsyncIterator<Uint8Array> | undefined;
  const source: UnderlyingSource<Uint8Array> = {
    async pull(controller) {
      chunks ??= message[Symbol.asyncIterator]();
      const { done, value } = await chunks.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel() {
      if (chunks) message.destroy();
      else letPass(message);
    },
  };
  return new ReadableStream(source, { highWaterMark: 0 });
}

function letPass(message: IncomingMessage): void {
  let bytes = 0;
  const timer = setTimeout(() => message.destroy(), REST_MS);
  message.on('data', ({ length }: Uint8Array) => {
    bytes += length;
    if (bytes > REST_BYTES) message.destroy();
  });
  message.once('end', () => clearTimeout(timer)).once('close', () => clearTimeout(timer));
}
