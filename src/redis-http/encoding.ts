/**
 * From Redis' replies to the service's JSON.
 *
 * Pure. With base64 every string of a result is encoded, except a top-level
 * OK. Inside an array "OK" is encoded like any other: the SDK decodes a string
 * there without looking, and a raw "OK" would come out as the number 8.
 *
 * A stored value "OK" read back by GET is left raw too, since ioredis does not
 * tell a status from a string. The service would encode it; the SDK reads both
 * the same.
 */
import type { Reply, Value } from './reply.ts';

export type Encoded = { result: unknown } | { error: string };

export function encodeReply(reply: Reply, base64: boolean): Encoded {
  if ('error' in reply) return reply;
  const { result } = reply;
  if (result instanceof Uint8Array && isOk(result)) return { result: 'OK' };
  return { result: base64 ? inBase64(result) : inUtf8(result) };
}

/** Bytes of a reply as Redis holds it: what the limit for one result is about. */
export function bytesOf(value: Value): number {
  if (value === null) return 0;
  if (Array.isArray(value)) return value.reduce<number>((sum, element) => sum + bytesOf(element), 0);
  if (typeof value === 'number') return String(value).length;
  return value instanceof Error ? value.message.length : value.length;
}

/** Plain text for reading; what is not valid UTF-8 becomes U+FFFD, as at the service. */
export function inUtf8(value: Value): unknown {
  if (value instanceof Uint8Array) return value.toString('utf8');
  if (isInteger(value)) return integer(value);
  if (Array.isArray(value)) return value.map(inUtf8);
  return value === null ? null : value.message;
}

function inBase64(value: Value): unknown {
  if (value instanceof Uint8Array) return value.toString('base64');
  if (isInteger(value)) {
    const number = integer(value);
    // A string by now, so the SDK will decode it: left raw, its digits would turn into noise.
    return typeof number === 'string' ? Buffer.from(number).toString('base64') : number;
  }
  if (Array.isArray(value)) return value.map(inBase64);
  return value === null ? null : Buffer.from(value.message).toString('base64');
}

function isInteger(value: Value): value is string | number {
  return typeof value === 'string' || typeof value === 'number';
}

/** JSON numbers end at 2^53; above, the service sends the digits as a string. */
function integer(digits: string | number): number | string {
  const number = Number(digits);
  return Number.isSafeInteger(number) ? number : String(digits);
}

function isOk(value: Buffer): boolean {
  return value.length === 2 && value[0] === 0x4f && value[1] === 0x4b;
}
