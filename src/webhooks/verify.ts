/**
 * The verifier: whether a request is its sender's, by any of a source's schemes. Compares in constant time; never throws.
 *
 * The signature comes first and its age second, so that a `timestamp` counts what was truly signed, but too long ago.
 */
import { type Bytes, fromBase64, fromHex, utf8 } from '../formats/bytes.ts';
import { signedContents } from './content.ts';
import { readField } from './field.ts';
import type { CustomVerify, Scheme, SecretScheme, SignatureScheme, SignedTime, WebhookRequest } from './scheme.ts';

export type Verdict =
  | {
      /** The secret that matched; '' where there is none. */
      secret: string;
      /** The delivery's, where the signature covers it. */
      id?: string;
    }
  | { reason: 'signature' | 'timestamp' };

/** The most signatures of one header that are tried. */
const MAX_SIGNATURES = 8;
const CUSTOM_MS = 2_000;
const WRONG: Verdict = { reason: 'signature' };

/** @param schemes any of them will do; none: anybody may send */
export async function verify(
  schemes: readonly Scheme[],
  arrived: WebhookRequest,
  secrets: readonly string[],
): Promise<Verdict> {
  if (schemes.length === 0) return { secret: '' };
  let verdict = WRONG;
  for (const scheme of schemes) {
    const next = await verifyBy(scheme, arrived, secrets);
    if (!('reason' in next)) return next;
    if (next.reason === 'timestamp') verdict = next;
  }
  return verdict;
}

function verifyBy(scheme: Scheme, arrived: WebhookRequest, secrets: readonly string[]): Promise<Verdict> {
  if (typeof scheme === 'function') return verifyCustom(scheme, arrived, secrets);
  return 'signature' in scheme ? verifySignature(scheme, arrived, secrets) : verifySecret(scheme, arrived, secrets);
}

async function verifyCustom(
  custom: CustomVerify,
  arrived: WebhookRequest,
  secrets: readonly string[],
): Promise<Verdict> {
  try {
    const late = new Promise<false>((resolve) => setTimeout(resolve, CUSTOM_MS, false));
    const verdict = await Promise.race([custom(arrived, secrets), late]);
    if (verdict === true) return { secret: '' };
    return verdict && typeof verdict.id === 'string' ? { secret: '', id: verdict.id } : WRONG;
  } catch {
    return WRONG;
  }
}

async function verifySecret(
  { header, prefix = '', base64 }: SecretScheme,
  { headers }: WebhookRequest,
  secrets: readonly string[],
): Promise<Verdict> {
  const form = (secret: string) => (base64 ? btoa(String.fromCharCode(...utf8(secret))) : secret);
  const given = headers.get(header) ?? '';
  const place = await findPlace(given.slice(prefix.length), secrets.map(form));
  const secret = secrets[place];
  // The name of an authentication scheme is one in any case (RFC 9110, 11.1).
  const isMarked = given.slice(0, prefix.length).toLowerCase() === prefix.toLowerCase();
  return secret === undefined || !isMarked ? WRONG : { secret };
}

/** @returns where among these texts the given one stands, or -1 */
export async function findPlace(given: string, texts: readonly string[]): Promise<number> {
  const wanted = await digest(given);
  const digests = await Promise.all(texts.map(digest));
  return digests.map((one) => isEqual(wanted, one)).indexOf(true);
}

const digest = async (text: string) => new Uint8Array(await crypto.subtle.digest('SHA-256', utf8(text)));

/** Of digests: how long it takes tells nothing of what they are of. */
function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.reduce((difference, byte, i) => difference | (byte ^ (b[i] ?? 256)), 0) === 0;
}

async function verifySignature(
  scheme: SignatureScheme,
  arrived: WebhookRequest,
  secrets: readonly string[],
): Promise<Verdict> {
  const given = givenIn(scheme, arrived.headers);
  if (!given) return WRONG;
  const contents = await signedContents(scheme.content ?? '{body}', given, arrived);
  for (const secret of secrets) {
    const bytes = readKey(scheme, secret);
    const key = bytes && (await importKey(scheme, bytes));
    if (!key || !(await isSigned(scheme, key, given.signatures, contents))) continue;
    if (!isFresh(scheme, given.time, arrived)) return { reason: 'timestamp' };
    return { secret, ...(scheme.id ? { id: given.id } : {}) };
  }
  return WRONG;
}

