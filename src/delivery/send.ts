/** Sending: one request of a delivery to where it was judged that it may go. `#send` in package.json says how each runtime makes it. */
import type { Bytes } from '../formats/bytes.ts';

export interface DeliveryRequest {
  method: string;
  headers: Headers;
  body: Bytes;
  /** Aborted, the request ends with an error. */
  signal: AbortSignal;
}

/** The part of a Response that a delivery reads. */
export interface DeliveryAnswer {
  status: number;
  headers: Pick<Headers, 'get'>;
  body: ReadableStream<Uint8Array> | null;
}

/** Sends the request once, and follows no redirect. @throws Error where there is no answer; HeldBack where this runtime must not send it */
export type Send = (url: URL, request: DeliveryRequest) => Promise<DeliveryAnswer>;

export const sendByFetch: Send = (url, request) => fetch(url, { ...request, redirect: 'manual' });
