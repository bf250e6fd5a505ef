/** Handshakes: what a provider asks before it sends events, as data. Answered at once; nothing is enqueued. */
import { toHex, utf8 } from '../formats/bytes.ts';
import { valueAt } from './field.ts';
import { Rejected, thrown } from './rejected.ts';
import type { WebhookRequest } from './scheme.ts';
import { findPlace } from './verify.ts';

/** An answer of fixed text. */
export interface Reply {
  status: 200 | 201 | 202 | 204;
  /** Content type. Default: plain text. */
  type?: string;
  /** A 204 has none. */
  body?: string;
  headers?: Record<string, string>;
}

/** What the sender gave, and by which method. */
export interface HandshakeRequest extends WebhookRequest {
  method: string;
}

export const METHODS = ['GET', 'HEAD', 'OPTIONS', 'POST'] as const;

/** Which requests ask. Places are headers, `?parameters` of the query, and `.fields` of the body. */
interface Question {
  /** Default POST. */
  method?: (typeof METHODS)[number];
  /** A POST that is answered without a proof, and while the source is closed. The others never have one, and always are. */
  unsigned?: true;
  /** What stands at each of these places; undefined: nothing. */
  when?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Where a token stands that must be one of those in the binding `verifyToken`. */
  token?: string;
}

/** An answer by rule: `{echo}` and `{hmac}` stand for what is asked, in `text`, in all texts of `json`, and in `headers`. */
export interface HandshakeRule extends Question {
  /** The place of what is sent back. Without such a text, of at most 1,024 visible characters, nothing was asked. */
  echo?: string;
  /** How `{hmac}` is written: the HMAC-SHA-256 of `{echo}` with the secret. That must be one word then. */
  hmac?: 'hex' | 'base64';
  /** Default 200. */
  status?: Reply['status'];
  text?: string;
  json?: Readonly<Record<string, unknown>>;
  headers?: Readonly<Record<string, string>>;
}

/** An answer by your own code. */
export interface HandshakeFunction extends Question {
  /**
   * It must be quick, because the sender waits.
   * @param secret the one that matched; before the proof the first that holds, or ''
   * @returns undefined where nothing was asked
   */
  answer: (asked: HandshakeRequest, secret: string) => Promise<Reply | undefined> | Reply | undefined;
}

export type Handshake = HandshakeRule | HandshakeFunction;

/** What the Worker's bindings give for an answer. */
export interface Keys {
  /** Those that hold now. */
  secrets: string[];
  /** Of which a subscription must have one. */
  tokens: () => string[];
  /** Why the source takes nothing, for an operator: it names bindings, and nothing of what is in them. */
  closed?: string;
}

/** What is sent back must not be a page, nor break a header. */
const CHALLENGE = /^[\x20-\x7e]{1,1024}$/;
/** Under the secret that signs events: whoever may choose the text must not get an event signed. */
const WORD = /^[\w+/=.~-]{1,1024}$/;

/**
 * @param proved the secret that matched; undefined before the proof, when only those that need none are asked
 * @returns the first answer that there is
 * @throws Rejected
 */
export async function greet(
  rules: readonly Handshake[],
  asked: HandshakeRequest,
  { secrets, closed, tokens }: Keys,
  proved?: string,
): Promise<Reply | undefined> {
  for (const rule of rules) {
    const needsProof = asked.method === 'POST' && !rule.unsigned;
    if (needsProof !== (proved !== undefined) || !isAsked(rule, asked)) continue;
    if (rule.token) await requireOneOf(tokens(), valueAt(rule.token, asked));
    const secret = proved || (closed ? '' : secrets[0]) || '';
    const reply = await ('answer' in rule ? makeAnswer(rule, asked, secret) : makeReply(rule, asked, secret));
    if (reply) return reply;
  }
  return undefined;
}

function isAsked({ method = 'POST', when = {} }: Question, asked: HandshakeRequest): boolean {
  return method === asked.method && Object.entries(when).every(([place, value]) => valueAt(place, asked) === value);
}

/** @throws Rejected */
async function requireOneOf(tokens: string[], given: unknown): Promise<void> {
  if (tokens.length === 0) throw new Rejected('closed');
  if ((await findPlace(typeof given === 'string' ? given : '', tokens)) < 0) throw new Rejected('token');
}

async function makeAnswer(
  { answer }: HandshakeFunction,
  asked: HandshakeRequest,
  secret: string,
): Promise<Reply | undefined> {
  try {
    return await answer(asked, secret);
  } catch (error) {
    throw thrown(error);
  }
}

async function makeReply(rule: HandshakeRule, asked: HandshakeRequest, secret: string): Promise<Reply | undefined> {
  const { echo: place, hmac: form, status = 200, text = '', json, headers = {} } = rule;
  const echo = place ? valueAt(place, asked) : '';
  if (typeof echo !== 'string' || (place && !(form ? WORD : CHALLENGE).test(echo))) return undefined;
  const values = { echo, hmac: form ? await computeHmac(echo, secret, form) : '' };
  const fill = (template: string) =>
    template.replace(/\{(echo|hmac)\}/g, (_, name: keyof typeof values) => values[name]);
  const filled = (_: string, value: unknown) => (typeof value === 'string' ? fill(value) : value);
  return {
    status,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, fill(value)])),
    ...(json ? { type: 'application/json', body: JSON.stringify(json, filled) } : { body: fill(text) }),
  };
}

/** @throws Rejected where there is no secret */
async function computeHmac(text: string, secret: string, form: 'hex' | 'base64'): Promise<string> {
  if (secret === '') throw new Rejected('closed');
  const key = await crypto.subtle.importKey('raw', utf8(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  const mac = await crypto.subtle.sign('HMAC', key, utf8(text));
  return form === 'hex' ? toHex(mac) : btoa(String.fromCharCode(...new Uint8Array(mac)));
}
