/** Digests: users' text in names that Redis and URLs can have. */
import { toBase64Url, toHex, utf8 } from './bytes.ts';

/** 132 bits of a SHA-256 in characters that keys and ids may have. */
export async function shortDigest(text: string): Promise<string> {
  return toBase64Url(await crypto.subtle.digest('SHA-256', utf8(text))).slice(0, 22);
}

/** SHA-256 in hex. */
export async function hexDigest(text: string): Promise<string> {
  return toHex(await crypto.subtle.digest('SHA-256', utf8(text)));
}
