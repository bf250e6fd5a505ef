/**
 * Sessions: a browser's sign-in with a token, kept in a signed cookie that scripts cannot read. Nothing is stored: the key of
 * a session is derived from settings, so it ends by itself, or with its token, or when the token of storage is replaced.
 */
import type { Context } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { timingSafeEqual } from 'hono/utils/buffer';
import { toBase64Url, utf8 } from '../bytes.ts';
import type { Config, Token } from '../config.ts';
import { Problem } from './problem.ts';

const LASTS_MS = 12 * 60 * 60 * 1_000;

/** Browsers take a `__Host-` cookie over https only, and then from nobody but this very host. */
const isSecure = (c: Context) => new URL(c.req.url).protocol === 'https:';
const nameOf = (c: Context) => (isSecure(c) ? '__Host-sluice' : 'sluice');

/** @returns when it ends, epoch ms */
export async function beginSession(c: Context, config: Config, token: Token): Promise<number> {
  const expiresAt = Date.now() + LASTS_MS;
  await put(c, `${expiresAt}.${await signature(config, token, String(expiresAt))}`, LASTS_MS / 1_000);
  return expiresAt;
}

export function endSession(c: Context): Promise<void> {
  return put(c, '', 0);
}

async function put(c: Context, value: string, maxAge: number): Promise<void> {
  setCookie(c, nameOf(c), value, { path: '/', httpOnly: true, secure: isSecure(c), sameSite: 'Strict', maxAge });
}

/** The token that the caller's cookie was made from, if that is still configured. */
export async function tokenOfSession(c: Context, config: Config): Promise<Token | undefined> {
  const [, expiresAt = '0', given = ''] = /^(\d{13})\.([\w-]{43})$/.exec(getCookie(c, nameOf(c)) ?? '') ?? [];
  if (Number(expiresAt) <= Date.now()) return undefined;
  let match: Token | undefined;
  for (const token of config.SLUICE_TOKENS) {
    if (await timingSafeEqual(given, await signature(config, token, expiresAt))) match ??= token;
  }
  return match;
}

/** The scopes and queues are signed too: a session never may what its token may no more. */
async function signature(config: Config, { sha256, scopes, queues }: Token, expiresAt: string): Promise<string> {
  const secret = utf8(`sluice session\n${config.UPSTASH_REDIS_REST_TOKEN}\n${sha256}`);
  const key = await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return toBase64Url(await crypto.subtle.sign('HMAC', key, utf8([expiresAt, ...scopes, '', ...queues].join('\n'))));
}

/**
 * Lets a request with a cookie pass only where this origin's own page sent it. A browser says where a request comes from, and
 * no other site can send JSON here without a preflight, which nobody answers.
 * @throws Problem cross_site
 */
export function refuseOtherSites(c: Context): void {
  const site = c.req.header('sec-fetch-site');
  const origin = c.req.header('origin');
  const own = new URL(c.req.url).origin;
  const reads = c.req.method === 'GET' || c.req.method === 'HEAD';
  const elsewhere = (site !== undefined && site !== 'same-origin') || (origin !== undefined && origin !== own);
  if (reads && (!elsewhere || site === 'none')) return;
  const unknown = site === undefined && origin === undefined;
  const json = /^application\/json(;|$)/i.test(c.req.header('content-type') ?? '');
  if (elsewhere || unknown || !json) throw new Problem('cross_site');
}
