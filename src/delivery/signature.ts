/** Signatures of deliveries, after Standard Webhooks: `v1,` and the HMAC-SHA-256 of `<id>.<timestamp>.<body>` in base64. */
import type { Bytes } from '../formats/bytes.ts';

/** The signed id and time, and a signature for each secret in their order. */
export interface SignedContent {
  id: string;
  /** Epoch s. */
  timestamp: number;
  body: Bytes;
}

/** @param keys in the order in which receivers should meet them: the new one first. @returns the value of `webhook-signature` */
export async function signMessage({ id, timestamp, body }: SignedContent, keys: Bytes[]): Promise<string> {
  const content = new Blob([`${id}.${timestamp}.`, body]);
  const bytes = await content.arrayBuffer();
  const items = keys.map(async (raw) => {
    const key = await crypto.subtle.importKey('raw', raw, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
    const mac = await crypto.subtle.sign('HMAC', key, bytes);
    return `v1,${btoa(String.fromCharCode(...new Uint8Array(mac)))}`;
  });
  return (await Promise.all(items)).join(' ');
}

/** The keys in a binding: `whsec_` and base64 of 24 to 64 bytes, several between blanks. @returns undefined where one is none */
export function parseKeys(binding: unknown): Bytes[] | undefined {
  const secrets = typeof binding === 'string' ? binding.split(/\s+/).filter((secret) => secret !== '') : [];
  const keys = secrets.map(parseKey);
  return keys.length > 0 && keys.every((key) => key !== undefined) ? keys : undefined;
}

function parseKey(secret: string): Bytes | undefined {
  const [, base64] = /^whsec_((?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)$/.exec(secret) ?? [];
  if (base64 === undefined) return undefined;
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  return bytes.length >= 24 && bytes.length <= 64 ? bytes : undefined;
}
