/**
 * Raw bodies: the exact bytes that came in from outside, as they are stored and passed on, and what they say.
 *
 * Pure. Signatures and receivers further on need the bytes: JSON that was read and written again is other bytes.
 */
import { type Bytes, utf8 } from '../formats/bytes.ts';
import { readJson } from '../formats/json.ts';

/** Exact bytes with their content type: as text where they are UTF-8 (a byte order mark stays), else in base64. */
export interface Raw {
  /** Content-Type as it came; '' where none did. */
  type: string;
  text?: string;
  base64?: string;
}

/** No content type is longer; of what is, the rest says nothing. */
const MAX_TYPE_LENGTH = 256;
const STEP = 32_768; // bytes that one call of fromCharCode takes as arguments

export function toRaw(bytes: Uint8Array, type: string): Raw {
  const kept = type.slice(0, MAX_TYPE_LENGTH);
  try {
    return { type: kept, text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    let binary = '';
    for (let at = 0; at < bytes.length; at += STEP) binary += String.fromCharCode(...bytes.subarray(at, at + STEP));
    return { type: kept, base64: btoa(binary) };
  }
}

/**
 * The bytes of a webhook as they came, for signatures that a handler checks itself.
 * @example const digest = await crypto.subtle.digest('SHA-256', rawBytes(message.raw))
 */
export function rawBytes({ text, base64 = '' }: Raw): Bytes {
  if (text !== undefined) return utf8(text);
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}

/** What it says: JSON, form fields (a list where one comes twice), else text. JSON that is none, or nested too deep, stays text. Never throws. */
export function parseRaw(raw: Raw): unknown {
  const text = raw.text?.replace(/^\uFEFF/, '') ?? new TextDecoder().decode(rawBytes(raw));
  if (isForm(raw.type)) return parseFields(text);
  const media = mediaType(raw.type);
  if (media !== '' && !media.endsWith('json')) return text;
  try {
    return readJson(text);
  } catch {
    return text;
  }
}

export function isForm(type: string): boolean {
  return mediaType(type) === 'application/x-www-form-urlencoded';
}

function parseFields(text: string): Record<string, string | string[]> {
  const fields = Map.groupBy(new URLSearchParams(text), ([name]) => name);
  return Object.fromEntries(
    [...fields].map(([name, pairs]) => {
      const values = pairs.map(([, value]) => value);
      return [name, values.length === 1 ? (values[0] ?? '') : values];
    }),
  );
}

const mediaType = (type: string) => (type.split(';')[0] ?? '').trim().toLowerCase();
