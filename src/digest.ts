/** Digests: users' text in names that Redis and URLs can have. */

/** 132 bits of a SHA-256 in characters that keys and ids may have. */
export async function shortDigest(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  const base64 = btoa(String.fromCharCode(...new Uint8Array(digest)));
  return base64.replaceAll('+', '-').replaceAll('/', '_').slice(0, 22);
}
