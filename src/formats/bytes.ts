/** Bytes as text: UTF-8, and the strict forms of hex and base64. Another spelling of the same bytes is no signature. */

export type Bytes = Uint8Array<ArrayBuffer>;

/** No platform gives memory here that is shared: not all of their types say so. */
export const utf8 = (text: string) => new TextEncoder().encode(text) as Bytes;

/** @returns undefined where it is not lower-case hex */
export function fromHex(text: string): Bytes | undefined {
  if (!/^(?:[0-9a-f]{2})+$/.test(text)) return undefined;
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** @returns undefined where it is not base64 with its padding, and with nothing in the bits that are over */
export function fromBase64(text: string): Bytes | undefined {
  try {
    const binary = atob(text);
    return text === '' || btoa(binary) !== text ? undefined : Uint8Array.from(binary, (char) => char.charCodeAt(0));
  } catch {
    return undefined;
  }
}

export function toHex(bytes: ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** In characters that keys, ids and cookies may have; without padding. */
export function toBase64Url(bytes: ArrayBuffer): string {
  const base64 = btoa(String.fromCharCode(...new Uint8Array(bytes)));
  return base64.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}
