/** Handshakes: what a provider asks before it sends events. Answered at once; nothing is enqueued. */
import { toHex, utf8 } from '../bytes.ts';
import { fieldOf } from './field.ts';

/** An answer of fixed text. */
export interface Reply {
  status: 200 | 201 | 202 | 204;
  /** Content type. Default: plain text. */
  type?: string;
  /** A 204 has none. */
  body?: string;
}

/** A challenge is text of a kilobyte at most: what is sent back must not be a page. */
const MAX_CHALLENGE = 1_024;

const challenge = (value: unknown): Reply | undefined =>
  typeof value === 'string' && value !== '' && value.length <= MAX_CHALLENGE ? { status: 200, body: value } : undefined;

const json = (value: object): Reply => ({ status: 200, type: 'application/json', body: JSON.stringify(value) });

/** What a request asks that is signed. @returns undefined where it is an event */
export type Handshake = (body: unknown, secret: string) => Promise<Reply | undefined> | Reply | undefined;

export const slackChallenge: Handshake = (body) =>
  fieldOf(body, 'type') === 'url_verification' ? challenge(fieldOf(body, 'challenge')) : undefined;

/** Interactions ask with type 1; webhook events with type 0, and with type 1 they are events. */
export const discordPing: Handshake = (body) => {
  if (fieldOf(body, 'event') !== undefined) return undefined;
  const type = fieldOf(body, 'type');
  if (type === 1) return json({ type: 1 });
  return type === 0 ? { status: 204 } : undefined;
};

export const zoomChallenge: Handshake = async (body, secret) => {
  if (fieldOf(body, 'event') !== 'endpoint.url_validation') return undefined;
  const plainToken = fieldOf(body, 'payload.plainToken');
  if (!challenge(plainToken)) return undefined;
  const key = await crypto.subtle.importKey('raw', utf8(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return json({ plainToken, encryptedToken: toHex(await crypto.subtle.sign('HMAC', key, utf8(String(plainToken)))) });
};

/** Meta's subscription, by GET and not signed: the token in it must be ours. @returns undefined where it is not */
export async function subscription(
  query: URLSearchParams,
  isOurs: (token: string) => Promise<boolean>,
): Promise<Reply | undefined> {
  if (query.get('hub.mode') !== 'subscribe' || !(await isOurs(query.get('hub.verify_token') ?? ''))) return undefined;
  return challenge(query.get('hub.challenge'));
}
