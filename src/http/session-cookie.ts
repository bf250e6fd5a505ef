/**
 * Sessions: a browser's sign-in with a token, kept in a signed cookie that scripts cannot read. Its key is derived from
 * settings, so it ends by itself, or with its token, or when the token of storage is replaced. What is stored is only that
 * somebody has signed out of it.
 */
import type { Context } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import type { Config, Token } from '../config/config.ts';
import type { Engine } from '../engine.ts';
import { toBase64Url, utf8 } from '../formats/bytes.ts';
import { newToken } from '../message/ids.ts';
import { isSameSecret } from './constant-time.ts';
import { Problem } from './problem.ts';
import { openSessions } from './session-store.ts';
import { listTokens } from './tokens.ts';

const LASTS_MS = 12 * 60 * 60 * 1_000;
/** When it ends, its id, and the signature of both. */
const COOKIE = /^((\d{13})\.([0-9A-Za-z]{20}))\.([\w-]{43})$/;

/** As the browser has it: behind a proxy that ends TLS the scheme is what that says. */
function readOwnUrl(c: Context): URL {
  const url = new URL(c.req.url);
  if (c.req.header('x-forwarded-proto') === 'https') url.protocol = 'https:';
  return url;
}

/** Browsers take a `__Host-` cookie over https only, and then from nobody but this very host. */
const isSecure = (c: Context) => readOwnUrl(c).protocol === 'https:';
const chooseCookieName = (c: Context) => (isSecure(c) ? '__Host-sluice' : 'sluice');

/** @returns when it ends, epoch ms */
export async function beginSession(c: Context, config: Config, token: Token): Promise<number> {
  const expiresAt = Date.now() + LASTS_MS;
  const named = `${expiresAt}.${newToken()}`;
  put(c, `${named}.${await signature(config, token, named)}`, LASTS_MS / 1_000);
  return expiresAt;
}

/** For whoever still has the cookie too. @throws StorageError: then the session goes on, and so does the cookie */
export async function endSession(c: Context, { config, shard }: Engine): Promise<void> {
  const session = await readSession(c, config);
  if (session) await openSessions(shard).end(session.id, LASTS_MS);
  put(c, '', 0);
}

function put(c: Context, value: string, maxAge: number): void {
  setCookie(c, chooseCookieName(c), value, {
    path: '/',
    httpOnly: true,
    secure: isSecure(c),
    sameSite: 'Strict',
    maxAge,
  });
}

/** What the caller's cookie says, and the token that it was made from if that is still configured. It may have been ended. */
export async function readSession(c: Context, config: Config): Promise<{ id: string; token: Token } | undefined> {
  const [, named = '', expiresAt = '0', id = '', given = ''] =
    COOKIE.exec(getCookie(c, chooseCookieName(c)) ?? '') ?? [];
  if (Number(expiresAt) <= Date.now()) return undefined;
  let match: Token | undefined;
  for (const token of await listTokens(config)) {
    if (isSameSecret(given, await signature(config, token, named))) match ??= token;
  }
  return match && { id, token: match };
}

/** The scopes and queues are signed too: a session never may what its token may no more. */
async function signature(config: Config, { sha256, scopes, queues }: Token, named: string): Promise<string> {
  const secret = utf8(`sluice session\n${config.UPSTASH_REDIS_REST_TOKEN}\n${sha256}`);
  const key = await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return toBase64Url(await crypto.subtle.sign('HMAC', key, utf8([named, ...scopes, '', ...queues].join('\n'))));
}

/**
 * Lets a request with a cookie pass only where this origin's own page sent it. A browser says where a request comes from, and
 * no other site can send JSON here without a preflight, which nobody answers.
 * @throws Problem cross_site
 */
export function refuseOtherSites(c: Context): void {
  const site = c.req.header('sec-fetch-site');
  const origin = c.req.header('origin');
  const own = readOwnUrl(c).origin;
  const reads = c.req.method === 'GET' || c.req.method === 'HEAD';
  const elsewhere = (site !== undefined && site !== 'same-origin') || (origin !== undefined && origin !== own);
  if (reads && (!elsewhere || site === 'none')) return;
  const unknown = site === undefined && origin === undefined;
  const json = /^application\/json(;|$)/i.test(c.req.header('content-type') ?? '');
  if (elsewhere || unknown || !json) throw new Problem('cross_site');
}