interface SignatureInput {
  signatures: Bytes[];
  id: string;
  time: string;
}

/** @returns undefined where something is missing, misspelt, or there twice */
function givenIn(scheme: SignatureScheme, headers: Headers): SignatureInput | undefined {
  const { separator, mark = '', time } = scheme;
  const value = headers.get(scheme.signature) ?? '';
  if (value.includes(', ')) return undefined; // the header came twice
  const items = separator ? value.split(separator) : [value];
  const decode = scheme.encoding === 'base64' ? fromBase64 : fromHex;
  const signatures = after(items, mark)
    .slice(0, MAX_SIGNATURES)
    .flatMap((text) => decode(text) ?? []);
  const id = scheme.id ? (headers.get(scheme.id) ?? '') : '';
  const [at = '', ...others] = time?.header
    ? [headers.get(time.header) ?? '']
    : time?.item
      ? after(items, time.item)
      : [];
  const form = time?.unit === 'iso' ? ISO : /^\d{1,15}$/;
  const isTimed = time === undefined || time.body !== undefined || (form.test(at) && others.length === 0);
  const isNamed = !scheme.id || /^[^.,\s]{1,256}$/.test(id); // a dot would shift the parts that are signed
  return signatures.length > 0 && isTimed && isNamed ? { signatures, id, time: at } : undefined;
}

const after = (items: string[], mark: string) =>
  items.filter((item) => item.startsWith(mark)).map((item) => item.slice(mark.length));

/** Whether somebody who has this secret can prove it by this scheme, and nobody by guessing. */
export function canUse(scheme: Scheme, secret: string): boolean {
  if (typeof scheme === 'function') return true;
  if (!('signature' in scheme)) return !scheme.base64 || secret.includes(':');
  const { length = 0 } = readKey(scheme, secret) ?? {};
  const [least, most] = scheme.algorithm === 'Ed25519' ? [32, 32] : (scheme.keyBytes ?? [1, length]);
  return length >= least && length <= most;
}

/** @returns undefined where the secret is not one of this scheme */
function readKey({ key = 'text', keyPrefix = '' }: SignatureScheme, secret: string): Bytes | undefined {
  if (!secret.startsWith(keyPrefix)) return undefined;
  const text = secret.slice(keyPrefix.length);
  if (key === 'text') return utf8(text);
  return key === 'hex' ? fromHex(text) : fromBase64(text);
}

const chooseAlgorithm = ({ algorithm = 'SHA-256' }: SignatureScheme) =>
  algorithm === 'Ed25519' ? { name: algorithm } : { name: 'HMAC', hash: algorithm };

/** Not by its name, which not every platform has among its global types. */
type Key = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

async function importKey(scheme: SignatureScheme, bytes: Bytes): Promise<Key | undefined> {
  try {
    return await crypto.subtle.importKey('raw', bytes, chooseAlgorithm(scheme), false, ['verify']);
  } catch {
    return undefined; // of a wrong length
  }
}

async function isSigned(scheme: SignatureScheme, key: Key, signatures: Bytes[], contents: Bytes[]): Promise<boolean> {
  for (const content of contents) {
    for (const signature of signatures) {
      if (await crypto.subtle.verify(chooseAlgorithm(scheme).name, key, signature, content)) return true;
    }
  }
  return false;
}

/** With its offset, so that it is one instant. */
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;

function isFresh({ time }: SignatureScheme, given: string, { body, nowMs }: WebhookRequest): boolean {
  if (!time) return true;
  const at = time.body ? readField(body(), time.body) : time.unit === 'iso' ? given : Number(given);
  return Math.abs(nowMs - toMillis(at, time)) <= time.toleranceS * 1_000;
}

/** @returns NaN where it is no instant of that form: it is never fresh */
function toMillis(at: unknown, { unit }: SignedTime): number {
  if (unit === 'iso') return typeof at === 'string' && ISO.test(at) ? Date.parse(at) : Number.NaN;
  return typeof at === 'number' ? at * (unit === 'ms' ? 1 : 1_000) : Number.NaN;
}
