/**
 * Who may call: bearer tokens with scopes, or a session that one has begun. They are known by their SHA-256 digests; with none
 * configured all is closed.
 */
import type { Context } from 'hono';
import type { Config, Scope, Token } from '../config/config.ts';
import { deriveStartToken } from '../config/start-token.ts';
import { hexDigest } from '../formats/digest.ts';
import { readClientAddress } from './client-address.ts';
import { isSameSecret } from './constant-time.ts';
import type { SluiceEnv } from './context.ts';
import { Problem } from './problem.ts';
import { limitRate } from './rate-limit.ts';
import { readSession, refuseOtherSites } from './session-cookie.ts';
import { openSessions } from './session-store.ts';
import { listTokens } from './tokens.ts';

const CLOSED = 'This deployment has no token yet: its API is closed';
const CHALLENGE = { 'www-authenticate': 'Bearer realm="sluice"' };

/** Names the caller for what follows. @throws Problem where no token came that has the scope */
export async function letIn(c: Context<SluiceEnv>, scope: Scope): Promise<void> {
  const given = readBearer(c);
  c.set('token', given ? await authenticate(c, given, scope) : await authenticateSession(c, scope));
}

/** Only this deployment itself may. @throws Problem */
export async function letItselfIn(c: Context<SluiceEnv>): Promise<void> {
  const isItself = isSameSecret(readBearer(c), await deriveStartToken(c.get('engine').config));
  if (!isItself) await refuse(c, 'Only the deployment itself may do this');
}

const readBearer = (c: Context<SluiceEnv>) =>
  /^Bearer ([\x21-\x7e]+)$/i.exec(c.req.header('authorization') ?? '')?.[1] ?? '';

/** The configured token that this text is. @throws Problem where there is none, or it lacks the scope */
export async function authenticate(c: Context<SluiceEnv>, given: string, scope: Scope): Promise<Token> {
  const { config } = c.get('engine');
  const token = await matching(given, config);
  if (!token) return refuse(c, 'The token is not known here');
  return checkScope(c, token, scope);
}

async function authenticateSession(c: Context<SluiceEnv>, scope: Scope): Promise<Token> {
  const { config, shard } = c.get('engine');
  const session = await readSession(c, config);
  if (!session) return refuse(c);
  refuseOtherSites(c);
  const token = await checkScope(c, session.token, scope);
  return (await openSessions(shard).hasEnded(session.id)) ? refuse(c) : token;
}

/** Counted by address: whoever guesses is stopped, and those who know a token go on. */
async function refuse(c: Context<SluiceEnv>, detail?: string): Promise<never> {
  await limitRate(c.env, { name: `unknown/${readClientAddress(c)}` }, 'This address');
  const isClosed = (await listTokens(c.get('engine').config)).length === 0;
  throw new Problem('unauthorized', isClosed ? CLOSED : detail, undefined, CHALLENGE);
}

async function checkScope(c: Context<SluiceEnv>, token: Token, scope: Scope): Promise<Token> {
  await limitRate(c.env, token);
  const isIn = token.scopes.includes(scope) || (scope === 'tick' && token.scopes.includes('admin'));
  if (!isIn) throw new Problem('forbidden', `The token lacks the scope "${scope}"`);
  return token;
}

/** @throws Problem where the caller's token is not for this queue */
export function requireQueue(token: Token, queue: string): void {
  if (!canUseQueue(token, queue)) throw new Problem('forbidden', 'The token is not for this queue');
}

/** What concerns all queues, or nobody knows which: only a token for all of them may. No queue has this name. */
export const ANY_QUEUE = '';

export function canUseQueue({ queues }: Token, queue: string): boolean {
  return queues.some((pattern) => (pattern.endsWith('*') ? queue.startsWith(pattern.slice(0, -1)) : queue === pattern));
}

/** Compares its digest with every one that is configured, in constant time. */
async function matching(given: string, config: Config): Promise<Token | undefined> {
  const tokens = await listTokens(config);
  const digest = await hexDigest(given);
  let match: Token | undefined;
  for (const token of tokens) {
    if (isSameSecret(digest, token.sha256)) match ??= token;
  }
  return match;
}
