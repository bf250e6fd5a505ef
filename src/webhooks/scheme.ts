/** Schemes: how a sender proves who it is, as data. One verifier reads them all. */
import type { Bytes } from '../formats/bytes.ts';

/** A signature over parts of the request. */
export interface SignatureScheme {
  /** The header that holds it. */
  signature: string;
  /** What stands before it: `sha256=`, or `v1=` in a list. Default: nothing. */
  mark?: string;
  /** The header is a list with this between its items; any signature of it may match. */
  separator?: string;
  /** Default `SHA-256`: HMAC with that hash. */
  algorithm?: 'SHA-1' | 'SHA-256' | 'SHA-512' | 'Ed25519';
  /** Default `hex`, in small letters. */
  encoding?: 'hex' | 'base64';
  /** How the secret's text gives the key. Default `text`: as it stands. */
  key?: 'text' | 'hex' | 'base64';
  /** What secrets of this scheme begin with; it is taken off. Others are not for it. */
  keyPrefix?: string;
  /** The least and the most bytes of a key: with another the source is closed. Default: any that is not empty; 32 with Ed25519. */
  keyBytes?: readonly [number, number];
  /**
   * What is signed: text with `{id}`, `{time}`, `{url}` and `{body}`, or a function that gives what may have been signed, of the URL
   * too. Default `{body}`.
   */
  content?: string | ContentFunction;
  /** The header with the id that is signed. */
  id?: string;
  time?: SignedTime;
}

/** @returns each of the contents of which any may have been signed */
export type ContentFunction = (arrived: WebhookRequest) => Promise<Bytes[]> | Bytes[];

/** Where the instant of signing stands, and how far from now it may be, both ways. */
export interface SignedTime {
  header?: string;
  /** What it begins with as an item of the signature's header. */
  item?: string;
  /** A field of the body, which the signature covers. */
  body?: string;
  /** Default s. `iso`: text such as `2026-11-20T12:00:00.123456Z`. */
  unit?: 'ms' | 'iso';
  toleranceS: number;
}

/** The secret itself, in a header. */
export interface SecretScheme {
  header: string;
  /** What stands before it, such as `Bearer `, in large or small letters. */
  prefix?: string;
  /** The header holds it in base64: `user:password` of Basic. */
  base64?: true;
}

/** What the sender gave. */
export interface WebhookRequest {
  headers: Headers;
  bytes: Bytes;
  /** The body, parsed. Asked for only when the signature holds, but for custom verification. */
  body: () => unknown;
  /** Where the sender thinks it sends to, as configured: never from the request. '' where none is. */
  url: string;
  /** The query of the request, with its `?`, or ''. */
  search: string;
  nowMs: number;
}

/**
 * Verification in your own code, over the raw bytes and the secrets that hold now. It has 2 s; a throw counts as refused.
 * @returns whether the request is the sender's, or the id of the delivery if it is
 */
export type CustomVerify = (
  arrived: WebhookRequest,
  secrets: readonly string[],
) => Promise<boolean | { id: string }> | boolean | { id: string };

export type Scheme = SignatureScheme | SecretScheme | CustomVerify;
