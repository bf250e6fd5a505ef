/**
 * The token by which a deployment starts drains of its own, over its public URL. It is derived from the database's token, which every
 * deployment has, and is good for nothing else: nobody can turn it back.
 */
import { toHex, utf8 } from '../formats/bytes.ts';
import type { Config } from './config.ts';

const PURPOSE = 'sluice: start a drain of';

export async function deriveStartToken({
  UPSTASH_REDIS_REST_TOKEN: secret,
  SLUICE_PREFIX: prefix,
}: Config): Promise<string> {
  const key = await crypto.subtle.importKey('raw', utf8(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return toHex(await crypto.subtle.sign('HMAC', key, utf8(`${PURPOSE} ${prefix}`)));
}
